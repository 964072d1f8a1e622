"""Guards that are pickled and copied, alone or inside of a model."""

import copy
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from unit.sdk.fake_sidecar import eventually

import mlguard
from mlguard import Guard, Stats

SDK = Path(mlguard.__file__).parents[1]

COPIES = {
    "pickle": lambda each: pickle.loads(pickle.dumps(each)),
    "oldest pickle": lambda each: pickle.loads(pickle.dumps(each, protocol=0)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


class Model:
    def __init__(self, guard):
        self.guard = guard
        self.weights = [1, 2]

    def predict(self, a):
        self.guard.log(features={"a": a}, y_pred=a)
        return a


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_reconnects_with_the_same_arguments(make_guard, sidecar, kind):
    guard = make_guard(project="shop", model="churn", endpoint="score", queue_size=7)
    guard.log(y_pred="original")
    assert guard.flush()
    with COPIES[kind](guard) as copied:
        assert copied.stats() == Stats(0, 0, 0, 0, {})
        assert copied.log(y_pred="copy")
        assert copied.flush()
        assert copied.stats() == Stats(0, 1, 1, 0, {})
    guard.log(y_pred="original again")
    assert guard.flush()
    assert sidecar.column("y_pred") == ["original", "copy", "original again"]
    names = {(each["project_id"], each["model_id"], each["endpoint"]) for each in sidecar.batches}
    assert names == {("shop", "churn", "score")}
    assert len({hello["client"] for hello in sidecar.hellos}) == 2


@pytest.mark.parametrize("kind", COPIES)
def test_a_model_that_holds_a_guard_is_copied_with_it(guard, sidecar, kind):
    model = Model(guard)
    model.predict(1)
    copied = COPIES[kind](model)
    assert copied.weights == [1, 2]
    copied.predict(2)
    assert guard.flush()
    assert copied.guard.flush()
    assert sorted(sidecar.column("y_pred")) == [1, 2]
    if copied.guard is not guard:
        copied.guard.close()


def test_joblib_dumps_a_model_that_holds_a_guard(guard, sidecar, tmp_path):
    joblib = pytest.importorskip("joblib")
    joblib.dump(Model(guard), tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib")
    with loaded.guard:
        loaded.predict(1)
    assert sidecar.column("y_pred") == [1]


def test_an_unpickled_guard_takes_its_names_from_its_environment_if_there_are_any(
    sidecar, monkeypatch
):
    monkeypatch.setenv("MLGUARD_PROJECT", "training")
    monkeypatch.setenv("MLGUARD_MODEL", "churn")
    monkeypatch.setenv("MLGUARD_SOCKET", str(sidecar.path))
    with Guard() as guard:
        pickled = pickle.dumps(guard)
    monkeypatch.delenv("MLGUARD_PROJECT")
    monkeypatch.delenv("MLGUARD_MODEL")
    with pickle.loads(pickled) as alone:
        alone.log(y_pred=1)
    monkeypatch.setenv("MLGUARD_PROJECT", "serving")
    monkeypatch.setenv("MLGUARD_MODEL", "churn")
    with pickle.loads(pickled) as there:
        there.log(y_pred=2)
    assert [each["project_id"] for each in sidecar.batches] == ["training", "serving"]


def test_a_guard_is_unpickled_in_another_process(guard, sidecar, tmp_path):
    (tmp_path / "guard").write_bytes(pickle.dumps(guard))
    code = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb')).log(y_pred=1)"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, tmp_path / "guard"],
        env={"PYTHONPATH": str(SDK)},
        check=True,
        timeout=30,
    )
    assert sidecar.column("y_pred") == [1]


class Named(Guard):
    def __init__(self, version, socket):
        super().__init__("p", "m", socket=socket)
        self.version = version


@pytest.mark.parametrize("kind", COPIES)
def test_a_subclass_keeps_its_attributes(sidecar, kind):
    with Named("1.2", sidecar.path) as guard, COPIES[kind](guard) as copied:
        assert type(copied) is Named
        assert copied.version == "1.2"
        copied.log(y_pred=1)
        assert copied.flush()
    assert sidecar.column("y_pred") == [1]


def test_a_copy_of_a_closed_guard_is_open(guard, sidecar):
    guard.close()
    with copy.copy(guard) as copied:
        assert copied.log(y_pred=1)
    assert sidecar.column("y_pred") == [1]


def test_a_copy_that_is_forgotten_leaves_no_thread(guard, sidecar):
    copy.deepcopy(guard).log(y_pred=1)
    eventually(lambda: sidecar.column("y_pred") == [1])
    eventually(lambda: not any(each.name == "mlguard" for each in threading.enumerate()))


@pytest.mark.parametrize("socket", [5, object(), ["x"]])
def test_a_socket_that_is_no_path_is_refused_at_once(socket):
    with pytest.raises(TypeError):
        Guard("p", "m", socket=socket)
