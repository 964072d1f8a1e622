"""Baselines that are put and promoted while other things happen."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import numpy as np
import pytest
from support.offline import KEY, Offline

from mlguard_sidecar import baseline, baseline_service
from mlguard_sidecar.baseline import (
    BaselineQuality,
    Binning,
    ColumnSample,
    build,
    dump,
    with_quality,
)
from mlguard_sidecar.baseline_service import BaselineService
from mlguard_sidecar.config import BaselineConfig, Config
from mlguard_sidecar.models import BaselineRefusedError, Chosen, Origin, give, learn_again
from mlguard_sidecar.outcomes import Classes, Judged, sums_of
from mlguard_sidecar.store import Writer

RNG = np.random.default_rng(5)


def made(seed: int, **kept):
    values = np.random.default_rng(seed).normal(size=500)
    return build(
        {"x": ColumnSample.of(values)},
        {},
        samples=500,
        source=f"{seed}.csv",
        created=float(seed),
        default=Binning(),
        **kept,
    )


def with_truths(baseline):
    classes = Classes()
    judged = [Judged("a", "a", None), Judged("b", "a", None)]
    pane = sums_of(judged, classes, positive=None, are_values=False)
    return with_quality(baseline, BaselineQuality(pane, tuple(classes.names)))


class Bench(Offline):
    """A data path with the service of baselines."""

    def __init__(self, folder, events: int = 200) -> None:
        super().__init__(folder, Config(baseline=BaselineConfig(events=events)))
        self.service = BaselineService(
            self.registry, self.committer, self.store, self.settings, self.clock
        )

    def run(self, coroutine):
        """Run while commits go on."""

        async def main():
            committing = asyncio.create_task(self.committer.run())
            try:
                return await coroutine
            finally:
                committing.cancel()

        return self.loop.run_until_complete(main())

    def promote(self, *, dry_run: bool = False):
        return self.run(self.service.promote(KEY, window="24h", day=None, dry_run=dry_run))

    def count(self) -> None:
        self.send(features={"x": RNG.normal(size=1000).tolist()})
        self.commit()
        self.refresh()

    @property
    def baseline(self):
        return self.registry.views[KEY].schema.baseline


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_a_promoted_baseline_keeps_the_quality_and_a_learnt_one_does_not(bench):
    give(bench.registry, KEY, Chosen(with_truths(made(1)), Origin.PUT))
    bench.commit()
    bench.count()
    assert bench.promote(dry_run=True).after.outcomes == 2
    done = bench.promote()
    assert (done.before.outcomes, done.after.outcomes) == (2, 2)
    assert bench.baseline.source == "promoted"
    kept, was = (json.loads(dump(each))["quality"] for each in (bench.baseline, done.before))
    assert kept == was
    bench.refresh()
    assert bench.figures()["baseline_accuracy",] == 0.5
    learn_again(bench.registry, KEY)
    bench.count()
    assert bench.baseline.source == "first_events"
    assert bench.baseline.quality is None


def test_a_put_that_comes_while_a_promotion_is_computed_is_not_overwritten(bench, monkeypatch):
    give(bench.registry, KEY, Chosen(made(1), Origin.PUT))
    bench.commit()
    bench.count()

    def promote(*args, **kwargs):
        bench.loop.call_soon_threadsafe(give, bench.registry, KEY, Chosen(made(2), Origin.PUT))
        return baseline.promote(*args, **kwargs)

    monkeypatch.setattr(baseline_service, "promote", promote)
    with pytest.raises(BaselineRefusedError, match="was replaced meanwhile"):
        bench.promote()
    bench.commit()
    assert bench.baseline.source == "2.csv"


@pytest.mark.parametrize(
    ("events", "text"),
    [(200, "learnt from the next 140 events .*; PUT .*build"), (0, "baseline.events is 0.*PUT")],
)
def test_who_promotes_without_a_baseline_is_told_how_to_get_one(tmp_path, events, text):
    bench = Bench(tmp_path, events)
    bench.send(features={"x": RNG.normal(size=60).tolist()})
    with pytest.raises(BaselineRefusedError, match=f"^p/m/predict has no baseline yet: .*{text}"):
        bench.promote()
    bench.close()


def test_why_a_baseline_is_not_stored_is_what_the_commit_says(bench, monkeypatch):
    async def put():
        return await bench.service.put(KEY, dump(made(1)))

    def refuses(*_):
        raise sqlite3.OperationalError("disk I/O error")

    def fails(*_):
        raise KeyError

    monkeypatch.setattr(baseline_service, "_COMMIT_SECONDS", 0.5)
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "_commit", refuses)
        assert "the database refuses commits" in bench.run(put()).not_stored
    assert bench.commit()
    assert bench.run(put()).not_stored is None
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "_commit_model", fails)
        assert "had an error, which is in the log" in bench.run(put()).not_stored
    bench.count()
    stored = bench.db.execute("SELECT id FROM baseline").fetchall()
    assert stored == [(made(1).id,)]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("what", ["_commit_model", "_commit"])
def test_what_a_baseline_makes_useless_goes_though_its_commit_had_an_error(
    bench, monkeypatch, what, times
):
    def fails(*_):
        raise KeyError

    bench.send(features={"x": RNG.normal(size=150).tolist()})
    bench.commit()
    assert bench.db.execute("SELECT count(*) FROM training_rows").fetchone() == (1,)
    with monkeypatch.context() as patch:
        patch.setattr(Writer, what, fails)
        for _ in range(times):
            bench.send(features={"x": RNG.normal(size=150).tolist()})
            bench.commit()
    bench.commit()
    bench.count()
    assert bench.baseline is not None
    assert bench.db.execute("SELECT count(*) FROM training_rows").fetchone() == (0,)
    unbinned = bench.db.execute("SELECT count(*) FROM pane WHERE binning = ''").fetchone()
    assert unbinned == (0,)
