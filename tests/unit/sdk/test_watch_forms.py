"""watch: arguments with rows, objects with fields, generators and coroutines."""

import asyncio
import dataclasses
import gc
import inspect
import time

import numpy as np
import pandas as pd
import pytest

PAUSE = 0.02


@dataclasses.dataclass
class Row:
    age: int
    country: str


class Model:
    """The part of a model of pydantic that is used."""

    model_fields = {"age": int, "country": str}  # noqa: RUF012 - as pydantic has it

    def __init__(self, age, country):
        self.age, self.country = age, country

    def __iter__(self):
        yield from (("age", self.age), ("country", self.country))


def columns(guard, sidecar):
    assert guard.flush()
    (batch,) = sidecar.batches
    assert len(batch["columns"].pop("timestamp")) >= 1
    return batch["columns"]


def warnings(guard, caplog):
    assert guard.flush()
    return [record.getMessage() for record in caplog.records]


def wait(seconds=PAUSE):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


ROWS = {
    "array": (np.array([[29, 1], [31, 0]]), {"x0": [29, 31], "x1": [1, 0]}),
    "lists": ([[29, 1], [31, 0]], {"x0": [29, 31], "x1": [1, 0]}),
    "tuples": ([(29, "CA"), (31, "FR")], {"x0": [29, 31], "x1": ["CA", "FR"]}),
    "arrays": ([np.array([29, 1]), np.array([31, 0])], {"x0": [29, 31], "x1": [1, 0]}),
    "dicts": ([{"age": 29}, {"age": 31}], {"age": [29, 31]}),
    "dataclasses": ([Row(29, "CA"), Row(31, "FR")], {"age": [29, 31], "country": ["CA", "FR"]}),
    "models": ([Model(29, "CA"), Model(31, "FR")], {"age": [29, 31], "country": ["CA", "FR"]}),
    "columns": (
        {"age": [29, 31], "country": ["CA", "FR"]},
        {"age": [29, 31], "country": ["CA", "FR"]},
    ),
    "array columns": ({"age": np.array([29, 31])}, {"age": [29, 31]}),
    "structured": (np.array([(29,), (31,)], dtype=[("age", "i4")]), {"age": [29, 31]}),
    "frame": (pd.DataFrame({"age": [29, 31]}), {"age": [29, 31]}),
}


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("make", [list, np.array, pd.Series])
def test_an_argument_with_rows_is_as_many_inferences(guard, sidecar, caplog, kind, make):
    rows, features = ROWS[kind]

    @guard.watch
    def predict(rows):
        return make([0] * len(rows)) if kind not in {"columns", "array columns"} else make([0, 0])

    predict(rows)
    logged = columns(guard, sidecar)
    assert logged.pop("latency_ms")[0] >= 0
    assert logged == {"y_pred": [0, 0], "features": features}
    assert caplog.records == []


def test_a_matrix_has_the_names_that_watch_is_given(guard, sidecar):
    @guard.watch(feature_names=iter(["age", "balance"]))
    def predict(matrix):
        return matrix.sum(axis=1)

    for _ in range(2):
        predict(np.array([[29, 1], [31, 0]]))
    assert guard.flush()
    assert sidecar.feature("age") == [29, 31] * 2
    assert sidecar.column("y_pred") == [30, 31] * 2


@pytest.mark.parametrize(
    ("classes", "scores"),
    [(None, [0.75, 0.5]), (["a", "b"], [{"a": 0.25, "b": 0.75}, {"a": 0.5, "b": 0.5}])],
)
def test_a_matrix_of_probabilities_is_no_prediction(guard, sidecar, classes, scores):
    @guard.watch(classes=classes)
    def predict_proba(matrix):  # noqa: ARG001 - what it returns is the question
        return np.array([[0.25, 0.75], [0.5, 0.5]])

    predict_proba(np.ones((2, 3)))
    logged = columns(guard, sidecar)
    assert logged["y_proba"] == scores
    assert "y_pred" not in logged


def test_predictions_and_probabilities_may_be_returned_together(guard, sidecar):
    @guard.watch
    def predict(matrix):
        return np.zeros(len(matrix)), np.full(len(matrix), 0.5)

    predict(np.ones((2, 3)))
    logged = columns(guard, sidecar)
    assert (logged["y_pred"], logged["y_proba"]) == ([0, 0], [0.5, 0.5])


@pytest.mark.parametrize("result", [7, np.array([7]), [7], np.array([[7]])])
def test_one_row_is_one_inference(guard, sidecar, result):
    @guard.watch
    def predict(matrix):  # noqa: ARG001 - what it returns is the question
        return result

    predict(np.ones((1, 2)))
    logged = columns(guard, sidecar)
    assert logged["y_pred"] == [7]
    assert logged["features"] == {"x0": [1], "x1": [1]}


def test_no_rows_are_no_inference(guard, sidecar):
    predict = guard.watch(lambda rows: [0] * len(rows))
    assert predict([]) == []
    assert len(predict(np.ones((0, 3)))) == 0
    assert guard.flush()
    assert sidecar.batches == []


@pytest.mark.parametrize("record", [Row(29, "CA"), Model(29, "CA")])
def test_an_object_with_fields_is_features(guard, sidecar, record):
    @guard.watch
    def predict(row, threshold=0.5):
        return row.age * threshold

    predict(record)
    logged = columns(guard, sidecar)
    assert logged["features"] == {"age": [29], "country": ["CA"]}
    assert logged["y_pred"] == [14.5]


def test_a_mapping_goes_before_an_object_with_fields(guard, sidecar):
    @guard.watch
    def predict(row, settings):
        return row["a"] + settings.age

    predict({"a": 1}, Row(2, "settings"))
    assert columns(guard, sidecar)["features"] == {"a": [1]}


@pytest.mark.parametrize("row", [[29, 1.5], (29, 1.5), np.array([29, 1.5])])
def test_a_row_of_numbers_is_one_inference(guard, sidecar, row):
    @guard.watch(feature_names=["age", "balance"])
    def predict(row, threshold=0.5):
        return float(row[0] > threshold)

    predict(row)
    assert columns(guard, sidecar)["features"] == {"age": [29], "balance": [1.5]}


def test_a_series_is_one_inference_with_its_names(guard, sidecar):
    @guard.watch
    def predict(row):
        return row["age"]

    predict(pd.Series({"age": 29, "balance": 1.5}))
    assert columns(guard, sidecar)["features"] == {"age": [29], "balance": [1.5]}


NOT_FOUND = {
    "two mappings": (lambda a, b: 1, ({"x": 1}, {"y": 2})),  # noqa: ARG005
    "objects": (lambda a, b: 1, (object(), object())),  # noqa: ARG005
    "nothing": (lambda: 1, ()),
    "text in a list": (lambda a: 1, (["a", "b"],)),  # noqa: ARG005
    "another number of results": (lambda a: [1, 2, 3], (np.ones((2, 2)),)),  # noqa: ARG005
    "a row or a column": (lambda a: [1, 2], (np.ones(2),)),  # noqa: ARG005
}


@pytest.mark.parametrize("kind", NOT_FOUND)
def test_where_no_features_are_found_one_warning_says_so(guard, sidecar, caplog, kind):
    function, arguments = NOT_FOUND[kind]

    def score(*args):
        return function(*args)

    score.__signature__ = inspect.signature(function)
    watched, other = guard.watch(score), guard.watch(function)
    for _ in range(3):
        watched(*arguments)
    (message,) = warnings(guard, caplog)
    assert "score" in message
    assert "without features" in message
    assert sidecar.events == 3
    assert all("features" not in batch["columns"] for batch in sidecar.batches)
    other(*arguments)
    assert len(warnings(guard, caplog)) == 2


def test_a_generator_is_timed_until_it_is_exhausted(guard, sidecar):
    @guard.watch
    def tokens(prompt):  # noqa: ARG001 - a feature
        for each in ("a", "b", "c"):
            wait()
            yield each
        wait()

    assert inspect.isgeneratorfunction(tokens)
    stream = tokens("hello")
    assert next(stream) == "a"
    assert guard.flush()
    assert sidecar.batches == []
    assert list(stream) == ["b", "c"]
    logged = columns(guard, sidecar)
    assert logged.pop("latency_ms")[0] >= 4 * PAUSE * 1_000
    assert logged == {"features": {"prompt": ["hello"]}}


def test_a_generator_that_a_plain_function_returns_is_timed_too(guard, sidecar):
    def count(rows):
        for row in rows:
            wait()
            yield row["a"]

    @guard.watch
    def predict(rows):
        return count(rows)

    assert list(predict([{"a": 1}, {"a": 2}])) == [1, 2]
    logged = columns(guard, sidecar)
    assert min(logged["latency_ms"]) >= 2 * PAUSE * 1_000
    assert logged["y_pred"] == [1, 2]
    assert logged["features"] == {"a": [1, 2]}


def test_the_only_item_of_a_generator_is_the_prediction(guard, sidecar):
    @guard.watch
    def predict(a):
        yield a + 1

    assert list(predict(1)) == [2]
    assert columns(guard, sidecar)["y_pred"] == [2]


def test_what_a_generator_returns_is_the_prediction(guard, sidecar):
    @guard.watch
    def predict(a):
        yield "working"
        return a + 1

    def outer():
        returned.append((yield from predict(1)))

    returned = []
    assert list(outer()) == ["working"]
    assert returned == [2]
    assert columns(guard, sidecar)["y_pred"] == [2]


def test_a_generator_is_sent_to_and_thrown_at_as_before(guard, sidecar):
    @guard.watch
    def echo(a):  # noqa: ARG001 - a feature
        received = None
        while received != "stop":
            try:
                received = yield received
            except KeyError as error:  # noqa: PERF203 - it is thrown at this place
                received = error

    stream = echo(1)
    assert next(stream) is None
    assert stream.send("x") == "x"
    assert isinstance(stream.throw(KeyError("thrown")), KeyError)
    with pytest.raises(StopIteration):
        stream.send("stop")
    assert guard.flush()
    assert sidecar.events == 1


def test_a_generator_that_raises_is_not_logged(guard, sidecar):
    @guard.watch
    def predict(a):
        yield a
        yield a / 0

    with pytest.raises(ZeroDivisionError):
        list(predict(1))
    with pytest.raises(ValueError, match="thrown"):
        predict(1).throw(ValueError("thrown"))
    assert guard.flush()
    assert sidecar.batches == []


def test_a_generator_that_is_left_is_logged_until_its_last_item(guard, sidecar):
    closed = []

    @guard.watch
    def tokens(prompt):  # noqa: ARG001 - a feature
        try:
            yield "a"
            yield "b"
            yield "c"
        finally:
            closed.append(True)

    stream = tokens("hello")
    assert [next(stream), next(stream)] == ["a", "b"]
    wait(10 * PAUSE)
    del stream
    gc.collect()
    assert closed == [True]
    logged = columns(guard, sidecar)
    assert logged["latency_ms"][0] < 10 * PAUSE * 1_000
    assert logged["features"] == {"prompt": ["hello"]}


def run(stream, *commands):
    """Drive an async generator: take an item, send or throw something; what came of it."""

    async def drive():
        found = []
        for command in commands or [None]:
            step = (
                stream.athrow(command) if isinstance(command, Exception) else stream.asend(command)
            )
            found.append(await step)
        return found

    return drive()


def test_an_async_generator_is_timed_until_it_is_exhausted(guard, sidecar):
    @guard.watch
    async def tokens(prompt):  # noqa: ARG001 - a feature
        for each in ("a", "b"):
            await asyncio.sleep(PAUSE)
            yield each

    class Service:
        @guard.watch
        async def tokens(self, prompt):  # noqa: ARG002 - a feature
            await asyncio.sleep(PAUSE)
            yield "c"

    async def collect(stream):
        return [each async for each in stream]

    assert inspect.isasyncgenfunction(tokens)
    assert asyncio.run(collect(tokens("hello"))) == ["a", "b"]
    assert asyncio.run(collect(Service().tokens("bye"))) == ["c"]
    logged = columns(guard, sidecar)
    assert logged["latency_ms"][0] >= 2 * PAUSE * 900  # a timer may be a little early
    assert logged["features"] == {"prompt": ["hello", "bye"]}
    assert logged["y_pred"] == [None, "c"]


def test_an_async_generator_is_sent_to_thrown_at_and_closed_as_before(guard, sidecar):
    closed = []

    @guard.watch
    async def echo(a):  # noqa: ARG001 - a feature
        received = None
        try:
            while True:
                try:
                    received = yield received
                except KeyError as error:  # noqa: PERF203 - the same
                    received = error
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def drive():
        stream = echo(1)
        found = await run(stream, None, "x", KeyError("thrown"))
        await stream.aclose()
        return found

    first, second, third = asyncio.run(drive())
    assert (first, second, type(third)) == (None, "x", KeyError)
    assert closed == [True]
    assert guard.flush()
    assert sidecar.events == 1


def test_an_async_generator_that_raises_is_not_logged(guard, sidecar):
    @guard.watch
    async def predict(a):
        yield a / 0

    with pytest.raises(ZeroDivisionError):
        asyncio.run(run(predict(1)))
    assert guard.flush()
    assert sidecar.batches == []


async def later(value):
    await asyncio.sleep(PAUSE)
    return value


@pytest.mark.parametrize("kind", ["coroutine", "generator", "async generator"])
def test_what_a_plain_function_returns_is_timed_until_it_is_done(guard, sidecar, kind):
    def generator(value):
        wait()
        yield value

    async def async_generator(value):
        yield await later(value)

    async def last(stream):
        return [each async for each in stream][-1]

    make = {"coroutine": later, "generator": generator, "async generator": async_generator}[kind]

    @guard.watch
    def predict(a):
        return make(a)

    result = predict(5)
    if kind == "coroutine":
        assert inspect.iscoroutine(result)
        assert asyncio.run(result) == 5
    elif kind == "generator":
        assert inspect.isgenerator(result)
        assert list(result) == [5]
    else:
        assert inspect.isasyncgen(result)
        assert asyncio.run(last(result)) == 5
    logged = columns(guard, sidecar)
    assert logged["latency_ms"][0] >= PAUSE * 900
    assert logged["y_pred"] == [5]
    assert logged["features"] == {"a": [5]}


def test_a_coroutine_that_raises_is_not_logged(guard, sidecar):
    async def fail(a):
        raise ZeroDivisionError(a)

    @guard.watch
    def predict(a):
        return fail(a)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(predict(5))
    assert guard.flush()
    assert sidecar.batches == []
