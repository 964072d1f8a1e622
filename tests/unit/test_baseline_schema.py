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
    Binning,
    ColumnSample,
    build,
    dump,
    load,
    read_file,
)

SCHEMA = json.loads(SCHEMA_PATH.read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

READER_ALONE = re.compile(
    r"counts: found \d+, expected \d+, one a bin"
    r"|edges: expected ascending numbers"
    r"|psi_edges: expected some of the edges"
    r"|expected them in this order"
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
    return json.loads(dump(built))


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
    ],
)
def test_each_damage_is_named_in_one_line(data, text):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        read_file(data)
    assert text in str(caught.value)
