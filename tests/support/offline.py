"""The sidecar's engine and keeper without its listeners, with a clock that is set by hand."""

from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from mlguard_common.exposition import text_format
from mlguard_sidecar.config import BaselineConfig, Config
from mlguard_sidecar.engine import Engine
from mlguard_sidecar.exposition import Models
from mlguard_sidecar.keeper import Keeper
from mlguard_sidecar.plans import Plans
from mlguard_sidecar.store import Retention, open_store
from mlguard_sidecar.wire import Line, ModelKey
from mlguard_sidecar.wire.message import Batch

NOW = 1_800_000_000.0
KEY = ModelKey("p", "m", "predict")
IDS = ("project", "model", "model_endpoint")


class Offline:
    """Commits and moves its windows when it is told to."""

    def __init__(self, folder, config: Config | None = None) -> None:
        self.now = NOW
        self.config = config or Config(baseline=BaselineConfig(events=50))
        self.plans = Plans(self.config)
        self.db = open_store(folder)
        self.engine = Engine(
            plan_of=lambda key: self.plans.plan_of(key),  # noqa: PLW0108 - plans change
            clock=lambda: self.now,
            keep_seconds=400 * 86_400,
            model_limit=lambda: self.config.limits.models,
        )
        self.loop = asyncio.new_event_loop()
        self.keeper = Keeper(
            self.db,
            self.engine,
            plans=lambda: self.plans,
            pane_seconds=self.config.pane.seconds,
            retention=Retention(),
            clock=lambda: self.now,
            acknowledge=lambda _: None,
            connected=tuple,
        )
        self.refresh()

    def use(self, config: Config) -> None:
        """What a reload does."""
        self.plans = Plans(config)
        self.engine.replan()

    def send(self, **columns) -> None:
        """Send a batch of the model KEY."""
        line = Line(project_id="p", model_id="m", columns=Batch(**columns))
        self.engine.take_batch(line, "socket")

    def commit(self) -> bool:
        return self.loop.run_until_complete(self.keeper.commit())

    def refresh(self) -> None:
        self.loop.run_until_complete(self.keeper.refresh())

    def upkeep(self, retention: Retention) -> None:
        """What is done every hour."""
        self.keeper._retention = retention
        self.keeper._upkeep()

    def page(self, *collectors) -> str:
        """The exposition of all models, and of more collectors."""
        models = Models(lambda: self.engine.views, self.plans.judging_of, lambda: self.now)
        collectors = (models, *collectors)
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
        self.keeper.close()
        self.loop.close()
