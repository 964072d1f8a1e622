"""The exporter's reading and its figures, under a clock that is set by hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Self

import yaml

from mlguard_common.config import load_config
from mlguard_common.database import open_database
from mlguard_exporter.config import Config, CostConfig
from mlguard_exporter.exposition import SpendCollector
from mlguard_exporter.polling import CostPoller
from mlguard_exporter.spend import Costs, CostSeries, Kind
from mlguard_exporter.spend.cost_store import CostStore, StoredCost
from mlguard_exporter.store import DATABASE, MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any, TypeVar

    from sqlite_utils import Database

    T = TypeVar("T")

Labels = dict[str, str]


class Spending:
    """What the daemon does with spend, without its listener and its waiting.

    Args:
        folder: of the database.
        now: the time, with a zone; see `at`.
        cost: what stands under `cost` in a configuration.
    """

    def __init__(self, folder: Path, now: datetime, **cost: Any) -> None:
        self.now = now
        self._folder = folder
        self._settings = {"accounts": [{"name": "main"}]} | cost
        self._loop = asyncio.new_event_loop()
        self._start()

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.db = open_database(self._folder / DATABASE, *MIGRATIONS, shared=True)
        self.cost_store = CostStore(self.db)
        self.cost = self._configured()
        self._collector = SpendCollector(self.cost, self._transact, self._clock)
        self._poller = CostPoller(self.cost, self._transact, self._clock, self._collector.refresh)

    def _configured(self) -> CostConfig:
        path = self._folder / "exporter.yaml"
        path.write_text(yaml.safe_dump({"cost": self._settings}))
        return load_config(path, Config).cost

    def at(self, now: datetime) -> Self:
        """Set the clock."""
        self.now = now.astimezone(UTC)
        return self

    def tick(self) -> float:
        """Read what is due, and make figures; the seconds until the next look."""
        while not (wait := self._loop.run_until_complete(self._poller.tick())):
            pass
        return wait

    def restart(self, **cost: Any) -> None:
        """End, and begin again on the same database, perhaps configured otherwise."""
        self.db.conn.close()
        self._settings |= cost
        self._start()

    def reload(self, **cost: Any) -> None:
        """Take another configuration while running; see `restart`."""
        self._settings |= cost
        self.cost = self._configured()
        self._collector.use(self.cost)
        self._poller.use(self.cost)

    @property
    def snapshot(self):
        """What the last refresh has loaded."""
        return self._collector.snapshot

    def collect(self):
        """Yield what would be shown now."""
        return self._collector.collect()

    def samples(self, name: str) -> list[tuple[Labels, float]]:
        """Samples of a metric as they would be shown now, empty labels left out."""
        return [
            ({k: v for k, v in sample.labels.items() if v}, sample.value)
            for family in self.collect()
            for sample in family.samples
            if sample.name == name
        ]

    def value(self, name: str, **labels: str) -> float | None:
        """The one sample with these labels, perhaps among others; None where there is none."""
        found = [v for have, v in self.samples(name) if labels.items() <= have.items()]
        assert len(found) <= 1, found
        return found[0] if found else None

    def close(self) -> None:
        self.db.conn.close()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _clock(self) -> float:
        return self.now.timestamp()

    async def _transact(self, job: Callable[[Database], T]) -> T:
        with self.db.atomic():
            return job(self.db)


def superseded(db: Database, account: str = "main") -> list[StoredCost]:
    """Amounts as they were known until they were restated, the oldest first."""
    found = db.execute(
        "SELECT day, kind, project, model, endpoint, name, currency, unblended, amortized,"
        " net_unblended, read_at FROM spend_superseded WHERE account = ? ORDER BY superseded_at",
        (account,),
    )
    return [
        StoredCost(
            date.fromisoformat(day),
            CostSeries(Kind(kind), *names),
            Costs(*(c and Decimal(c) for c in (unblended, amortized, net_unblended))),
            read_at,
        )
        for day, kind, *names, unblended, amortized, net_unblended, read_at in found
    ]
