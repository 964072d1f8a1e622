"""What callers of the one way in are given back."""

from __future__ import annotations

import asyncio

import pytest
from support.offline import NOW, Offline

from mlguard_sidecar.ingest import CommitFaultError, Rejection
from mlguard_sidecar.models import ModelAccumulator
from mlguard_sidecar.store import Retention, Writer
from mlguard_sidecar.wire import Line, Reason
from mlguard_sidecar.wire.messages import Batch


@pytest.fixture
def bench(tmp_path):
    made = Offline(tmp_path)
    yield made
    made.close()


def event(**fields) -> Line:
    return Line(project_id="p", model_id=fields.pop("model", "m"), **fields)


def reasons(receipt) -> list[tuple[int, str]]:
    return sorted((r.index, r.reason) for r in receipt.rejections())


def invalid(receipt) -> list[tuple[str, int]]:
    return sorted((reason, values) for reason, _, values in receipt.invalid)


def test_a_receipt_says_which_events_are_rejected_and_why(bench):
    receipt = bench.send_events(
        event(latency_ms=1.0),
        event(latency_ms=-1.0),
        event(model="other", y_proba=0.5),
        event(model="", latency_ms=1.0),
        event(latency_ms=2.0, features={"x": 1}),
        event(model="other", timestamp=NOW + 400),
        event(latency_ms=2.0, features={f"f{i}": 1 for i in range(513)}),
        event(y_proba=2.0, features={"x": 1}),
        event(model="other", timestamp="yesterday"),
        event(model="other", timestamp=NOW - 500 * 86_400),
    )
    assert receipt.accepted == 6
    assert receipt.rejected_rows == 4
    assert reasons(receipt) == [
        (3, Reason.BAD_ID),
        (5, Reason.IN_FUTURE),
        (8, Reason.BAD_TIMESTAMP),
        (9, Reason.TOO_OLD),
    ]
    text = "timestamp is no RFC 3339 time and no number"
    assert Rejection(8, Reason.BAD_TIMESTAMP, text) in list(receipt.rejections())
    assert invalid(receipt) == [
        (Reason.BAD_LATENCY, 1),
        (Reason.BAD_PROBA, 1),
        (Reason.TOO_MANY_FEATURES, 1),
    ]
    bench.commit()
    assert bench.counts["events_committed", "socket"] == 6
    assert sum(n for name, n in bench.counts.items() if name[0] == "events_rejected") == 4
    assert sum(n for name, n in bench.counts.items() if name[0] == "invalid_values") == 3


def test_a_batch_s_rows_are_told_apart_and_a_repeated_one_counts_once(bench):
    columns = Batch(latency_ms=[1.0, -1.0, 2.0], y_proba=[0.5, 0.5, 7.0])
    batch = event(seq=3, columns=columns)
    receipt = bench.pipeline.submit_batch(batch, "socket", "c")
    assert (receipt.accepted, receipt.duplicate) == (3, False)
    assert invalid(receipt) == [(Reason.BAD_LATENCY, 1), (Reason.BAD_PROBA, 1)]
    again = bench.pipeline.submit_batch(batch, "socket", "c")
    assert (again.accepted, again.rejected_rows, again.duplicate) == (0, 0, True)
    uneven = event(seq=4, columns=Batch(latency_ms=[1.0], y_proba=[0.5, 0.5]))
    receipt = bench.pipeline.submit_batch(uneven, "socket", "c")
    assert reasons(receipt) == [(0, Reason.UNEVEN_COLUMNS), (1, Reason.UNEVEN_COLUMNS)]


def test_who_waits_begins_a_commit_that_all_share(bench, monkeypatch):
    commits = []
    whole = Writer.commit

    def counted(self, delta) -> None:
        commits.append(delta)
        whole(self, delta)

    monkeypatch.setattr(Writer, "commit", counted)

    async def story() -> None:
        committing = asyncio.create_task(bench.committer.run())
        first = bench.send(latency_ms=[1.0])
        await first.committed()
        begin = len(commits)
        receipts = [bench.send(latency_ms=[1.0]) for _ in range(20)]
        async with asyncio.timeout(0.9):  # less than what is held back while little comes in
            await asyncio.gather(*(receipt.committed() for receipt in receipts))
        assert len(commits) == begin + 1
        assert bench.figures()["inferences_total",] == 21
        await receipts[0].committed()  # is there already
        nothing = bench.send(latency_ms=[-1.0])
        await nothing.committed()
        committing.cancel()

    bench.loop.run_until_complete(story())


def test_who_waits_is_released_only_once_the_database_takes_it(bench):
    bench.db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON counter BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )

    async def story() -> None:
        committing = asyncio.create_task(bench.committer.run())
        waiting = asyncio.create_task(wait())
        while not bench.committer.is_failing:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        assert not waiting.done()
        bench.db.execute("DROP TRIGGER full")
        await waiting
        assert bench.figures()["inferences_total",] == 1
        committing.cancel()

    async def wait() -> None:
        await bench.send(latency_ms=[1.0]).committed()

    bench.loop.run_until_complete(story())


def test_rejected_rows_register_no_class(bench):
    bench.send(y_pred=["a"] * 15 + ["zzz"], timestamp=[NOW] * 15 + [NOW + 900])
    bench.commit()
    (view,) = bench.registry.views.values()
    assert view.schema.classes == ("a",)


def test_a_fault_of_ours_is_no_success_for_who_waits(bench, monkeypatch):
    def faulty(*_) -> None:
        raise RuntimeError("a fault")

    async def story() -> None:
        committing = asyncio.create_task(bench.committer.run())
        monkeypatch.setattr(ModelAccumulator, "fold", faulty)
        receipt = bench.send(latency_ms=[1.0] * 10)
        with pytest.raises(CommitFaultError, match="p/m/predict"):
            await receipt.committed()
        monkeypatch.undo()
        await bench.send(latency_ms=[1.0]).committed()
        with pytest.raises(CommitFaultError):
            await receipt.committed()
        committing.cancel()

    bench.loop.run_until_complete(story())
    assert bench.counts["events_rejected", "socket", "internal"] == 10


def test_who_waits_while_commits_fail_has_them_tried_at_once(bench):
    bench.db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON counter BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )

    async def story() -> None:
        committing = asyncio.create_task(bench.committer.run())
        waiting = [asyncio.create_task(bench.send(latency_ms=[1.0]).committed())]
        while bench.telemetry.store_errors < 4:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        bench.db.execute("DROP TRIGGER full")
        waiting.append(asyncio.create_task(bench.send(latency_ms=[1.0]).committed()))
        async with asyncio.timeout(1):  # the next try by itself would come after 2 s
            await asyncio.gather(*waiting)
        committing.cancel()

    bench.loop.run_until_complete(story())


def test_a_client_that_is_forgotten_while_its_batch_waits_is_not_counted_twice(bench):
    batch = event(seq=1, columns=Batch(latency_ms=[1.0]))
    bench.pipeline.submit_batch(batch, "socket", "c")
    bench.commit()
    bench.now += 8 * 86_400
    late = event(seq=2, columns=Batch(latency_ms=[1.0]))
    assert bench.pipeline.submit_batch(late, "socket", "c").accepted == 1
    bench.compact(Retention())
    bench.commit()
    assert bench.pipeline.submit_batch(late, "socket", "c").duplicate
