"""The process's own rules, evaluated over its own figures."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING

from mlguard_common.metrics import Families
from mlguard_rules.alerting import ActiveAlert, Engine, State
from mlguard_rules.service import metrics as m
from mlguard_rules.service.snapshot import snapshot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from mlguard_rules.alert import Alert
    from mlguard_rules.service.ledger import Ledger
    from mlguard_rules.service.settings import Settings

log = logging.getLogger(__name__)


class Judge:
    """Evaluates rules and keeps the state of their alerts (a Collector).

    Args:
        settings: with the rules.
        ledger: where the state is kept.
        figures: what rules read.
    """

    def __init__(
        self, settings: Settings, ledger: Ledger, figures: Callable[[], Iterable[Metric]]
    ) -> None:
        self._ledger = ledger
        self._figures = figures
        last = dict(ledger.take("time", float)).get("evaluated")
        alerts = [alert for _, alert in ledger.take("alert", ActiveAlert)]
        self._engine = Engine(settings.groups, settings.interval, alerts, last)
        self._rules = sum(len(group.rules) for group in settings.groups)
        self._evaluations = 0
        self._seconds = 0.0

    def use(self, settings: Settings) -> None:
        """Go on with other rules."""
        self._engine.use(settings.groups, settings.interval)
        self._rules = sum(len(group.rules) for group in settings.groups)

    def evaluate(self, now: float) -> None:
        """Evaluate every rule; where that fails as a whole, every alert stays as it is."""
        if not self._rules and not self._engine.alerts:
            return
        begin = perf_counter()
        try:
            tick = self._engine.evaluate(now, snapshot_of(self._figures()))
        except Exception:
            self._engine.failures += 1
            log.exception("rules cannot be evaluated")
            return
        self._evaluations += 1
        self._seconds += perf_counter() - begin
        for alert in tick.changed:
            self._ledger.put("alert", (alert.rule, alert.labels), alert)
        for key in tick.gone:
            self._ledger.put("alert", key, None)
        if tick.changed or tick.gone or any(alert.is_timed for alert in self._engine.alerts):
            self._ledger.put("time", "evaluated", now)

    @property
    def active(self) -> list[ActiveAlert]:
        """Alerts that are pending or fire."""
        return [alert for alert in self._engine.alerts if alert.state is not State.RESOLVED]

    def told(self, settings: Settings) -> list[Alert]:
        """What fires and what has ended of late; of two with the same labels the one that fires."""
        told = [
            alert.told(settings.labels, settings.source)
            for alert in self._engine.alerts
            if alert.state is not State.PENDING
        ]
        firing = {alert.labels for alert in told if alert.ends_at is None}
        return [alert for alert in told if alert.ends_at is None or alert.labels not in firing]

    def collect(self) -> Iterator[Metric]:
        """Yield the alerts and the figures of their rules."""
        families = Families(m.METRICS)
        families.declare(m.ALERTS)
        families.declare(m.ALERTS_FOR_STATE)
        for alert in self.active:
            labels = dict(alert.labels) | {"engine": "embedded"}
            told = labels | {"alertstate": alert.state.value}
            families.add_labelled(m.ALERTS, told, 1)
            families.add_labelled(m.ALERTS_FOR_STATE, labels, int(alert.active_at))
        families.add(m.RULES, (), self._rules)
        families.add(m.EVALUATIONS, (), self._evaluations)
        families.add(m.EVALUATION_SECONDS, (), self._seconds)
        families.add(m.EVALUATION_FAILURES, (), self._engine.failures)
        yield from families
