"""The rules of a process, evaluated over its own metrics."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING

from mlguard_common.metrics import Families
from mlguard_rules.alert import Alert, State
from mlguard_rules.alerting import RuleManager
from mlguard_rules.service import metrics as m
from mlguard_rules.service.samples import SampleConverter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from mlguard_rules.promql import Snapshot
    from mlguard_rules.service.settings import Settings
    from mlguard_rules.service.state_store import StateStore

    MetricSource = Callable[[frozenset[str]], Iterable[Metric]]
    """Returns at least the metrics that have samples of these names.

    A metric that has not changed may be the same object as at the last call.
    """

log = logging.getLogger(__name__)


class RuleEvaluator:
    """Evaluates rules and keeps the state of their alerts (a Collector).

    Args:
        settings: with the rules.
        store: where the state is kept.
        metrics: that rules read.
        explain: returns sentences about what an alert with these labels is about, or nothing.
    """

    def __init__(
        self,
        settings: Settings,
        store: StateStore,
        metrics: MetricSource,
        explain: Callable[[Mapping[str, str]], str],
    ) -> None:
        self._explain = explain
        self._store = store
        self._metrics = metrics
        self._converter = SampleConverter()
        last = dict(store.load("evaluation", float)).get("evaluated")
        alerts = [alert for _, alert in store.load("alert", Alert)]
        self._manager = RuleManager(
            settings.groups, settings.interval, alerts, last, fetch=self._fetch
        )
        self._rules = sum(len(group.rules) for group in settings.groups)
        self._evaluations = 0
        self._seconds = 0.0

    def use(self, settings: Settings) -> None:
        """Use other rules."""
        self._manager.use(settings.groups, settings.interval)
        self._rules = sum(len(group.rules) for group in settings.groups)

    def _fetch(self, names: frozenset[str]) -> Snapshot:
        """Return samples that only a template's query reads."""
        return SampleConverter().convert(self._metrics(names), names)

    def evaluate(self, now: float) -> None:
        """Evaluate every rule; if that fails as a whole, all alerts keep their state."""
        if not self._rules and not self._manager.alerts:
            return
        begin = perf_counter()
        try:
            names = self._manager.metric_names
            snapshot = self._converter.convert(self._metrics(names), names)
            result = self._manager.evaluate(now, snapshot)
        except Exception:
            self._manager.failures += 1
            log.exception("rules cannot be evaluated")
            return
        self._evaluations += 1
        self._seconds += perf_counter() - begin
        for alert in result.changed:
            self._store.put("alert", (alert.rule_id, alert.labels), alert)
        for key in result.removed:
            self._store.put("alert", key, None)
        is_timed = any(alert.is_timed for alert in self._manager.alerts)
        if result.changed or result.removed or is_timed:
            self._store.put("evaluation", "evaluated", now)

    @property
    def active(self) -> list[Alert]:
        """Alerts that are pending or firing."""
        alerts = self._manager.alerts
        return [self._explained(each) for each in alerts if each.state is not State.RESOLVED]

    def to_send(self, settings: Settings) -> list[Alert]:
        """Return alerts that fire or were resolved recently, with the labels of the process.

        Of two alerts with the same labels it is the firing one.
        """
        alerts = [
            self._explained(alert).to_send(settings.labels, settings.generator_url)
            for alert in self._manager.alerts
            if alert.state is not State.PENDING
        ]
        firing = {alert.labels for alert in alerts if not alert.is_resolved}
        return [alert for alert in alerts if not alert.is_resolved or alert.labels not in firing]

    def _explained(self, alert: Alert) -> Alert:
        """Return a firing alert with an annotation that explains it, if there is something."""
        if alert.state is not State.FIRING:
            return alert
        try:
            text = self._explain(dict(alert.labels))
        except Exception:  # a bug in it must not hold up the alert
            log.exception("an alert cannot be explained")
            return alert
        return alert.annotated("explanation", text) if text else alert

    def collect(self) -> Iterator[Metric]:
        """Yield the alerts, and the metrics of their evaluation."""
        families = Families(m.METRICS)
        families.declare(m.ALERTS)
        families.declare(m.ALERTS_FOR_STATE)
        for alert in self.active:
            labels = dict(alert.labels) | {"engine": "embedded"}
            with_state = labels | {"alertstate": alert.state.value}
            families.add_labelled(m.ALERTS, with_state, 1)
            families.add_labelled(m.ALERTS_FOR_STATE, labels, int(alert.active_at))
        families.add(m.RULES, (), self._rules)
        families.add(m.EVALUATIONS, (), self._evaluations)
        families.add(m.EVALUATION_SECONDS, (), self._seconds)
        families.add(m.EVALUATION_FAILURES, (), self._manager.failures)
        yield from families
