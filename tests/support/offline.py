"""The sidecar's data path without its listeners, with a clock that is set by hand."""

from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from mlguard_common.exposition import text_format
from mlguard_sidecar.committer import Committer
from mlguard_sidecar.compactor import Compactor
from mlguard_sidecar.config import BaselineConfig, Config
from mlguard_sidecar.exposition import ModelCollector
from mlguard_sidecar.history import DayRecorder
from mlguard_sidecar.ingest import Pipeline
from mlguard_sidecar.models import ModelRegistry
from mlguard_sidecar.refresher import WindowRefresher
from mlguard_sidecar.settings import CurrentSettings, Settings
from mlguard_sidecar.statistics import StatisticsCache
from mlguard_sidecar.store import Retention, Store, load, open_store
from mlguard_sidecar.telemetry import STATISTICS_ERRORS, Telemetry
from mlguard_sidecar.wire import Line, ModelKey
from mlguard_sidecar.wire.messages import Batch

NOW = 1_800_000_000.0
KEY = ModelKey("p", "m", "predict")
IDS = ("project", "model", "model_endpoint")


class Offline:
    """Commits and moves its windows when it is told to."""

    def __init__(self, folder, config: Config | None = None, now: float = NOW) -> None:
        self.now = now
        self.config = config or Config(baseline=BaselineConfig(events=50))
        self.settings = CurrentSettings(self.config)
        (self.store, snapshot), self.recreated = open_store(
            folder, lambda db: (Store(db), load(db))
        )
        self.db = self.store.thread.db

        def clock() -> float:
            return self.now

        self.registry = ModelRegistry(
            settings_of=self.settings.accumulation_of,
            model_limit=self.settings.model_limit,
            recall=self.store.recall,
            clock=clock,
        )
        self.registry.restore(
            snapshot.models, snapshot.sequences, snapshot.counters, snapshot.retired
        )
        self.loop = asyncio.new_event_loop()
        self.telemetry = Telemetry(self.registry.counters)
        self.telemetry.panes_dropped = lambda: self.store.panes_dropped
        self.refresher = WindowRefresher(
            self.store,
            self.registry,
            self.settings,
            self.telemetry,
            self.config.pane.seconds,
            clock,
        )
        self.committer = Committer(self.store, self.registry, self.refresher, self.telemetry)
        self.pipeline = Pipeline(self.registry, self.committer, 400 * 86_400, clock)
        self.clock = clock
        self.recorder = DayRecorder(self.store, self.registry, self.settings, self.telemetry, clock)
        self._cache = StatisticsCache(self._failed)
        self.models = ModelCollector(
            self.statistics, clock, lambda: self.settings.now.fleet, self._failed
        )
        self.refresh()

    @property
    def counts(self):
        """The sidecar's own committed counts."""
        return self.registry.counters.counts

    def _failed(self) -> None:
        self.telemetry.count(STATISTICS_ERRORS)

    def statistics(self):
        return self._cache.of_all(self.registry.views.values(), self.settings.now.of)

    def use(self, config: Config) -> None:
        """What a reload does."""
        self.settings.now = Settings(config)
        self.registry.apply_settings()

    def send(self, **columns):
        """Send a batch of the model KEY."""
        line = Line(project_id="p", model_id="m", columns=Batch(**columns))
        return self.pipeline.submit_batch(line, "socket")

    def send_events(self, *events: Line):
        return self.pipeline.submit_events(events, "socket")

    def commit(self) -> bool:
        return self.loop.run_until_complete(self.committer.commit())

    def days(self, count: int = 400):
        """Return the last days of the model KEY."""
        found = self.loop.run_until_complete(self.recorder.days(KEY, count))
        assert found is not None
        return found

    def record(self) -> None:
        """What is done at midnight."""
        self.loop.run_until_complete(self.recorder.record())

    def refresh(self) -> None:
        """Read every window again."""
        self.loop.run_until_complete(self.refresher.read_all())

    def move(self) -> None:
        """Move every window on, as at the end of a pane."""
        self.loop.run_until_complete(self.refresher.move_all())

    def compact(self, retention: Retention) -> None:
        """What is done every hour."""
        compactor = Compactor(
            self.store,
            self.registry,
            self.refresher,
            self.telemetry,
            retention,
            tuple,
            self.clock,
        )
        self.loop.run_until_complete(compactor.compact())

    def page(self, *collectors) -> str:
        """The exposition of all models, and of more collectors."""
        collectors = (self.models, *collectors)
        return "".join(text_format(f) for each in collectors for f in each.collect())

    def figures(self) -> dict:
        """Value by name without prefix and the sorted label values, but for the model's."""
        return {
            (
                sample.name.removeprefix("mlguard_"),
                *sorted(v for k, v in sample.labels.items() if k not in IDS),
            ): sample.value
            for family in text_string_to_metric_families(self.page())
            for sample in family.samples
        }

    def close(self) -> None:
        self.store.close()
        self.loop.close()
