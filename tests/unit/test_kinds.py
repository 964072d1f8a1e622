"""What kind a column is: decided from all values, and decided again."""

from __future__ import annotations

import numpy as np
import pytest
from support.offline import KEY, NOW, Offline

from mlguard_sidecar.baseline import Baseline, ColumnSample, decide_feature, decide_prediction
from mlguard_sidecar.config import BaselineConfig, Config, DriftConfig, FeatureConfig, ModelConfig
from mlguard_sidecar.histogram import Kind
from mlguard_sidecar.histogram.values import INVALID
from mlguard_sidecar.models import Prediction, learn_again


@pytest.fixture
def open_bench(tmp_path):
    """Opens a data path on the same database, with a configuration."""
    opened: list[Offline] = []

    def open_again(*, events: int = 50, **model) -> Offline:
        if opened:
            opened.pop().close()
        config = Config(
            baseline=BaselineConfig(events=events),
            models=[ModelConfig(project="p", model="m", **model)] if model else [],
        )
        opened.append(Offline(tmp_path, config))
        return opened[0]

    yield open_again
    for one in opened:
        one.close()


def baseline_of(bench: Offline) -> Baseline:
    found = bench.registry.views[KEY].schema.baseline
    assert found is not None
    return found


def column_of(bench: Offline, name: str):
    return next(c for c in baseline_of(bench).columns if c.column.name == name)


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        ([1.5, 2.5, None], Kind.NUMERIC, "numbers"),
        (["1.5", "2.5", ""], Kind.NUMERIC, "numbers"),
        (["1"] * 95 + ["x"] * 5, Kind.NUMERIC, "numbers"),
        (["1"] * 94 + ["x"] * 6, Kind.CATEGORICAL, "texts and numbers"),
        (["1"] * 94 + ["N/A", "-", "?", "<NA>", "#N/A", " "], Kind.NUMERIC, "numbers"),
        (["1"] * 99 + ["01234"], Kind.CATEGORICAL, "zeros before digits, as in codes"),
        (["0.5", "-0.5", "0", "0e3"], Kind.NUMERIC, "numbers"),
        (["1_000", "2_000"], Kind.CATEGORICAL, "texts"),
        (["\uff11\uff12", "\uff11\uff13"], Kind.CATEGORICAL, "texts"),
        (["NA", "US", "CA"], Kind.CATEGORICAL, "texts"),
        ([True, False, None], Kind.CATEGORICAL, "true and false"),
        (["True", "False", ""], Kind.CATEGORICAL, "true and false"),
        (["unknown"] + [20.5] * 600, Kind.NUMERIC, "numbers"),
        (["2026-01-01", "2026-01-02 10:00:00+02:00"], None, "dates, times or durations"),
        (["0 days 00:05:00", "1 day, 0:00:01", "PT5M"], None, "dates, times or durations"),
        (["[1, 2]", "{'a': 1}", "b'x'"], None, "lists, objects or bytes"),
        ([INVALID, INVALID], None, "lists, objects or bytes"),
        ([None, "", "NA"], None, "no values"),
    ],
)
def test_the_kind_of_a_feature_comes_from_all_values(values, kind, why):
    found = decide_feature(ColumnSample.of(values))
    assert (found.kind, found.why) == (kind, why)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([21, 20.37, 19.9], Kind.NUMERIC),
        ([21, 20, 22], Kind.CATEGORICAL),
        ([0.0, 1.0, 1.0], Kind.CATEGORICAL),
        (["0.0", "1.0"], Kind.CATEGORICAL),
        (list(range(20)), Kind.CATEGORICAL),
        (list(range(21)), Kind.NUMERIC),
        ([True, False], Kind.CATEGORICAL),
        (["a", "b", 1], Kind.CATEGORICAL),
        ([1.5] * 99 + ["error"], Kind.NUMERIC),
        ([None, None], None),
    ],
)
def test_predictions_are_classes_or_values_by_all_of_them(values, kind):
    assert decide_prediction(ColumnSample.of(values)).kind is kind


def test_a_first_value_does_not_decide(open_bench):
    bench = open_bench()
    rng = np.random.default_rng(1)
    bench.send(features={"x": ["unknown"]}, y_pred=[21])
    bench.commit()
    assert bench.registry.views[KEY].schema.prediction is Prediction.CLASS
    for _ in range(7):
        x, y = rng.normal(size=7).tolist(), rng.normal(20, 1, size=7).round(2).tolist()
        bench.send(features={"x": x}, y_pred=y)
        bench.commit()
    assert column_of(bench, "x").column.kind is Kind.NUMERIC
    assert column_of(bench, "y_pred").column.kind is Kind.NUMERIC
    figures = bench.figures()
    assert figures["feature_invalid_ratio", "1h", "x"] == pytest.approx(1 / 50)
    assert not [name for name in figures if name[0] == "predictions_total"]


def test_a_regression_whose_first_values_are_whole_is_one_from_its_first_event_on(open_bench):
    bench = open_bench()
    values = [21, 20, 22, 20.37, 19.5]
    for value in values:
        bench.send(y_pred=[value])
        bench.commit()
    assert bench.registry.views[KEY].schema.prediction is Prediction.VALUE
    figures = bench.figures()
    assert figures["prediction_score_mean", "1h"] == pytest.approx(np.mean(values))
    assert figures["prediction_score_stddev", "1h"] == pytest.approx(np.std(values))
    assert figures["inferences_total",] == 5


def test_a_configured_type_of_predictions_decides(open_bench):
    bench = open_bench(prediction="value")
    bench.send(y_pred=[1, 2, 3] * 20)
    bench.commit()
    assert column_of(bench, "y_pred").column.kind is Kind.NUMERIC
    assert bench.figures()["prediction_score_mean", "1h"] == 2


def test_a_feature_shows_the_kind_of_its_values_before_there_is_a_baseline(open_bench):
    bench = open_bench(events=0)
    bench.send(features={"x": ["unknown", *([2.0] * 99)], "c": ["a", "b", *([1] * 98)]})
    bench.commit()
    figures = bench.figures()
    assert figures["feature_mean", "1h", "x"] == 2
    assert figures["feature_invalid_ratio", "1h", "x"] == 0.01
    assert figures["feature_mean", "1h", "c"] == 1
    bench.send(features={"x": [2.0] * 100, "c": ["a"] * 100})
    bench.commit()
    figures = bench.figures()
    assert figures["feature_invalid_ratio", "1h", "x"] == 0.005
    assert ("feature_mean", "1h", "c") not in figures
    assert figures["feature_invalid_ratio", "1h", "c"] == 0


def test_features_that_are_not_watched_are_named_with_the_reason(open_bench):
    bench = open_bench()
    days = [f"2026-01-{day:02}" for day in range(1, 26)] * 2
    bench.send(
        features={"x": [1.0] * 50, "day": days, "empty": [None] * 50, "tags": [INVALID] * 50}
    )
    bench.commit()
    bench.send(features={"x": [1.0], "new": [2.0]})
    bench.commit()
    (model,) = bench.statistics()
    assert model.not_watched == {
        "day": "dates, times or durations",
        "empty": "no values",
        "tags": "lists, objects or bytes",
        "new": "not in the baseline",
    }


# Mending


def send_normal(bench: Offline, rows: int, seed: int = 1) -> None:
    rng = np.random.default_rng(seed)
    bench.send(features={"x": rng.normal(size=rows).tolist(), "n": [1.0, 2.0] * (rows // 2)})
    bench.commit()


@pytest.mark.parametrize(
    "changed",
    [
        {"features": {"x": FeatureConfig(bins=5)}},
        {"features": {"x": FeatureConfig(method="uniform")}},
        {"features": {"x": FeatureConfig(edges=[-1.0, 0.0, 1.0])}},
        {"features": {"n": FeatureConfig(kind="categorical")}},
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_baseline_is_learnt_again_when_its_binning_changes(
    open_bench, changed, restarted, caplog
):
    bench = open_bench()
    send_normal(bench, 50)
    before = baseline_of(bench)
    if restarted:
        bench = open_bench(**changed)
    else:
        models = [ModelConfig(project="p", model="m", **changed)]
        bench.use(with_changes(bench.config, models=models))
    (name,) = changed["features"]
    assert f"the binning or kind of {name} has changed" in caplog.text
    bench.commit()
    send_normal(bench, 20)
    assert baseline_of(bench).id == before.id, "the old one stays in use until then"
    assert bench.statistics()[0].learning_ratio == 0.4
    bench = open_bench(**changed)  # a restart in the middle does not begin again
    assert bench.statistics()[0].learning_ratio == 0.4
    send_normal(bench, 30)
    assert baseline_of(bench).id != before.id
    assert bench.statistics()[0].learning_ratio is None
    part = column_of(bench, name)
    config = changed["features"][name]
    if config.kind:
        assert part.column.kind is Kind.CATEGORICAL
    else:
        assert len(part.psi_labels) == (4 if config.edges else config.bins or 10)
    assert bench.registry.views[KEY].traffic.rows == 100
    rows = [c.rows for c in bench.statistics()[0].columns if c.column.name == name]
    assert rows == [50, 50], "those of the new bins"


def with_changes(config: Config, **changes) -> Config:
    fields = {name: getattr(config, name) for name in Config.__struct_fields__}
    return Config(**(fields | changes))


def test_what_does_not_concern_the_baseline_s_columns_changes_nothing(open_bench, caplog):
    bench = open_bench()
    send_normal(bench, 50)
    before = baseline_of(bench).id
    bench = open_bench(
        features={"elsewhere": FeatureConfig(bins=5), "x": FeatureConfig(drift=False)}
    )
    bench.commit()
    send_normal(bench, 60)
    assert baseline_of(bench).id == before
    assert "learnt again" not in caplog.text


def test_a_change_that_is_taken_back_ends_the_learning(open_bench):
    bench = open_bench()
    send_normal(bench, 50)
    before = baseline_of(bench).id
    bench = open_bench(features={"x": FeatureConfig(bins=5)})
    bench.commit()
    send_normal(bench, 20)
    bench = open_bench(features={})
    bench.commit()
    send_normal(bench, 60)
    assert baseline_of(bench).id == before
    assert bench.statistics()[0].learning_ratio is None


def test_a_baseline_file_that_goes_away_is_followed_by_a_learnt_one(open_bench, tmp_path, caplog):
    bench = open_bench()
    send_normal(bench, 50)
    learnt = baseline_of(bench)
    file = tmp_path / "given.json"
    file.write_bytes(learnt.body.replace(b'"first_events"', b'"train.csv"'))
    bench = open_bench(baseline=BaselineConfig(file=str(file)))
    bench.commit()
    given = baseline_of(bench).id
    assert given != learnt.id
    bench = open_bench()
    assert "its baseline file is not configured any more" in caplog.text
    bench.commit()
    assert baseline_of(bench).id == given
    send_normal(bench, 50, seed=2)
    assert baseline_of(bench).source == "first_events"
    assert baseline_of(bench).id not in {given, learnt.id}


def test_a_baseline_is_learnt_again_on_request(open_bench):
    bench = open_bench()
    send_normal(bench, 50)
    before = baseline_of(bench).id
    bench.now = NOW + 60
    assert learn_again(bench.registry, KEY) == 50
    bench.commit()
    send_normal(bench, 48, seed=2)
    assert baseline_of(bench).id == before
    send_normal(bench, 2, seed=3)
    assert baseline_of(bench).id != before
    assert baseline_of(bench).samples == 50


def test_smaller_bins_come_from_drift_bins_too(open_bench):
    bench = open_bench()
    send_normal(bench, 50)
    before = baseline_of(bench).id
    bench.use(with_changes(bench.config, drift=DriftConfig(bins=4)))
    bench.commit()
    send_normal(bench, 50, seed=2)
    assert baseline_of(bench).id != before
    assert len(column_of(bench, "x").psi_labels) == 4


def test_a_file_that_comes_back_ends_the_learning_that_its_absence_began(open_bench, tmp_path):
    bench = open_bench()
    send_normal(bench, 50)
    file = tmp_path / "given.json"
    file.write_bytes(baseline_of(bench).body.replace(b'"first_events"', b'"train.csv"'))
    given = {"baseline": BaselineConfig(file=str(file))}
    bench = open_bench(**given)
    bench.commit()
    bench = open_bench()
    bench.commit()
    send_normal(bench, 10, seed=2)
    bench = open_bench(**given)
    bench.commit()
    assert bench.statistics()[0].learning_ratio is None
    send_normal(bench, 60, seed=3)
    assert baseline_of(bench).source == "train.csv"


def test_a_relearning_that_was_asked_for_goes_on_after_a_change_that_is_taken_back(open_bench):
    bench = open_bench()
    send_normal(bench, 50)
    before = baseline_of(bench).id
    bench.now = NOW + 60
    learn_again(bench.registry, KEY)
    bench.commit()
    for changed in ({"x": FeatureConfig(bins=5)}, {}):
        bench = open_bench(features=changed)
        bench.now = NOW + 120
        bench.commit()
    send_normal(bench, 50, seed=2)
    assert baseline_of(bench).id != before


def test_long_texts_of_lists_are_known_as_lists_and_long_numbers_as_numbers(open_bench):
    bench = open_bench()
    embedding = str([i / 7 for i in range(40)])
    number = "0." + "1" * 200
    bench.send(features={"e": [embedding] * 50, "n": [number] * 50, "t": ["x" * 300] * 50})
    bench.commit()
    assert bench.statistics()[0].not_watched == {"e": "lists, objects or bytes"}
    assert column_of(bench, "n").column.kind is Kind.NUMERIC
    assert column_of(bench, "t").column.categories == ("x" * 128,)
