"""Sums of outcomes are scikit-learn's figures, however they are split, for any values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from mlguard_sidecar.baseline import BaselineQuality
from mlguard_sidecar.baseline.quality import quality_from_file, quality_to_file
from mlguard_sidecar.histogram import decode, encode, merge_panes
from mlguard_sidecar.outcomes import (
    MAX_CLASSES,
    Classes,
    Judged,
    Quality,
    Tally,
    accuracy_drop_critical,
    error_rise_critical,
    larger_class,
    pair_place,
    quality_of,
    sums_of,
)

SHARES = st.floats(0, 1)
NUMBERS = st.floats(-1e6, 1e6)
NAMES = [f"class {i}" for i in range(MAX_CLASSES + 5)]


def judge(
    judged: list[Judged], parts: int = 1, *, positive=None, are_values=False
) -> tuple[Quality, Classes]:
    """The quality of outcomes that are counted in parts, stored and merged."""
    classes = Classes()
    panes = [
        decode(encode(sums_of(part, classes, positive=positive, are_values=are_values)))
        for part in (judged[i::parts] for i in range(parts))
    ]
    found = quality_of(merge_panes(panes), classes.names, positive=positive, are_values=are_values)
    return found, classes


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), SHARES), min_size=1, max_size=60),
    st.integers(1, 5),
)
def test_binary(rows, parts):
    truth, predicted, score = zip(*rows, strict=True)
    judged = [Judged(int(t), int(p), s) for t, p, s in rows]
    found, _ = judge(judged, parts, positive="1")
    assert found.accuracy == pytest.approx(metrics.accuracy_score(truth, predicted))
    zero = {"zero_division": 0}
    assert found.precision == pytest.approx(metrics.precision_score(truth, predicted, **zero))
    assert found.recall == pytest.approx(metrics.recall_score(truth, predicted, **zero))
    expected = metrics.log_loss(truth, score, labels=[False, True])
    assert found.log_loss.mean == pytest.approx(expected, rel=1e-9)
    expected = metrics.brier_score_loss(truth, score, labels=[False, True], pos_label=True)
    assert found.brier.mean == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert found.positive_score == pytest.approx(np.mean(score))
    assert found.positive_ratio == pytest.approx(np.mean(truth))


@settings(deadline=None)
@given(st.integers(2, MAX_CLASSES), st.integers(1, 60), st.integers(1, 5), st.integers(0, 10**6))
def test_many_classes(width, n, parts, seed):
    rng = np.random.default_rng(seed)
    names = NAMES[:width]
    matrix = rng.dirichlet(np.ones(width), n)
    truth, predicted = rng.choice(names, n).tolist(), rng.choice(names, n).tolist()
    probas = [dict(zip(names, row.tolist(), strict=True)) for row in matrix]
    assume(width > 2 or len(set(truth) | set(predicted)) != 2)
    judged = [Judged(*row) for row in zip(truth, predicted, probas, strict=True)]
    found, _ = judge(judged, parts)
    macro = {"average": "macro", "zero_division": 0}
    if larger_class([*truth, *predicted]) is None:
        assert found.precision == pytest.approx(metrics.precision_score(truth, predicted, **macro))
        assert found.recall == pytest.approx(metrics.recall_score(truth, predicted, **macro))
    assert found.accuracy == pytest.approx(metrics.accuracy_score(truth, predicted))
    order = np.argsort(names)
    labels = [names[i] for i in order]
    assert found.log_loss.mean == pytest.approx(
        metrics.log_loss(truth, matrix[:, order], labels=labels), rel=1e-9
    )
    expected = metrics.brier_score_loss(truth, matrix[:, order], labels=labels)
    assert found.brier.mean == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=60), st.integers(1, 5))
def test_values(rows, parts):
    truth, predicted = zip(*rows, strict=True)
    found, _ = judge([Judged(t, p, None) for t, p in rows], parts, are_values=True)
    scale = max(map(abs, (*truth, *predicted)))
    assert found.absolute_error.mean == pytest.approx(
        metrics.mean_absolute_error(truth, predicted), rel=1e-9, abs=1e-12 * scale
    )
    assert found.squared_error.mean == pytest.approx(
        metrics.mean_squared_error(truth, predicted), rel=1e-9, abs=1e-12 * scale**2
    )


RAW = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=200),
    st.sampled_from(["1e999", "nan", "-", "", "007", "true", "__other__"]),
)
PROBA = st.one_of(
    st.none(), st.floats(), st.dictionaries(st.text(max_size=3), st.floats(), max_size=4)
)


@given(st.lists(st.builds(Judged, RAW, RAW, PROBA), max_size=30), st.sampled_from([None, True, 0]))
def test_any_values_are_counted_once_and_raise_nothing(judged, are_values):
    are_values = None if are_values is None else bool(are_values)
    pane = sums_of(judged, Classes(), positive=None, are_values=are_values)
    assert pane.counts.min() >= 0
    assert np.isfinite(pane.moments[:, :3]).all()
    counted = pane.counts[Tally.OUTCOMES] + pane.counts[Tally.WRONG_KIND]
    assert counted == len(judged)


def test_more_classes_than_are_told_apart_do_not_change_accuracy():
    judged = [Judged(name, NAMES[i // 2], None) for i, name in enumerate(NAMES)]
    found, classes = judge(judged)
    assert len(classes.names) == MAX_CLASSES
    hits = sum(each.y_true == each.y_pred for each in judged)
    assert found.accuracy == pytest.approx(hits / len(judged))


def test_pairs_of_classes_have_places_of_their_own_which_never_change():
    places = {
        (t, p): pair_place(t, p) for t in range(MAX_CLASSES + 1) for p in range(MAX_CLASSES + 1)
    }
    assert len(set(places.values())) == len(places)
    assert max(v for (t, p), v in places.items() if max(t, p) == 2) < min(
        v for (t, p), v in places.items() if max(t, p) == 3
    )


@pytest.mark.parametrize(
    ("truth", "predicted"),
    [(True, 1), (False, 0), (1, True), ("0", "false"), (3.0, "3"), (0.1, np.float32(0.1).item())],
)
def test_one_class_in_several_forms(truth, predicted):
    assert judge([Judged(truth, predicted, None)])[0].accuracy == 1


@pytest.mark.parametrize(
    ("names", "larger"),
    [
        (["9", "10"], "10"),
        (["no", "yes"], "yes"),
        (["false", "true"], "true"),
        (["a"], None),
        (["a", "b", "c"], None),
        (["-1", "1"], "1"),
    ],
)
def test_the_larger_of_two_classes(names, larger):
    assert larger_class(names) == larger
    assert larger_class(reversed(names)) == larger


def test_a_class_that_the_probabilities_lack_has_none():
    found, _ = judge([Judged("eel", "cat", {"cat": 0.6, "dog": 0.4})])
    assert found.log_loss.mean == pytest.approx(-np.log(np.finfo(float).eps))
    assert found.brier.mean == pytest.approx(1 + 0.36 + 0.16)


@pytest.mark.parametrize(
    "proba", [{"a": 0.5, "b": 0.4}, {"a": 2.0, "b": -1.0}, 1.5, -0.1, float("nan"), {}, 0.5]
)
def test_impossible_probabilities_cost_themselves(proba):
    classes = Classes(["a", "b", "c"])
    pane = sums_of([Judged("a", "b", proba)], classes, positive=None, are_values=False)
    assert pane.counts[Tally.OUTCOMES] == 1
    assert pane.counts[Tally.BAD_PROBA] == 1


@given(st.integers(2, 400), st.integers(2, 400), st.floats(0.05, 0.95))
def test_the_critical_drop_is_that_of_two_shares(n, m, share):
    now = Quality(n, 0, accuracy=share)
    usual = Quality(m, 0, accuracy=share)
    expected = 2.3263478740408408 * np.sqrt(share * (1 - share) * (1 / n + 1 / m))
    assert accuracy_drop_critical(now, usual, 0.01) == pytest.approx(expected)


def test_chance_rarely_exceeds_the_critical_values():
    rng = np.random.default_rng(11)
    drops = rises = 0
    rounds = 1000
    for _ in range(rounds):
        sides = []
        for n in (150, 400):
            values = [Judged(0.0, e, None) for e in rng.exponential(3, n).tolist()]
            hits = rng.random(n) < 0.8
            classes = [Judged(1, int(hit), None) for hit in hits]
            sides.append((judge(classes)[0], judge(values, are_values=True)[0]))
        (now, later), (usual, before) = sides
        drops += usual.accuracy - now.accuracy > accuracy_drop_critical(now, usual, 0.01)
        rise = later.absolute_error.mean - before.absolute_error.mean
        rises += rise > error_rise_critical(later, before, 0.01)
    assert drops / rounds < 0.025
    assert rises / rounds < 0.03


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=40))
def test_the_sums_of_a_baseline_survive_its_file(pairs):
    classes = Classes()
    judged = [Judged(t, p, None) for t, p in pairs]
    pane = sums_of(judged, classes, positive=None, are_values=None)
    again = quality_from_file(quality_to_file(BaselineQuality(pane, classes.names)))
    of = {"positive": None, "are_values": False}
    assert quality_of(again.pane, again.classes, **of) == quality_of(pane, classes.names, **of)
