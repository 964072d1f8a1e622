"""Outcomes and IDs on their way to the sidecar."""

from __future__ import annotations

import uuid

import numpy as np
import pandas as pd
import pytest

from mlguard import Stats

UUID = uuid.UUID(int=7)


def outcomes(sidecar, name):
    """One column of all outcomes that arrived."""
    lines = [each["outcome"] for each in sidecar.batches if "outcome" in each]
    return [value for each in lines for value in each.get(name, [None] * len(each["id"]))]


def test_an_outcome_arrives_in_a_numbered_batch_with_others(guard, sidecar):
    assert guard.log(y_pred=1, y_proba={"0": 0.2, "1": 0.8}, id="a")
    assert guard.outcome("a", 1)
    assert guard.outcome("b", 0, y_pred=1, y_proba={"0": 0.4, "1": 0.6})
    assert guard.flush()
    predictions, truths = sidecar.batches
    assert predictions["columns"]["id"] == ["a"]
    assert truths == {
        "project_id": "p",
        "model_id": "m",
        "endpoint": "predict",
        "seq": predictions["seq"] + 1,
        "outcome": {
            "id": ["a", "b"],
            "y_true": [1, 0],
            "y_pred": [None, 1],
            "y_proba": [None, {"0": 0.4, "1": 0.6}],
        },
    }
    assert guard.stats() == Stats(0, 3, 3, 0, {})


def test_many_outcomes_share_batches(guard, sidecar):
    for i in range(5000):
        guard.outcome(i, i % 2)
    assert guard.flush()
    assert outcomes(sidecar, "id") == list(range(5000))
    assert len(sidecar.batches) < 500


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("text", "text"),
        (17, 17),
        (17.0, 17),
        (2**70, str(2**70)),
        (UUID, str(UUID)),
        (np.int64(3), 3),
        (np.str_("x"), "x"),
        (pd.NA, None),
        (float("nan"), None),
        (True, None),
        (0.5, None),
        (b"x", None),
        (["x"], None),
    ],
)
def test_ids(guard, sidecar, given, sent):
    assert guard.outcome(given, 1)
    assert guard.log(y_pred=1, id=given)
    assert guard.log_batch(y_pred=[1], id=[given])
    assert guard.flush()
    assert outcomes(sidecar, "id") == [sent]
    columns = [each["columns"] for each in sidecar.batches if "columns" in each]
    assert [each.get("id", [None]) for each in columns] == [[sent], [sent]]


@pytest.mark.parametrize(
    ("given", "sent"),
    [(np.float32(0.5), 0.5), (np.bool_(True), True), (None, None), (float("inf"), None)],
)
def test_truths(guard, sidecar, given, sent):
    assert guard.outcome("a", given)
    assert guard.flush()
    assert outcomes(sidecar, "y_true") == [sent]


def test_an_observation_has_an_id(guard, sidecar):
    with guard.observe(features={"x": 1}, id="a"):
        pass
    with guard.observe() as seen:
        seen.id = "b"
    assert guard.flush()
    ids = [name for each in sidecar.batches for name in each["columns"]["id"]]
    assert sorted(ids) == ["a", "b"]


def test_events_without_ids_have_no_such_column(guard, sidecar):
    guard.log(features={"x": 1}, y_pred=1)
    guard.log_batch(features={"x": [1]})
    assert guard.flush()
    assert all("id" not in each["columns"] for each in sidecar.batches)


def test_a_full_queue_and_a_closed_guard_take_no_outcome(make_guard):
    guard = make_guard(queue_size=1)
    assert guard.outcome("a", 1)
    assert not guard.outcome("b", 1)
    guard.close(0)
    assert not guard.outcome("c", 1)
    assert guard.stats().dropped_by_reason["queue_full"] == 1


class Hostile:
    def __getattribute__(self, name):
        raise RuntimeError(name)


def test_what_raises_costs_itself(guard, sidecar):
    guard.outcome(Hostile(), Hostile(), y_pred=Hostile(), y_proba=Hostile())
    guard.outcome("a", 1)
    assert guard.flush()
    assert outcomes(sidecar, "id")[-1] == "a"


def test_rejected_outcomes_are_counted(guard, sidecar):
    def answers(message):
        error = {"reason": "bad_outcome", "message": "why", "rows": 1, "seq": message["seq"]}
        return [{"error": error}]

    sidecar.answers = answers
    guard.outcome(None, 1)
    assert guard.flush()
    assert guard.stats() == Stats(0, 1, 0, 0, {}, 1, {"bad_outcome": 1})


def test_outcomes_too_large_for_a_line_are_split(guard, sidecar):
    for i in range(30):
        guard.outcome(i, "x" * 100_000)
    assert guard.flush()
    assert outcomes(sidecar, "id") == list(range(30))
