"""What a host sees of a Guard: construction, events on the wire, counts."""

import logging
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from unit.sdk.fake_sidecar import eventually

import mlguard
from mlguard import Guard, Stats, sender


def test_public_names_are_these():
    assert mlguard.__all__ == ["Guard", "Observation", "Stats", "__version__"]
    assert mlguard.__version__ == "0.1.0"


def test_names_come_from_the_environment_where_none_are_given(sidecar, monkeypatch):
    monkeypatch.setenv("MLGUARD_PROJECT", "shop")
    monkeypatch.setenv("MLGUARD_MODEL", "churn é")
    monkeypatch.setenv("MLGUARD_ENDPOINT", "score")
    monkeypatch.setenv("MLGUARD_SOCKET", str(sidecar.path))
    with Guard() as guard:
        assert guard.log()
    (batch,) = sidecar.batches
    names = batch["project_id"], batch["model_id"], batch["endpoint"]
    assert names == ("shop", "churn é", "score")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"project": None}, "project is missing: give Guard a project, or set MLGUARD_PROJECT"),
        ({"model": ""}, "model is missing"),
        ({"model": "a\nb"}, "printable"),
        ({"project": "x" * 129}, "1 to 128"),
        ({"endpoint": "\ud800"}, "printable"),
        ({"project": 7}, "printable"),
        ({"queue_size": 0}, "queue_size must be at least 1"),
        ({"flush_seconds": -1}, "flush_seconds must be 0 or more"),
        ({"flush_seconds": float("nan")}, "flush_seconds must be 0 or more"),
    ],
)
def test_invalid_arguments_are_reported_in_one_line(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        Guard(**{"project": "p", "model": "m", **options})
    assert "\n" not in str(caught.value)


def test_names_of_128_characters_are_taken(make_guard):
    make_guard(project="x" * 128)


def test_an_event_arrives_as_it_was_given(guard, sidecar):
    before = time.time()
    assert guard.log(
        features={"age": 29, "balance": 1200.5, "country": "CA", "new": True, "note": None},
        y_pred=1,
        y_proba=0.81,
        latency_ms=42,
    )
    assert guard.flush()
    (batch,) = sidecar.batches
    (stamp,) = batch["columns"].pop("timestamp")
    assert before <= stamp <= time.time()
    assert batch == {
        "project_id": "p",
        "model_id": "m",
        "endpoint": "predict",
        "seq": 1,
        "columns": {
            "latency_ms": [42],
            "y_pred": [1],
            "y_proba": [0.81],
            "features": {
                "age": [29],
                "balance": [1200.5],
                "country": ["CA"],
                "new": [True],
                "note": [None],
            },
        },
    }
    assert sidecar.hellos[0]["version"] == 1
    assert guard.stats() == Stats(0, 1, 1, 0, {})


def test_features_are_copied_when_logged(guard, sidecar):
    features = {"age": 29}
    guard.log(features=features)
    features["age"] = 30
    features["late"] = 1
    assert guard.flush()
    assert sidecar.batches[0]["columns"]["features"] == {"age": [29]}


def test_scores_by_class_are_copied_when_logged(guard, sidecar):
    scores = {"a": 0.25, "b": 0.75}
    guard.log(y_proba=scores)
    guard.log_batch(y_proba=[scores])
    scores["a"] = 1.0
    assert guard.flush()
    assert sidecar.column("y_proba") == [{"a": 0.25, "b": 0.75}] * 2


def test_events_gather_into_one_batch(guard, sidecar):
    for number in range(100):
        guard.log(y_pred=number)
    assert guard.flush()
    assert sidecar.column("y_pred") == list(range(100))
    assert len(sidecar.batches) <= 3


def test_a_full_batch_does_not_wait(guard, sidecar):
    for number in range(2_500):
        guard.log(y_pred=number)
    eventually(lambda: sidecar.events == 2_500)
    assert max(len(batch["columns"]["timestamp"]) for batch in sidecar.batches) == 1_000


def test_columns_without_any_value_are_left_out(guard, sidecar):
    guard.log()
    assert guard.flush()
    assert list(sidecar.batches[0]["columns"]) == ["timestamp"]


def test_events_without_features_are_not_mixed_with_those_that_have_them(guard, sidecar):
    guard.log(features={"a": 1}, y_pred="with")
    guard.log(y_pred="without")
    guard.log(features={}, y_pred="empty")
    guard.log(features={"a": 2}, y_pred="with")
    assert guard.flush()
    by_features = {}
    for batch in sidecar.batches:
        by_features.setdefault("features" in batch["columns"], []).extend(
            batch["columns"]["y_pred"]
        )
    assert by_features == {True: ["with", "with"], False: ["without", "empty"]}


def test_a_feature_that_other_events_have_is_missing(guard, sidecar):
    guard.log(features={"a": 1, "b": 2})
    guard.log(features={"a": 3})
    guard.log(features={"c": 4, "a": 5})
    assert guard.flush()
    (batch,) = sidecar.batches
    assert batch["columns"]["features"] == {
        "a": [1, 3, 5],
        "b": [2, None, None],
        "c": [None, None, 4],
    }


@pytest.mark.parametrize(
    "stamp",
    [
        1767225600,
        1767225600.0,
        np.float64(1767225600),
        datetime(2026, 1, 1),  # noqa: DTZ001 - naive means UTC
        datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        pd.Timestamp("2026-01-01"),
        np.datetime64("2026-01-01T00:00:00.000000000"),
        "2026-01-01T00:00:00Z",
        "2026-01-01 00:00:00",
        "2025-12-31t19:00:00-05:00",
        "2026-01-01T05:30:00.000000000+05:30",
        "2025-12-31T23:59:60Z",
    ],
)
def test_timestamps_of_every_form_become_epoch_seconds(guard, sidecar, stamp):
    guard.log(timestamp=stamp)
    assert guard.flush()
    assert sidecar.column("timestamp") == [1767225600.0]


def test_a_fraction_of_a_second_is_kept(guard, sidecar):
    guard.log(timestamp="2026-01-01T00:00:00.125Z")
    assert guard.flush()
    assert sidecar.column("timestamp") == [1767225600.125]


@pytest.mark.parametrize(
    "stamp",
    [
        *("yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:61Z"),
        *("2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+0"),
        *(float("nan"), float("inf"), 10**400, True, [], pd.NaT),
    ],
)
def test_an_unusable_timestamp_costs_its_event_alone(guard, sidecar, stamp):
    guard.log(y_pred="before", features={"a": 1}, latency_ms=1)
    guard.log(y_pred="bad", features={"a": 2}, latency_ms=2, timestamp=stamp)
    guard.log(y_pred="after", features={"a": 3}, latency_ms=3)
    assert guard.flush()
    assert sidecar.column("y_pred") == ["before", "after"]
    assert sidecar.feature("a") == [1, 3]
    assert guard.stats().dropped_by_reason == {"invalid_timestamp": 1}


def test_features_that_are_no_mapping_are_dropped_and_logged_once(guard, caplog):
    assert not guard.log(features=5)
    assert not guard.log(features=["a", "b"])
    assert guard.stats().dropped_by_reason == {"unusable": 2}
    (record,) = eventually(lambda: caplog.records)
    assert (record.name, record.levelno) == ("mlguard", logging.WARNING)


def test_nothing_is_taken_after_close(guard, sidecar):
    guard.log(y_pred=1)
    assert guard.close()
    assert not guard.log(y_pred=2)
    assert not guard.log_batch(y_pred=[3, 4])
    assert guard.close()
    assert guard.flush()
    assert sidecar.column("y_pred") == [1]
    assert guard.stats() == Stats(0, 1, 1, 3, {"closed": 3})


def test_a_guard_that_never_logged_closes_and_flushes_at_once(make_guard):
    guard = make_guard()
    assert guard.flush()
    assert guard.close()


def test_close_without_a_sidecar_gives_up_in_time_and_accounts_for_all(make_guard):
    guard = make_guard(flush_seconds=0.1)
    for _ in range(10):
        guard.log(y_pred=1)
    guard.log_batch(y_pred=[1] * 2_500)
    began = time.monotonic()
    assert not guard.close()
    assert time.monotonic() - began < 2
    eventually(lambda: guard.stats() == Stats(0, 0, 0, 2_510, {"closed": 2_510}))


def test_a_with_block_delivers_what_it_logged(make_guard, sidecar):
    with make_guard() as guard:
        guard.log(y_pred=1)
    assert sidecar.column("y_pred") == [1]


def test_a_forgotten_guard_delivers_and_ends_its_thread(sidecar):
    guard = Guard("p", "m", socket=sidecar.path)
    guard.log(y_pred=1)
    del guard
    eventually(lambda: sidecar.column("y_pred") == [1])
    eventually(lambda: not any(t.name == "mlguard" for t in threading.enumerate()))


def test_a_process_that_cannot_start_threads_gets_no_error(guard, sidecar, monkeypatch):
    def refuse(_self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert guard.log(y_pred=1)
        assert not guard.flush(0)
        assert guard.stats().queued == 1
    assert guard.log(y_pred=2)
    assert guard.flush()
    assert sidecar.column("y_pred") == [1, 2]


def test_a_flush_that_could_not_start_the_thread_leaves_it_to_the_next_event(
    guard, sidecar, monkeypatch
):
    def refuse(_self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert guard.log(y_pred=1)
        assert not guard.flush(0)
    assert guard.log(y_pred=2)
    eventually(lambda: sidecar.column("y_pred") == [1, 2])


def test_an_interrupt_while_the_thread_starts_leaves_no_second_one(guard, sidecar, monkeypatch):
    start = threading.Thread.start

    def interrupted(thread):
        start(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):  # a signal handler's, and so the host's own
            guard.log(y_pred=1)
    assert guard.log(y_pred=2)
    assert guard.flush()
    assert sidecar.column("y_pred") == [1, 2]
    eventually(lambda: len([t for t in threading.enumerate() if t.name == "mlguard"]) == 1)
    assert guard.stats() == Stats(0, 2, 2, 0, {})


def test_a_value_that_asks_to_exit_does_not_end_the_thread(guard, sidecar, monkeypatch):
    monkeypatch.setattr(sender, "MAX_BACKOFF_SECONDS", 0.05)

    class Leaver:
        def __float__(self):
            raise SystemExit

    guard.log(y_pred=Leaver())
    eventually(lambda: guard.stats().dropped == 1)
    assert guard.log(y_pred=2)
    assert guard.flush(10)
    assert sidecar.column("y_pred") == [2]


def test_no_optional_encoder_is_needed(sidecar, make_guard, monkeypatch):
    monkeypatch.setitem(sys.modules, "orjson", None)
    monkeypatch.setitem(sys.modules, "msgspec", None)
    guard = make_guard()
    guard.log(features={"a": float("nan"), "b": "é\U0001f600"})
    assert guard.flush()
    assert sidecar.batches[0]["columns"]["features"] == {"a": [None], "b": ["é\U0001f600"]}
