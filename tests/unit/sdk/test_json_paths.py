"""Paths in JSON bodies, and what is found at them."""

import contextlib
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard.json_paths import NotFoundError, Paths
from mlguard.json_rows import FormError, features_by_column, features_of, prediction, score


def find(path, body):
    paths = Paths(y_pred=path)
    return paths.in_response["y_pred"].find(body)


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        (".", {"a": 1}, {"a": 1}),
        (".", 0.7, 0.7),
        ("a", {"a": None}, None),
        ("a.b.c", {"a": {"b": {"c": 3}}}, 3),
        ("inputs.0.data", {"inputs": [{"data": [1]}]}, [1]),
        ("0", {"0": "a key"}, "a key"),
        ("*", [1, 2], [1, 2]),
        ("rows.*", {"rows": [[1], [2]]}, [[1], [2]]),
        ("rows.*.x.y", {"rows": [{"x": {"y": 1}}, {}, 7]}, [1, None, None]),
        ("rows.*.x", {"rows": []}, []),
    ],
)
def test_a_path_leads_to_a_value(path, body, found):
    assert find(path, body) == found


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("a", {}, "found no key 'a'; found an object without keys"),
        ("a.b.c", {"a": {"b": {"d": 1, "e": 2}}}, "found no key 'c' at 'a.b'; found keys: d, e"),
        ("rows.2", {"rows": [1, 2]}, "found no key '2' at 'rows'; found a list of 2"),
        ("rows.-1", {"rows": [1, 2]}, "found no key '-1' at 'rows'; found a list of 2"),
        ("rows.*", {"rows": {"a": 1}}, "found no list at 'rows'; found keys: a"),
        ("*", "text", "found no list as the whole body; found a string"),
        ("*.x", [{"y": 1}, {}], "found no key 'x'; found keys: y"),
        ("a", [], "found no key 'a'; found a list of 0"),
        ("a", None, "found no key 'a'; found null"),
        ("a", True, "found no key 'a'; found a boolean"),
        ("a", 1.5, "found no key 'a'; found a number"),
        ("a", {f"k{n}": 0 for n in range(12)}, "k8, k9 and 2 more"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_there(path, body, text):
    with pytest.raises(NotFoundError) as caught:
        find(path, body)
    assert text in str(caught.value)


@given(
    st.recursive(
        st.integers() | st.none(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.text("abc*", min_size=1, max_size=2).filter(lambda key: key != "*"), inner
            )
        ),
        max_leaves=20,
    )
)
def test_every_value_is_found_by_its_own_path(body):
    def walk(value, path):
        yield path, value
        if isinstance(value, (dict, list)):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, inner in items:
                yield from walk(inner, [*path, str(key)])

    for path, value in walk(body, []):
        assert find(".".join(path) or ".", body) == value


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a.", "*.*", "a.*.b.*"])
def test_a_path_that_is_none_is_refused(path):
    with pytest.raises(ValueError, match=r"the path of y_pred is .*expected keys"):
        Paths(y_pred=path)


def test_paths_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="the path of y_pred, 'label', has no \\*"):
        Paths(features="rows.*", y_pred="label")
    with pytest.raises(ValueError, match="the path of id, 'id', has no \\*"):
        Paths(y_pred="labels.*", id="id")
    with pytest.raises(ValueError, match="both id and response_id"):
        Paths(id="id", response_id="id")
    with pytest.raises(TypeError, match="the path of features is of type int"):
        Paths(features=0)
    with pytest.raises(TypeError, match="feature_names is one string"):
        Paths(features="rows.*", feature_names="age")
    Paths(features="columns", y_pred="labels.*")


def test_features_of_one_inference():
    assert features_of({"a": 1, "b": "x"}, None) == {"a": 1, "b": "x"}
    assert features_of({"a": 1, "b": "x"}, ["b", "c"]) == {"b": "x", "c": None}
    assert features_of([1, 2], None) == {"x0": 1, "x1": 2}
    assert features_of([1, 2], ["a", "b"]) == {"a": 1, "b": 2}
    assert features_of("a text", ["text"]) == {"text": "a text"}
    with pytest.raises(FormError, match="found 1 values, and there are 2 feature_names"):
        features_of([1], ["a", "b"])
    with pytest.raises(FormError, match="found null"):
        features_of(None, None)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(), min_size=1), min_size=1))
def test_rows_are_the_same_as_objects_and_as_columns(rows):
    columns = features_by_column(rows, None, are_columns=False)
    assert features_by_column(columns, None, are_columns=True) == columns
    for n, row in enumerate(rows):
        assert {k: column[n] for k, column in columns.items() if column[n] is not None} == row
    arrays = [[row.get(name) for name in columns] for row in rows]
    assert features_by_column(arrays, list(columns), are_columns=False) == columns


def test_rows_of_other_forms():
    assert features_by_column(["a", "b"], None, are_columns=False) == {"x0": ["a", "b"]}
    assert features_by_column([{"a": 1}, None], None, are_columns=False) == {"a": [1, None]}
    assert features_by_column([], ["a"], are_columns=False) == {"a": []}
    for rows, text in [
        ([[1], [1, 2]], "rows of \\[1, 2\\] values"),
        ([[1], 2], "some that are not"),
        ([[], []], "rows without values"),
        ([{}, {}], "objects without keys"),
    ]:
        with pytest.raises(FormError, match=text):
            features_by_column(rows, None, are_columns=False)
    with pytest.raises(FormError, match="rows of 2 values, and there are 1 feature_names"):
        features_by_column([[1, 2]], ["a"], are_columns=False)
    with pytest.raises(FormError, match="columns of lengths \\[1, 2\\]"):
        features_by_column({"a": [1], "b": [1, 2]}, None, are_columns=True)
    with pytest.raises(FormError, match="no object whose values are all arrays"):
        features_by_column({"a": [1], "b": 2}, None, are_columns=True)


def test_objects_with_other_keys_each_are_refused_before_they_are_columns():
    rows = [{f"k{n}": n} for n in range(20_000)]
    tracemalloc.start()
    try:
        with pytest.raises(FormError, match="20000 objects whose keys differ, 20000 in all"):
            features_by_column(rows, None, are_columns=False)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_columns_beyond_the_limit_of_features_are_named_but_not_built():
    rows = [{f"k{n}": n} for n in range(1000)]
    columns = features_by_column(rows, None, are_columns=False)
    assert list(columns) == [f"k{n}" for n in range(1000)]
    assert columns["k511"] == [None] * 511 + [511] + [None] * 488
    assert len({id(column) for column in columns.values()}) == 513


def test_predictions():
    assert [prediction(each) for each in ([0.7], 0.7, "a", [], [1, 2], None)] == [
        0.7, 0.7, "a", [], [1, 2], None,
    ]  # fmt: skip


def test_scores():
    assert score(0.7, ["a"]) == 0.7
    assert score({"a": 0.7}, None) == {"a": 0.7}
    assert score([0.2, 0.8], None) == 0.8
    assert score([0.2, 0.8], ["a", "b"]) == {"a": 0.2, "b": 0.8}
    assert score([], None) is None
    with pytest.raises(FormError, match="found 2 probabilities, and there are 1 classes"):
        score([0.2, 0.8], ["a"])
    with pytest.raises(FormError, match="not numbers"):
        score(["x"], None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_no_json_raises_anything_else(body):
    value = json.loads(json.dumps(body))
    rows = value if isinstance(value, list) else [value]
    for read in (
        lambda: features_of(value, None),
        lambda: features_by_column(rows, None, are_columns=False),
        lambda: features_by_column(value, None, are_columns=True),
        lambda: score(value, None),
        lambda: score(value, ["a"]),
    ):
        with contextlib.suppress(FormError):
            read()
