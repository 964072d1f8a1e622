"""Models that give their place to others, come back, and are forgotten."""

from __future__ import annotations

import pytest
from support.offline import NOW, Offline
from support.outcomes import outcome

from mlguard_sidecar.config import BaselineConfig, Config, DriftConfig, Limits
from mlguard_sidecar.histogram import OTHER
from mlguard_sidecar.store import Retention
from mlguard_sidecar.wire import Line, ModelKey

DAY = 86_400


@pytest.fixture
def open_bench(tmp_path):
    """Opens a data path on the same database, for at most three models."""
    opened: list[Offline] = []

    def open_again() -> Offline:
        now = NOW
        if opened:
            now = opened[0].now
            opened.pop().close()
        config = Config(limits=Limits(models=3), baseline=BaselineConfig(events=5))
        opened.append(Offline(tmp_path, config, now))
        return opened[0]

    yield open_again
    for one in opened:
        one.close()


def send(bench: Offline, model: str, n: int = 1) -> None:
    event = {"project_id": "p", "latency_ms": 5.0, "features": {"x": 1.0}, "y_pred": model}
    bench.send_events(*(Line(**event, model_id=model) for _ in range(n)))
    assert bench.commit()


def shown(bench: Offline) -> dict[str, int]:
    return {model.key.model: model.total.rows for model in bench.statistics()}


def retired(bench: Offline) -> int:
    return bench.counts["models_retired",]


def test_with_a_model_each_night_the_newest_are_shown(open_bench):
    bench = open_bench()
    for night in range(10):
        bench.now = NOW + night * DAY
        send(bench, f"churn_{night}", n=2)
    assert shown(bench) == {"churn_7": 2, "churn_8": 2, "churn_9": 2}
    assert retired(bench) == 7
    bench = open_bench()
    assert shown(bench) == {"churn_7": 2, "churn_8": 2, "churn_9": 2}
    stored = bench.db.execute("SELECT count(*) FROM model WHERE retired").fetchone()
    assert stored == (7,), "their history stays"


def test_a_model_with_events_in_the_last_day_keeps_its_place(open_bench):
    bench = open_bench()
    for model in ("a", "b", "c"):
        send(bench, model)
    bench.now += DAY - 1
    send(bench, "b")
    send(bench, "new", n=4)
    assert shown(bench) == {"a": 1, "b": 2, "c": 1, OTHER: 4}
    bench.now += 1
    send(bench, "new", n=4)
    assert shown(bench) == {"b": 2, "c": 1, OTHER: 4, "new": 4}
    send(bench, "newer")
    assert shown(bench) == {"b": 2, OTHER: 4, "new": 4, "newer": 1}
    send(bench, "newest", n=2)
    assert shown(bench) == {"b": 2, OTHER: 6, "new": 4, "newer": 1}
    assert retired(bench) == 2


@pytest.mark.parametrize("restarted", [False, True])
def test_outcomes_are_activity_as_events_are(open_bench, restarted):
    bench = open_bench()
    for model in ("a", "b", "c"):
        send(bench, model)
    for hour in range(1, 31):
        bench.now = NOW + hour * 3600
        line = outcome(model="a", id=f"{hour}", y_true=1, y_pred=1)
        assert bench.pipeline.submit_outcomes(line, "socket").accepted == 1
        bench.commit()
    bench = open_bench() if restarted else bench
    send(bench, "new")
    send(bench, "newer")
    assert shown(bench) == {"a": 1, "new": 1, "newer": 1}


@pytest.mark.parametrize("restarted", [False, True])
def test_a_model_that_comes_back_goes_on_where_it_was(open_bench, restarted):
    bench = open_bench()
    send(bench, "first", n=7)
    baseline = bench.registry.views[ModelKey("p", "first", "predict")].schema.baseline
    for day, model in enumerate(("a", "b", "c"), start=1):
        bench.now = NOW + day * DAY
        send(bench, model)
    assert "first" not in shown(bench)
    bench.now += DAY
    if restarted:
        bench = open_bench()
    send(bench, "first", n=2)
    assert shown(bench) == {"b": 1, "c": 1, "first": 9}
    view = bench.registry.views[ModelKey("p", "first", "predict")]
    assert view.schema.baseline is not None
    assert baseline is not None
    assert view.schema.baseline.id == baseline.id
    assert view.schema.classes == ("first",)
    assert view.first_seen <= NOW
    bench = open_bench()
    assert shown(bench) == {"b": 1, "c": 1, "first": 9}


def test_a_model_is_forgotten_with_its_last_pane(open_bench):
    bench = open_bench()
    send(bench, "gone", n=7)
    bench.now += 500 * DAY
    send(bench, "here")
    bench.compact(Retention())
    assert shown(bench) == {"here": 1}
    send(bench, "here")
    assert bench.counts["models_forgotten",] == 1
    assert bench.db.execute("SELECT model FROM model").fetchall() == [("here",)]
    assert shown(open_bench()) == {"here": 2}


def test_a_model_whose_events_wait_is_not_forgotten(open_bench):
    bench = open_bench()
    send(bench, "back", n=7)
    bench.now += 500 * DAY
    bench.send_events(Line(project_id="p", model_id="back", y_pred="back"))
    bench.compact(Retention())
    assert bench.commit()
    assert shown(bench) == {"back": 8}
    assert shown(open_bench()) == {"back": 8}


def test_an_event_that_comes_while_its_model_is_forgotten_is_counted(open_bench):
    bench = open_bench()
    send(bench, "back", n=7)
    bench.now += 500 * DAY
    key = ModelKey("p", "back", "predict")
    bench.send_events(Line(project_id="p", model_id="back", y_pred="back"))
    bench.registry.forget_models([key])  # as a compaction that had begun before
    assert bench.commit()
    assert shown(bench) == {"back": 1}
    assert bench.counts["models_forgotten",] == 1


def test_a_clock_that_jumps_retires_no_model_whose_events_wait(open_bench):
    bench = open_bench()
    for model in ("a", "b", "c"):
        send(bench, model)
    bench.send_events(Line(project_id="p", model_id="a"))
    bench.now += 2 * DAY
    bench.send_events(Line(project_id="p", model_id="d"))
    assert bench.commit()
    assert shown(bench) == {"a": 2, "c": 1, "d": 1}


def test_a_retired_model_does_not_come_back_with_a_change_of_its_settings(open_bench):
    bench = open_bench()
    for model in ("a", "b", "c"):
        send(bench, model, n=6)
    bench.now += 2 * DAY
    changed = Config(
        limits=Limits(models=3), baseline=BaselineConfig(events=5), drift=DriftConfig(bins=4)
    )
    bench.use(changed)  # learns each again
    for model in ("d", "e"):
        send(bench, model)
        send(bench, model)
    assert shown(bench).keys() - {OTHER} <= {"a", "b", "c", "d", "e"}
    assert len(shown(bench).keys() - {OTHER}) == 3
    assert len(bench.registry.views.keys() - {ModelKey(OTHER, OTHER, OTHER)}) == 3
    before = shown(bench)
    assert shown(open_bench()) == before


def test_a_lower_limit_is_reached_by_retiring_several(open_bench):
    bench = open_bench()
    for model in ("a", "b", "c"):
        send(bench, model)
    bench.now += 2 * DAY
    bench.use(Config(limits=Limits(models=1), baseline=BaselineConfig(events=5)))
    send(bench, "d")
    assert shown(bench) == {"d": 1}


def test_after_a_restart_a_model_with_late_events_is_not_taken_for_silent(open_bench):
    bench = open_bench()
    for model in ("a", "b", "c"):
        send(bench, model)
    bench.now += 2 * DAY
    old = bench.now - 1.5 * DAY
    bench.send_events(Line(project_id="p", model_id="a", timestamp=old))
    bench.commit()
    bench = open_bench()
    send(bench, "d")
    assert "a" in shown(bench)


def test_only_a_model_that_has_retired_is_looked_for_in_the_database(open_bench, monkeypatch):
    bench = open_bench()
    asked: list[ModelKey] = []
    recall = bench.store.recall
    monkeypatch.setattr(bench.registry, "_recall", lambda key: asked.append(key) or recall(key))
    for model in ("a", "b", "c"):
        send(bench, model)
    bench.now += 2 * DAY
    send(bench, "d")
    assert asked == []
    send(bench, "a")
    assert asked == [ModelKey("p", "a", "predict")]
