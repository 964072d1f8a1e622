"""Alerting with a clock that is set by hand, and metrics of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_common.database import open_database
from mlguard_common.metrics import Families, MetricDefinition
from mlguard_rules.notify import NotifyConfig, RulesConfig
from mlguard_rules.notify.config import ReceiverConfig, RouteConfig
from mlguard_rules.service import Alerting, Settings, migrations

if TYPE_CHECKING:
    from pathlib import Path

COUNT = MetricDefinition("mlguard_inferences_total", "counter", "", ("model", "project"))
NOW = 1_800_000_000.0

BUSY = """\
groups:
  - name: g
    rules:
      - alert: Busy
        expr: mlguard_inferences_total > 3
        labels: {severity: critical}
        annotations:
          summary: "{{ $labels.model }} is busy"
          description: "It has {{ $value | humanize }} inferences, over the limit of 3."
          runbook_url: rules/README.md#busy
"""


class Offline:
    """Evaluates, dispatches and sends every 15 seconds of its own clock."""

    def __init__(self, folder: Path, url: str, rules: str = BUSY, at: float = NOW, **route) -> None:
        self.now = at
        self.values = {"m": 5}
        self.folder = folder
        (folder / "rules.yml").write_text(rules)
        self.settings = self.settings_for({"hook": url}, [{"receivers": ["hook"]} | route])
        self.step = 15.0
        self.open()

    def settings_for(self, urls: dict[str, str], routes, **rules) -> Settings:
        files = [str(self.folder / "rules.yml")]
        return Settings.configured(
            RulesConfig(**({"bundled": False, "files": files} | rules)),
            NotifyConfig(
                receivers=[ReceiverConfig(name=name, url=url) for name, url in urls.items()],
                routes=[RouteConfig(**route) for route in routes],
            ),
            (),
        )

    def open(self) -> None:
        self.db = open_database(self.folder / "offline.db", migrations)
        self.alerting = Alerting(
            self.settings, self.db, self.transact, self.metrics, lambda: self.now
        )

    def restart(self) -> None:
        self.close()
        self.open()

    def close(self) -> None:
        self.db.conn.close()

    async def transact(self, job) -> None:
        with self.db.atomic():
            job(self.db)

    def metrics(self, _names: frozenset[str] = frozenset()) -> Families:
        families = Families((COUNT,))
        for model, value in self.values.items():
            families.add(COUNT, (model, "p"), value)
        return families

    async def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            await self.alerting.evaluate()
            await self.send()
            self.now += self.step

    async def send(self) -> None:
        for receiver in list(self.alerting.queue.receivers.values()):
            await receiver.send_due()
        await self.alerting.store.save()

    def outcomes(self) -> dict[tuple[str, ...], float]:
        """How often what became of messages, by receiver and outcome."""
        return {
            tuple(sample.labels.values()): sample.value
            for family in self.alerting.collect()
            for sample in family.samples
            if sample.name == "mlguard_notifications_total"
        }
