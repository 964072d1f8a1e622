"""The JSON Schema of baseline files and their reader, held together by damage."""

from __future__ import annotations

import copy
import json
import re

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlguard_sidecar.baseline import (
    SCHEMA_PATH,
    BaselineQuality,
    Binning,
    ColumnSample,
    build,
    dump,
    load,
    read_file,
    with_quality,
)
from mlguard_sidecar.outcomes import Classes, Judged, quality_of, sums_of

SCHEMA = json.loads(SCHEMA_PATH.read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

READER_ALONE = re.compile(
    r"counts: found \d+, expected \d+, one a bin"
    r"|edges: expected ascending numbers"
    r"|psi_edges: expected some of the edges"
    r"|expected them in this order"
    r"|quality\.(confusion|correct|positives|fractions|classes): .*expected"
    r"|quality\.moments\.\w+\[0\]: found \d+, expected .*(that of|the sum of|the outcomes)"
    r"|found -?\d[\d.e+]*, expected int"  # 1.0 for 1
    r"|found \".*\", expected .*datetime"
    r"|invalid RFC3339|[Nn]umber out of range"
)


def valid() -> dict:
    features = {
        "x": ColumnSample.of([1.0, 2.5, 3.5, None, 7.0]),
        "c": ColumnSample.of(["a", "b", "a", None, "zürich"]),
        "gone": ColumnSample.of([None] * 5),
    }
    predictions = {
        "y_pred": ColumnSample.of(["yes", "no", "yes", "no", "no"]),
        "y_proba": ColumnSample.of([0.1, 0.2, 0.5, 0.7, 0.9]),
    }
    built = build(
        features, predictions, samples=5, source="t", created=0.0, default=Binning(bins=2)
    )
    return json.loads(dump(with_quality(built, quality_of_data(SCORED))))


SCORED = [
    Judged("yes", "yes", {"yes": 0.75, "no": 0.25}),
    Judged("no", "yes", {"yes": 0.5, "no": 0.5}),
    Judged("no", "no", None),
]


def quality_of_data(judged, *, are_values: bool | None = None) -> BaselineQuality:
    classes = Classes()
    pane = sums_of(judged, classes, positive=None, are_values=are_values)
    return BaselineQuality(pane, tuple(classes.names))


VALID = valid()


def places(tree, path=()):
    """Paths of all values below the root."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


PLACES = list(places(VALID))
VALUES = st.one_of(
    st.sampled_from([None, True, -1, 0, 1, 2**53 + 1, 2**70, 1.5, -0.5, "", "numeric", "a"]),
    st.sampled_from(["categorical", "__other__", [], {}, [1], ["a", "a"], {"x": 1}, "Z"]),
    st.sampled_from(["2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-01-01 00:00:00+0100"]),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)


@st.composite
def damaged(draw):
    """A valid file with one to three changes: a value, a key or an item gone, or one more."""
    tree = copy.deepcopy(VALID)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES))
        place = tree
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]]
        except (LookupError, TypeError):
            continue
        if isinstance(place, str):
            continue
        what = draw(st.sampled_from(["replace", "delete", "add", "swap"]))
        if what == "replace":
            place[path[-1]] = draw(VALUES)
        elif what == "delete":
            del place[path[-1]]
        elif isinstance(place, dict):
            place[draw(st.sampled_from(["surprise", "edges", "categories", "y_pred", "mean"]))] = (
                draw(VALUES)
            )
        else:
            place.insert(0, draw(VALUES))
    return tree


@settings(max_examples=600, deadline=None)
@given(damaged())
def test_the_schema_and_the_reader_refuse_the_same(tree):
    data = json.dumps(tree).encode()
    refused_by_schema = next(VALIDATOR.iter_errors(json.loads(data)), None)
    try:
        found = read_file(data)
    except ValueError as error:
        text = str(error)
        assert "\n" not in text
        assert refused_by_schema is not None or READER_ALONE.search(text), text
    else:
        assert refused_by_schema is None, refused_by_schema.message
        assert load(dump(found)).id == found.id


def test_the_schema_is_one_and_accepts_what_is_built():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(VALID)
    assert read_file(json.dumps(VALID).encode()).samples == 5


def changed(path: str, value: object, *, is_removed: bool = False) -> bytes:
    tree = copy.deepcopy(VALID)
    *steps, last = path.split("/")
    place = tree
    for step in steps:
        place = place[int(step) if isinstance(place, list) else step]
    key = int(last) if isinstance(place, list) else last
    if is_removed:
        del place[key]
    else:
        place[key] = value
    return json.dumps(tree).encode()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"{", "not a baseline file: found no JSON"),
        (b"[" * 100_000, "not a baseline file: found JSON that is nested too deeply"),
        (b'{"features": ' * 100_000, "not a baseline file: found"),
        (b"[1]", "not a baseline file: found [1], expected an object"),
        (changed("format", "mlguard-baseline/2"), "format: found 'mlguard-baseline/2', expected"),
        (changed("samples", "many"), 'samples: found "many", expected int'),
        (changed("samples", -1), "samples: found -1, expected 0 to 2^53"),
        (changed("created", "2026-01-01T00:00:00"), "created: found"),
        (changed("created", 0, is_removed=True), "created: found none, expected it"),
        (changed("surprise", 1), "surprise: unknown field"),
        (changed("features/x/counts/1", "a"), 'features.x.counts[1]: found "a", expected int'),
        (changed("features/x/counts/1", -4), "features.x.counts[1]: found -4, expected int >= 0"),
        (changed("features/x/kind", "odd"), 'features.x.kind: found "odd", expected'),
        (
            changed("features/x/kind", 0, is_removed=True),
            "x.kind: found none, expected it",
        ),
        (changed("features/x/surprise", 1), "features.x.surprise: unknown field"),
        (changed("features/x", 3), "features.x: found 3, expected object"),
        (changed("features/x/m2", -1.0), "features.x.m2: found -1.0, expected 0 or more"),
        (changed("features/x/min", 9.0), "features.x: found min 9.0, mean 3.5, max 7.0"),
        (changed("features/c/edges", [1.0]), "features.c.edges: found some, expected none in a"),
        (changed("predictions/score", VALID["features"]["x"]), "predictions.score: found a column"),
        (changed("predictions/y_proba", VALID["features"]["c"]), "predictions.y_proba.kind: found"),
        (changed("features/a\nb", 3), "features.a?b: found 3"),
        (changed("quality/surprise", 3), "quality.surprise: unknown field"),
        (changed("quality/outcomes", -1), "quality.outcomes: found -1, expected int >= 0"),
        (changed("quality/outcomes", 4), "quality.confusion: found a sum of 3, expected the"),
        (changed("quality/correct", 3), "quality.correct: found 3, expected 2 to 2, by the"),
        (changed("quality/positives", 3), "quality.positives: found 3, expected at most 2, that"),
        (changed("quality/fractions", 1), "quality.fractions: found 1, expected at most 0, that"),
        (changed("quality/confusion", []), "quality.correct: found 2, expected 0 to 0"),
        (changed("quality/confusion/1/1", 1.5), "quality.confusion[1][1]: found 1.5, expected int"),
        (changed("quality/classes", ["a" * 129, "b"]), "quality.classes[0]: found 129 characters"),
        (changed("quality/classes", ["", "b"]), "quality.classes[0]: found 0 characters"),
        (
            changed("quality/classes", ["b", "b"]),
            "quality.classes: found one twice, expected each once",
        ),
        (
            changed("quality/moments/mood", [1, 0, 0, 0, 0]),
            "quality.moments.mood: found a quantity",
        ),
        (
            changed("quality/moments/brier", [2, 0, 0]),
            "quality.moments.brier: found [2, 0, 0], exp",
        ),
        (changed("quality/moments/brier/2", "a"), 'quality.moments.brier[2]: found "a", expected'),
        (changed("quality/moments/brier/2", -1e9), "quality.moments.brier[2]: found -1000000000.0"),
        (
            changed("quality/moments/brier/0", 0.5),
            "quality.moments.brier[0]: found 0.5, expected a",
        ),
        (
            changed("quality/moments/brier/0", 1),
            "quality.moments.brier[0]: found 1, expected 2, that",
        ),
        (changed("quality/moments/brier/1", 9), "quality.moments.brier: found minimum"),
        (
            changed("quality/moments/brier/4", 9),
            "quality.moments.brier: found 0.0625 to 9.0, expected",
        ),
    ],
)
def test_each_damage_is_named_in_one_line(data, text):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        read_file(data)
    assert text in str(caught.value)


VALUE = st.one_of(
    st.sampled_from(["a", "b", "c", "1", "0.5", True]),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(min_size=1, max_size=3),
)
PROBA = st.one_of(
    st.none(),
    st.floats(-0.5, 1.5),
    st.floats(0, 1).map(lambda p: {"a": p, "b": 1 - p}),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.builds(Judged, VALUE, VALUE, PROBA), min_size=1, max_size=60),
    st.sampled_from([None, True, False]),
)
def test_the_quality_of_any_data_is_accepted(judged, are_values):
    quality = quality_of_data(judged, are_values=are_values)
    data = dump(with_quality(load(json.dumps(VALID).encode()), quality))
    assert read_file(data).quality.classes == quality.classes
    VALIDATOR.validate(json.loads(data))


@settings(max_examples=300, deadline=None)
@given(damaged(), st.sampled_from([None, True, False]))
def test_what_is_accepted_can_be_evaluated(tree, are_values):
    try:
        found = read_file(json.dumps(tree).encode()).quality
    except ValueError:
        return
    if found is not None:
        quality = quality_of(found.pane, found.classes, positive=None, are_values=are_values)
        for name in ("accuracy", "precision", "recall", "positive_score", "positive_ratio"):
            value = getattr(quality, name)
            assert value is None or 0 <= value <= 1
        for name in ("log_loss", "brier", "absolute_error", "squared_error"):
            mean = getattr(quality, name)
            assert mean is None or (mean.variance >= 0 and mean.n <= quality.outcomes)
