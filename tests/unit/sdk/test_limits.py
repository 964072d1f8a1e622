"""Full queues, long lines, wide tables: what does not fit is split or dropped, and counted."""

import gc
import time
import tracemalloc
from itertools import count

import numpy as np
import pandas as pd
import pytest
from unit.sdk.fake_sidecar import eventually

from mlguard import Stats

LINE_LIMIT = 1_048_576


def test_a_full_queue_drops_the_newest(make_guard, sidecar, caplog):
    sidecar.acks = False
    guard = make_guard(queue_size=500)
    wide = {"text": "x" * 4_000}
    # The unacknowledged batches fill up first, and then the queue.
    logged = next(n for n in count(1) if not guard.log(features=wide, y_pred=n))
    while guard.log(features=wide, y_pred=logged):
        logged += 1
    taken = logged - 1
    for _ in range(9):
        assert not guard.log(features=wide, y_pred="late")
    dropped = guard.stats().dropped
    assert guard.stats().dropped_by_reason == {"queue_full": dropped}
    sidecar.acknowledge()
    assert guard.flush(10)
    numbers = sidecar.column("y_pred")
    assert "late" not in numbers
    assert len(numbers) == guard.stats().acknowledged >= taken - 1
    assert numbers == sorted(numbers)
    warnings = [record for record in caplog.records if "queue_full" in record.getMessage()]
    assert len(warnings) == 1
    eventually(lambda: sum(sidecar.dropped) == dropped)


def test_the_host_s_memory_does_not_grow_while_nothing_is_acknowledged(make_guard, sidecar):
    sidecar.acks = False
    guard = make_guard(queue_size=100)
    for _ in range(30_000):
        guard.log(features={"text": "x" * 1_000})
    eventually(lambda: guard.stats().queued == 100)
    held = guard.stats().sent
    assert held * 1_000 <= 8 * 1_048_576 + LINE_LIMIT
    assert guard.stats().dropped == 30_000 - held - 100
    sidecar.acknowledge()
    assert guard.flush(10)
    assert guard.stats().acknowledged == held + 100


def test_logging_never_waits_for_the_sidecar(make_guard, sidecar):
    sidecar.reads = False
    guard = make_guard(queue_size=100)
    slowest = 0.0
    for _ in range(20_000):
        began = time.perf_counter()
        guard.log(features={"text": "x" * 1_000})
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 0.5  # a turn of another thread, not of the sidecar


def test_calls_that_leave_nothing_to_send_do_not_pile_up(make_guard, sidecar):
    sidecar.acks = False
    guard = make_guard()
    guard.log(y_pred=1)
    eventually(lambda: guard.stats().sent == 1)
    tracemalloc.start()
    try:
        for calls in (500, 3_000):
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(calls):
                assert not guard.flush(0)
                assert guard.log_batch(y_pred=[])
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000
    sidecar.acknowledge()
    assert guard.flush()


def test_lines_stay_within_a_mebibyte(guard, sidecar):
    for number in range(1_000):
        guard.log(features={f"name{n}": number + n / 7 for n in range(200)}, y_pred=number)
    assert guard.flush(10)
    assert sidecar.column("y_pred") == list(range(1_000))
    assert 1 < len(sidecar.lines) < 12
    assert max(map(len, sidecar.lines)) <= LINE_LIMIT


def test_a_line_may_be_exactly_a_mebibyte(guard, sidecar):
    guard.log(features={"a": ""}, timestamp=1.0)
    assert guard.flush()
    (short,) = sidecar.lines
    # Room is left for the largest number, so that a line's fate does not depend on it.
    spare = LINE_LIMIT - len(short) - (19 - 1)
    guard.log(features={"a": "x" * spare}, timestamp=1.0)
    guard.log(features={"a": "x" * (spare + 1)}, timestamp=1.0)
    assert guard.flush()
    assert [len(value) for value in sidecar.feature("a")] == [0, spare]
    assert guard.stats().dropped_by_reason == {"too_large": 1}


def test_an_event_that_is_too_large_costs_no_other(guard, sidecar):
    for number in range(100):
        guard.log(y_pred="x" * LINE_LIMIT if number == 50 else number)
    assert guard.flush()
    assert sidecar.column("y_pred") == [n for n in range(100) if n != 50]
    assert guard.stats() == Stats(0, 99, 99, 1, {"too_large": 1})


def names_in(batch):
    return list(batch["columns"]["features"])


def test_features_beyond_512_are_left_out_of_each_event(guard, sidecar, caplog):
    for features in (512, 513, 700, 3):
        guard.log(features={f"f{n}": n for n in range(features)}, y_pred=features)
    assert guard.flush()
    assert sidecar.column("y_pred") == [512, 513, 700, 3]
    assert all(set(names_in(batch)) <= {f"f{n}" for n in range(512)} for batch in sidecar.batches)
    assert sidecar.feature("f511") == [511, 511, 511, None]
    assert guard.stats() == Stats(0, 4, 4, 0, {})
    (record,) = caplog.records
    assert "the first 512 of each event are sent" in record.getMessage()
    assert "'f512'" in record.getMessage()


@pytest.mark.parametrize(
    "make",
    [
        lambda n: {f"x{i}": [1, 2] for i in range(n)},
        lambda n: [{f"x{i}": 1 for i in range(n)}] * 2,
        lambda n: np.ones((2, n)),
        lambda n: pd.DataFrame(np.ones((2, n)), columns=[f"x{i}" for i in range(n)]),
    ],
    ids=["columns", "records", "matrix", "frame"],
)
def test_columns_beyond_512_are_left_out(guard, sidecar, caplog, make):
    assert guard.log_batch(features=make(512), y_pred=[1, 2])
    assert guard.flush()
    assert caplog.records == []
    assert guard.log_batch(features=make(600), y_pred=[1, 2])
    assert guard.log_batch(features=make(513), y_pred=[1, 2])
    assert guard.flush()
    assert sidecar.events == 6
    assert all(names_in(batch) == [f"x{n}" for n in range(512)] for batch in sidecar.batches)
    assert guard.stats() == Stats(0, 6, 6, 0, {})
    (record,) = caplog.records
    assert "600 features" in record.getMessage()
    assert "'x512'" in record.getMessage()


def test_events_of_differing_features_are_split_until_each_line_has_at_most_512(guard, sidecar):
    for number in range(64):
        guard.log(features={f"{number}-{n}": n for n in range(100)}, y_pred=number)
    assert guard.flush()
    assert sidecar.column("y_pred") == list(range(64))
    assert max(len(batch["columns"]["features"]) for batch in sidecar.batches) <= 512
    assert guard.stats().dropped == 0
