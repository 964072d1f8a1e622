"""Outcomes through the pipeline and the database, compared with scikit-learn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.offline import KEY, NOW, Offline
from support.outcomes import (
    binary,
    multiclass,
    outcome,
    sklearn_binary,
    sklearn_multiclass,
    sklearn_values,
)

from mlguard_sidecar.config import BaselineConfig, Config, Limits, ModelConfig, OutcomesConfig
from mlguard_sidecar.histogram.values import INVALID
from mlguard_sidecar.outcomes import Tally, quality_of
from mlguard_sidecar.store import Retention, store_bytes
from mlguard_sidecar.store.id_retention import fair_level
from mlguard_sidecar.store.size import table_bytes
from mlguard_sidecar.training_data import ReadOptions, read_records
from mlguard_sidecar.wire import Line, RejectedError, decode_line
from mlguard_sidecar.wire.messages import Batch
from mlguard_sidecar.wire.prediction_ids import read_id

RNG = np.random.default_rng(7)


@pytest.fixture
def offline(tmp_path):
    made = Offline(tmp_path)
    yield made
    made.close()


def send(offline, **fields):
    receipt = offline.pipeline.submit_outcomes(outcome(**fields), "socket")
    offline.commit()
    offline.move()
    return receipt


def quality(offline, window="24h") -> dict:
    return {
        name.removeprefix("quality_"): value
        for (name, *labels), value in offline.figures().items()
        if name.startswith("quality_") and labels == [window]
    }


def count(offline, name, *labels):
    return offline.figures().get((name, *labels), 0)


def assert_equal(found: dict, expected: dict) -> None:
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-12, abs=1e-12), name


def test_binary_quality_is_scikit_learns(offline):
    truth, predicted, score = binary(RNG, 500)
    ids = [f"id-{i}" for i in range(500)]
    offline.send(id=ids, y_pred=predicted, y_proba=score)
    offline.commit()
    order = RNG.permutation(500)
    for part in np.array_split(order, 3):
        offline.now += 600
        send(offline, id=[ids[i] for i in part], y_true=[truth[i] for i in part])
    assert_equal(quality(offline), sklearn_binary(truth, predicted, score))
    assert count(offline, "outcomes_total") == 500
    assert count(offline, "outcome_coverage_ratio") == 1
    assert count(offline, "quality_correct_total") == sum(np.equal(truth, predicted))


def test_multiclass_quality_is_scikit_learns(offline):
    names = ["cat", "dog", "eel", "fox"]
    truth, predicted, probas = multiclass(RNG, 400, names)
    offline.send(id=list(range(400)), y_pred=predicted, y_proba=probas)
    send(offline, id=list(range(400)), y_true=truth)
    assert_equal(quality(offline), sklearn_multiclass(truth, predicted, probas, names))


def test_errors_of_values_are_scikit_learns(offline):
    predicted = RNG.normal(100, 20, 300).tolist()
    truth = (np.array(predicted) + RNG.normal(0, 3, 300)).tolist()
    offline.send(id=list(range(300)), y_pred=predicted)
    send(offline, id=list(range(300)), y_true=truth)
    found = quality(offline)
    assert_equal(found, sklearn_values(truth, predicted))
    assert "accuracy" not in found


def test_everything_survives_a_restart(tmp_path):
    offline = Offline(tmp_path)
    truth, predicted, score = binary(RNG, 200)
    ids = list(range(200))
    offline.send(id=ids, y_pred=predicted, y_proba=score)
    send(offline, id=ids[:80], y_true=truth[:80])
    figures = offline.figures()
    offline.close()
    offline = Offline(tmp_path)
    assert offline.figures() == figures
    send(offline, id=ids, y_true=truth)  # of which 80 come again
    assert_equal(quality(offline), sklearn_binary(truth, predicted, score))
    assert count(offline, "outcomes_uncounted_total", "repeated") == 80
    offline.close()


def test_quality_moves_with_its_window_and_days_go_by_the_prediction(offline):
    made, day = offline.now - 3 * 86_400, 86_400
    offline.send(id=list(range(40)), timestamp=[made] * 40, y_pred=[1, 0] * 20)
    offline.commit()
    offline.now += 600
    send(offline, id=list(range(20)), y_true=[1] * 20)
    offline.now += 25 * 3600
    send(offline, id=list(range(20, 30)), y_true=[1, 0] * 5)
    assert quality(offline)["outcomes"] == 10
    assert quality(offline)["accuracy"] == 1
    assert quality(offline, "7d")["accuracy"] == 20 / 30
    assert count(offline, "outcome_coverage_ratio") == 30 / 40
    days = offline.loop.run_until_complete(
        offline.store.days.outcomes(KEY, 0, int(offline.now) + day)
    )
    assert list(days.panes) == [made // day * day]
    of_day = quality_of(
        days.panes[made // day * day],
        days.classes,
        positive=None,
        are_values=False,
    )
    assert (of_day.outcomes, of_day.covered, of_day.predictions) == (30, 30, 40)
    assert of_day.accuracy == 20 / 30


def test_sums_are_the_same_after_compaction(offline):
    offline.send(id=list(range(60)), y_pred=[1, 0, 1] * 20)
    offline.commit()
    for i in range(0, 60, 20):
        offline.now += 3700
        send(offline, id=list(range(i, i + 20)), y_true=[1] * 20)
    before = quality(offline, "7d")
    offline.now += 30 * 3600
    offline.compact(Retention())
    assert quality(offline, "7d") == pytest.approx(before)
    assert offline.registry.views[KEY].outcomes.total.counts[Tally.OUTCOMES] == 60


def test_the_oldest_ids_go_first(tmp_path):
    offline = Offline(tmp_path, Config(outcomes=OutcomesConfig(max_ids=10)))
    for i in range(0, 30, 5):
        offline.send(id=list(range(i, i + 5)), y_pred=[1] * 5)
        offline.commit()
    send(offline, id=list(range(30)), y_true=[1] * 30)
    assert count(offline, "outcomes_total") == 10
    assert count(offline, "outcomes_uncounted_total", "unknown_id") == 20
    assert offline.counts["outcome_ids_dropped", "full"] == 20
    assert offline.db.execute("SELECT count(*) FROM prediction").fetchone() == (10,)
    offline.send(id=list(range(100, 110)), y_pred=[1] * 10)  # they replace ids with outcomes
    offline.commit()
    assert offline.counts["outcome_ids_dropped", "full"] == 20
    assert offline.counts["outcome_ids_dropped", "used"] == 10
    offline.close()


def test_old_ids_expire_and_all_may_take_half_of_the_database(offline):
    offline.send(id=["a", "b"], timestamp=[NOW - 31 * 86_400, NOW], y_pred=[1, 1])
    offline.commit()
    offline.compact(Retention())
    offline.commit()
    assert offline.counts["outcome_ids_dropped", "expired"] == 1
    for i in range(20):
        offline.now += 60
        offline.send(id=[f"{i}-{n}" for n in range(100)], y_pred=[1] * 100)
        offline.commit()
    offline.compact(Retention(max_bytes=200_000))
    offline.commit()
    (left,) = offline.db.execute("SELECT count(*) FROM prediction").fetchone()
    assert 900 < left < 1500
    assert table_bytes(offline.db, "prediction") <= 100_000
    assert offline.counts["outcome_ids_dropped", "store_full"] == 2001 - left
    send(offline, id="19-99", y_true=1)  # the newest are kept
    assert count(offline, "outcomes_total") == 1


def many(offline, model: str, names: list[str], **columns) -> None:
    batch = Batch(y_pred=["c1"] * len(names), id=names, **columns)
    offline.pipeline.submit_batch(Line(project_id="p", model_id=model, columns=batch), "socket")
    offline.commit()


def kept(offline) -> dict[str, int]:
    """Model -> its predictions that are kept."""
    rows = offline.db.execute(
        "SELECT model.model, count(*) FROM prediction JOIN model ON model.id = prediction.model"
        " GROUP BY 1"
    )
    return dict(rows.fetchall())


@pytest.mark.parametrize("share", [1, 0.5])
def test_no_history_is_deleted_for_ids(tmp_path, share):
    offline = Offline(tmp_path, Config(baseline=BaselineConfig(events=0)))
    scores = {f"c{i}": 0.04 for i in range(25)}
    for day in range(30):
        offline.now = NOW + day * 86_400
        names = [f"{day}-{i}" for i in range(300)]
        many(offline, "m", names, y_proba=[scores] * 300)
        truths = names[: int(300 * share)]
        offline.pipeline.submit_outcomes(outcome(id=truths, y_true=["c1"] * len(truths)), "socket")
        offline.commit()
    offline.record()
    taken = table_bytes(offline.db, "prediction")
    before = len(offline.days())
    limit = 2 * max(1_000_000, store_bytes(offline.db) - taken + 100_000)
    offline.compact(Retention(max_bytes=limit))
    offline.commit()
    assert len(offline.days()) == before
    left = table_bytes(offline.db, "prediction")
    full = offline.counts["outcome_ids_dropped", "store_full"]
    if share == 1:  # an ID whose outcome has come takes little
        assert left == taken
        assert full == 0
    else:
        assert limit * 0.4 < left <= limit / 2  # no more than had to go
        assert full
    offline.close()


def test_the_ids_of_the_model_with_most_go_and_no_more_than_must(offline):
    for hour in range(5):
        offline.now += 3600
        many(offline, "quiet", [f"{hour}-{i}" for i in range(100)])
    for j in range(10):
        offline.now += 60
        many(offline, "noisy", [f"{j}-{i}" for i in range(2000)])
    share = int(table_bytes(offline.db, "prediction") * 0.9)
    offline.compact(Retention(max_bytes=2 * share))
    found = kept(offline)
    assert found["quiet"] == 500
    assert 16_000 < found["noisy"] <= 18_000
    assert table_bytes(offline.db, "prediction") <= share
    offline.now -= 30
    offline.compact(Retention(max_bytes=2 * share))
    assert kept(offline) == found


@given(st.lists(st.floats(0, 1e9), max_size=8), st.floats(0, 1))
def test_the_largest_are_cut_to_one_level_and_no_further(sizes, ratio):
    total = sum(sizes) * ratio
    level = fair_level(sizes, total)
    assert sum(min(size, level) for size in sizes) == pytest.approx(total) or ratio == 1


@given(st.integers(-(2**53), 2**53), st.integers(1, 3))
def test_a_whole_number_has_one_id_in_any_form(number, zeros):
    forms = [number, float(number), str(number), str(number) + "." + "0" * zeros]
    forms += [repr(float(number))] if abs(number) < 10**16 else []
    assert {read_id(form) for form in forms} == {str(number)}


@pytest.mark.parametrize("text", ["017.0", "17.00x", "1.50", "v1.0", "1.0.0", ".0", "1e3", "+1.0"])
def test_a_text_that_is_no_plain_whole_number_is_an_id_of_its_own(text):
    assert read_id(text) == text


def test_a_csv_of_pandas_with_gaps_finds_the_predictions(offline, tmp_path):
    offline.send(id=[17, 18], y_pred=["a", "b"])
    frame = tmp_path / "truths.csv"
    frame.write_text("id,y_true\n17.0,a\n,b\n18.0,b\n")
    for part in read_records(frame, ReadOptions(), ["id", "y_true"]):
        send(offline, id=list(part.columns["id"]), y_true=list(part.columns["y_true"]))
    assert count(offline, "outcomes_total") == 2


def test_outcomes_that_are_large_are_committed_at_once(offline):
    scores = {f"class {i}": 0.001 for i in range(1000)}
    line = outcome(id=["a"], y_true=[1], y_pred=[1], y_proba=[scores])
    offline.pipeline.submit_outcomes(line, "socket", size=20_000)
    assert not offline.registry.is_full
    for i in range(500):
        line = outcome(id=[i], y_true=[1], y_pred=[1], y_proba=[scores])
        offline.pipeline.submit_outcomes(line, "socket", size=20_000)
    assert offline.registry.is_full
    offline.commit()
    assert not offline.registry.is_full
    assert count(offline, "outcomes_total") == 501


def test_an_id_counts_once(offline):
    offline.send(id=["a", "a", "b"], y_pred=[1, 0, 1])
    send(offline, id=["a", "a", "b"], y_true=[1, 0, 0])
    send(offline, id="a", y_true=0)
    send(offline, id="c", y_true=1, y_pred=1)
    send(offline, id="c", y_true=0, y_pred=1)
    offline.send(id=["a", "c"], y_pred=[0, 0])
    offline.commit()
    assert count(offline, "outcomes_total") == 3
    assert count(offline, "quality_correct_total") == 2  # the first prediction of a counts
    assert count(offline, "outcomes_uncounted_total", "repeated") == 3
    assert offline.counts["outcome_ids_dropped", "repeated"] == 3


def test_ids_are_texts_or_whole_numbers(offline):
    offline.send(id=["7", 8, 9.0, None, "x" * 129, "a\nb", 0.5, "ü"], y_pred=[1] * 8)
    offline.commit()
    assert offline.counts["invalid_values", "socket", "bad_prediction_id"] == 3
    good = [7, "8", 9, "ü"]
    send(offline, id=good, y_true=[1] * 4)
    assert count(offline, "outcomes_total") == 4
    bad = [None, "", True, float("nan"), float("inf"), 10**200, "\x00", "x" * 129, INVALID]
    receipt = send(offline, id=bad, y_true=[1] * len(bad))
    assert (receipt.accepted, receipt.rejected_rows) == (0, len(bad))


@pytest.mark.parametrize("truth", [None, "", float("nan"), INVALID])
def test_a_truth_that_is_missing_is_rejected(offline, truth):
    offline.send(id=["a"], y_pred=[1])
    receipt = send(offline, id="a", y_true=truth)
    assert [each.reason for each in receipt.rejections()] == ["bad_outcome"]


def test_outcomes_do_not_begin_models_without_predictions(offline):
    receipt = send(offline, project="new", id=["a", "b"], y_true=[1, 1])
    assert {each.reason for each in receipt.rejections()} == {"unknown_model"}
    assert offline.db.execute("SELECT count(*) FROM model").fetchone() == (0,)
    assert send(offline, project="new", id="a", y_true=1, y_pred=1).accepted == 1
    assert send(offline, project="__other__", model="__other__", id="a", y_true=1).accepted == 0


def test_a_prediction_without_a_value_has_no_quality(offline):
    offline.send(id=["a", "b"], y_pred=[None, 1])
    send(offline, id=["a", "b"], y_true=[1, 1])
    assert count(offline, "outcomes_total") == 1
    assert count(offline, "outcomes_uncounted_total", "no_prediction") == 1
    assert count(offline, "outcome_coverage_ratio") == 1


def test_a_truth_of_another_kind_costs_itself(offline):
    offline.send(id=["a", "b"], y_pred=[1.5, 2.5])
    send(offline, id=["a", "b"], y_true=["late", 3])
    assert count(offline, "outcomes_uncounted_total", "wrong_kind") == 1
    assert quality(offline)["absolute_error_mean"] == 0.5


def test_numbers_that_were_taken_for_classes_have_errors_too(offline):
    offline.send(id=[1, 2], y_pred=[10, 20])
    send(offline, id=[1, 2], y_true=[11, 20])
    assert quality(offline)["accuracy"] == 0.5
    offline.send(id=[3], y_pred=[0.5])
    send(offline, id=[3], y_true=[0.5])
    found = quality(offline)
    assert "accuracy" not in found
    assert found["absolute_error_mean"] == pytest.approx(1 / 3)


def test_huge_numbers_and_texts_are_stored(offline):
    values = [10**30, -(10**300), "long" * 1000, "9" * 5000, "é" * 200, 2**64]
    offline.send(id=list(range(len(values))), y_pred=values)
    send(offline, id=list(range(len(values))), y_true=values)
    assert count(offline, "quality_correct_total") == len(values)


def test_the_positive_class_is_configured(tmp_path):
    config = Config(models=[ModelConfig(project="p", model="m", positive_class=False)])
    offline = Offline(tmp_path, config)
    offline.send(id=[1, 2, 3, 4], y_pred=[0, 0, 1, 1], y_proba=[0.9, 0.8, 0.3, 0.1])
    send(offline, id=[1, 2, 3, 4], y_true=[False, True, True, False])
    found = quality(offline)
    assert (found["precision"], found["recall"]) == (0.5, 0.5)
    assert found["positive_score_mean"] == pytest.approx(0.525)
    assert found["positive_ratio"] == 0.5
    expected = [0.1**2, 0.8**2, 0.3**2, 0.9**2]
    assert found["brier_score"] == pytest.approx(np.mean(expected))
    offline.close()


def test_a_commit_that_fails_is_joined_again_and_counted_once(offline):
    offline.send(id=["a", "a", "b"], y_pred=[1, 0, 1])
    offline.commit()
    offline.db.execute("ALTER TABLE counter RENAME TO gone")
    offline.send(id=["a", "c"], y_pred=[0, 1])
    offline.pipeline.submit_outcomes(outcome(id=["a", "c"], y_true=[1, 1]), "socket")
    assert not offline.commit()
    assert count(offline, "outcomes_total") == 0
    offline.db.execute("ALTER TABLE gone RENAME TO counter")
    assert offline.commit()
    assert count(offline, "outcomes_total") == 2
    assert offline.counts["outcome_ids_dropped", "repeated"] == 2


def test_a_model_is_erased_with_its_ids(offline):
    offline.send(id=["a"], y_pred=[1])
    send(offline, id="a", y_true=1)
    assert offline.loop.run_until_complete(offline.store.forget(KEY))
    offline.registry.erase(KEY)
    for table in ("prediction", "outcome_class", "pane"):
        assert offline.db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_models_beyond_the_limit_keep_no_ids(tmp_path):
    offline = Offline(tmp_path, Config(limits=Limits(models=1)))
    offline.send(id=["a"], y_pred=[1])
    offline.send_events(Line(project_id="p", model_id="n", y_pred=1, id="a"))
    offline.commit()
    assert offline.db.execute("SELECT count(*) FROM prediction").fetchone() == (1,)
    assert send(offline, model="n", id="a", y_true=1).accepted == 0
    offline.close()


def test_a_retired_model_still_gets_its_truths(tmp_path):
    offline = Offline(tmp_path, Config(limits=Limits(models=1)))
    offline.send(id=["a"], y_pred=[1])
    offline.commit()
    offline.now += 2 * 86_400
    offline.send_events(Line(project_id="p", model_id="n", y_pred=1))
    offline.commit()
    offline.now += 2 * 86_400
    send(offline, id="a", y_true=1)
    assert count(offline, "outcomes_total") == 1
    offline.close()


def test_the_days_of_a_retired_model_stay_what_they_were(tmp_path):
    offline = Offline(tmp_path, Config(limits=Limits(models=1), baseline=BaselineConfig(events=50)))
    values = [int(v) for v in RNG.integers(0, 10_000, 200)]  # whole, but not classes
    offline.send(id=list(range(200)), y_pred=values)
    send(offline, id=list(range(200)), y_true=[v + 3 for v in values])

    def days():
        return offline.loop.run_until_complete(offline.recorder.quality(KEY, 30))

    before = days()
    assert [day.absolute_error.mean for day in before.values()] == [3]
    offline.now += 2 * 86_400
    offline.send_events(Line(project_id="p", model_id="n", y_pred=1))
    offline.commit()
    assert KEY not in offline.registry.views
    assert days() == before
    offline.close()


def test_whole_values_are_values_where_that_is_configured(tmp_path):
    config = Config(models=[ModelConfig(project="p", model="m", prediction="value")])
    offline = Offline(tmp_path, config)
    send(offline, id=[1, 2], y_true=[3, 5], y_pred=[4, 7])  # no events of the model at all
    assert quality(offline)["absolute_error_mean"] == 1.5
    offline.close()


TEXTS = st.one_of(
    st.text(st.characters(categories=None), max_size=4),  # lone surrogates too
    st.sampled_from(
        ["\ud800", "\udc80", "a\udfff", "1e999", "true", "__other__", "nan", "1" * 500]
    ),
)
NUMBERS = st.one_of(st.floats(), st.integers(), st.sampled_from([2**63, -(2**63), 10**400]))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
OUTCOMES = st.one_of(
    st.fixed_dictionaries(dict.fromkeys(("id", "y_true", "y_pred", "y_proba"), JSON)),
    st.integers(1, 4).flatmap(
        lambda n: st.fixed_dictionaries(
            {
                "id": st.lists(st.one_of(st.sampled_from(["1", 2]), JSON), min_size=n, max_size=n),
                **dict.fromkeys(
                    ("y_true", "y_pred", "y_proba"), st.lists(JSON, min_size=n, max_size=n)
                ),
            }
        )
    ),
)
EVENTS = st.fixed_dictionaries(
    {"id": st.one_of(st.just("1"), JSON), "y_pred": JSON, "y_proba": JSON}
)


def submit(offline, tree) -> None:
    """Send a line as the socket does."""
    raw = json.dumps({"project_id": "p", "model_id": "m", **tree}).encode()
    try:
        line = decode_line(raw)
    except RejectedError as error:
        offline.pipeline.reject(error, "socket")
        return
    if line.outcome is None:
        offline.pipeline.submit_events([line], "socket")
    else:
        offline.pipeline.submit_outcomes(line, "socket")


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.one_of(OUTCOMES.map(lambda o: {"outcome": o}), EVENTS), max_size=4))
@example([{"outcome": {"id": "x", "y_true": "\ud800", "y_pred": "\udfff"}}])
@example([{"outcome": {"id": ["x"], "y_true": ["a"], "y_pred": ["a"], "y_proba": [{"\ud800": 1}]}}])
def test_no_text_of_an_outcome_costs_others_their_events(offline, trees):
    views, counts = offline.registry.views, offline.counts
    before = views[KEY].traffic.rows if KEY in views else 0
    internal = counts["events_rejected", "socket", "internal"]
    for tree in trees:
        submit(offline, tree)
    offline.send(y_pred=["a", "b"])
    assert offline.commit()
    assert counts["events_rejected", "socket", "internal"] == internal
    added = views[KEY].traffic.rows - before
    assert added == 2 + sum("outcome" not in tree for tree in trees)
    offline.page()
