"""observe and watch: predictions that report themselves."""

import asyncio
import inspect
import math
import time

import numpy as np
import pandas as pd
import pytest


def columns(guard, sidecar):
    assert guard.flush()
    (batch,) = sidecar.batches
    assert len(batch["columns"].pop("timestamp")) >= 1
    return batch["columns"]


def test_observe_logs_with_the_block_s_duration(guard, sidecar):
    with guard.observe(features={"age": 29}) as seen:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.01:
            pass
        seen.y_pred = 1
        seen.y_proba = 0.81
    logged = columns(guard, sidecar)
    assert 10 <= logged.pop("latency_ms")[0] < 1_000
    assert logged == {"y_pred": [1], "y_proba": [0.81], "features": {"age": [29]}}


def test_features_may_be_set_inside_the_block(guard, sidecar):
    with guard.observe() as seen:
        seen.features = {"age": 30}
    assert columns(guard, sidecar)["features"] == {"age": [30]}


def test_a_block_that_raises_is_not_logged(guard, sidecar):
    with pytest.raises(ZeroDivisionError), guard.observe(features={"age": 29}) as seen:
        seen.y_pred = 1 / 0
    assert guard.flush()
    assert sidecar.batches == []


def test_watch_takes_the_single_mapping_as_features(guard, sidecar):
    @guard.watch
    def predict(row):
        """Predict."""
        row["age"] = "changed afterwards"
        return 1

    assert predict({"age": 29, "country": "CA"}) == 1
    assert (predict.__name__, predict.__doc__) == ("predict", "Predict.")
    assert str(inspect.signature(predict)) == "(row)"
    logged = columns(guard, sidecar)
    assert logged.pop("latency_ms")[0] >= 0
    assert logged == {"y_pred": [1], "features": {"age": [29], "country": ["CA"]}}


def test_watch_takes_plain_arguments_by_name(guard, sidecar):
    @guard.watch
    def predict(age, balance, *rest, country="CA", model=None, **more):  # noqa: ARG001
        return np.float64(0.5) if rest or model or more else None

    result = predict(29, np.float32(1.5), "unnamed", model=object(), debt=True)
    assert isinstance(result, np.float64)
    logged = columns(guard, sidecar)
    assert logged["features"] == {"age": [29], "balance": [1.5], "country": ["CA"], "debt": [True]}
    assert logged["y_pred"] == [0.5]


def test_watch_sees_methods(guard, sidecar):
    class Model:
        bias = 10

        @guard.watch
        def predict(self, features):
            return features["a"] + self.bias

    assert Model().predict({"a": 1}) == 11
    logged = columns(guard, sidecar)
    assert (logged["features"], logged["y_pred"]) == ({"a": [1]}, [11])


def test_watch_takes_class_and_static_methods(guard, sidecar):
    class Model:
        bias = 10

        @guard.watch
        @classmethod
        def predict(cls, features):
            return features["a"] + cls.bias

        @guard.watch
        @staticmethod
        def guess(features):
            return features["a"]

    assert Model.predict({"a": 1}) == 11
    assert Model().guess({"a": 2}) == 2
    logged = columns(guard, sidecar)
    assert (logged["features"], logged["y_pred"]) == ({"a": [1, 2]}, [11, 2])


def test_watch_sees_coroutines(guard, sidecar):
    @guard.watch
    async def predict(features):
        await asyncio.sleep(0.01)
        return features["a"]

    async def twice():
        return await asyncio.gather(predict({"a": "x"}), predict({"a": "y"}))

    assert inspect.iscoroutinefunction(predict)
    assert asyncio.run(twice()) == ["x", "y"]
    logged = columns(guard, sidecar)
    assert logged["y_pred"] == ["x", "y"]
    assert min(logged["latency_ms"]) > 5


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_watch_logs_a_frame_with_as_many_results_as_a_batch(guard, sidecar, kind):
    @guard.watch
    def predict(frame):
        return kind(list(frame["age"] > 30))

    result = predict(pd.DataFrame({"age": [29, 31], "country": ["CA", "FR"]}))
    assert list(result) == [False, True]
    logged = columns(guard, sidecar)
    assert len(set(logged.pop("latency_ms"))) == 1
    assert logged == {
        "y_pred": [False, True],
        "features": {"age": [29, 31], "country": ["CA", "FR"]},
    }


@pytest.mark.parametrize("result", [[1, 2, 3], 7, None, "ab"])
def test_watch_does_not_pair_a_frame_with_another_number_of_results(guard, sidecar, result):
    predict = guard.watch(lambda frame: result)  # noqa: ARG005 - named for what it is
    assert predict(pd.DataFrame({"age": [29, 31]})) is result
    logged = columns(guard, sidecar)
    assert "features" not in logged
    assert logged.get("y_pred") == ([result] if isinstance(result, (int, str)) else None)


@pytest.mark.parametrize(
    ("result", "y_pred"),
    [
        (np.array([1]), 1),
        (np.array([[2.5]]), 2.5),
        (np.array([1, 2]), None),
        ([1], None),
        ({}, None),
    ],
)
def test_watch_takes_arrays_of_one_as_the_prediction(guard, sidecar, result, y_pred):
    assert guard.watch(lambda a: result)(1) is result  # noqa: ARG005
    assert columns(guard, sidecar).get("y_pred") == (None if y_pred is None else [y_pred])


def test_watch_passes_exceptions_and_does_not_log_them(guard, sidecar):
    @guard.watch
    def predict(a):
        return 1 / a

    @guard.watch
    async def predict_later(a):
        return 1 / a

    with pytest.raises(ZeroDivisionError):
        predict(0)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(predict_later(0))
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        predict()
    assert guard.flush()
    assert sidecar.batches == []


def test_watch_survives_arguments_and_results_that_raise_when_looked_at(guard, sidecar):
    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError(name)

        def __len__(self):
            raise RuntimeError("len")

    hostile = Hostile()
    assert guard.watch(lambda given: given)(hostile) is hostile
    assert "y_pred" not in columns(guard, sidecar)


def test_watch_takes_functions_written_in_c_and_callable_objects(guard, sidecar):
    class Model:
        async def __call__(self, a):
            await asyncio.sleep(0.01)
            return a

    assert guard.watch(math.hypot)(3, 4) == 5
    assert guard.watch(dict.get)({"a": 1}, "a") == 1
    assert asyncio.run(guard.watch(Model())(2)) == 2
    assert guard.flush()
    assert sorted(sidecar.column("y_pred")) == [1, 2, 5]
