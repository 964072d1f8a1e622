"""Which baseline a model uses after any sequence of files, requests, events and restarts."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.offline import KEY, NOW, Offline

from mlguard_common.config import ConfigError
from mlguard_sidecar import baseline_files
from mlguard_sidecar.baseline import Binning, ColumnSample, build, dump, load
from mlguard_sidecar.baseline_files import file_name, look, model_of
from mlguard_sidecar.baseline_watcher import BaselineWatcher
from mlguard_sidecar.config import BaselineConfig, Config, Limits
from mlguard_sidecar.histogram import OTHER
from mlguard_sidecar.models import (
    BaselineRefusedError,
    Chosen,
    Origin,
    UnknownModelError,
    give,
    learn_again,
)
from mlguard_sidecar.store import Retention
from mlguard_sidecar.wire import Line, ModelKey

EVENTS = 6


def made(seed: int):
    rng = np.random.default_rng(seed)
    features = {"x": ColumnSample.of(rng.normal(seed, 1, 50))}
    return build(features, {}, samples=50, source=f"{seed}", created=0.0, default=Binning())


BASELINES = [made(seed) for seed in range(3)]
ACTIONS = st.one_of(
    st.tuples(st.just("send"), st.integers(1, 9)),
    st.tuples(
        st.sampled_from(["folder", "file", "put", "promoted"]), st.sampled_from([0, 1, 2, None])
    ),
    st.tuples(st.sampled_from(["relearn", "restart", "commit", "compact"]), st.none()),
)


class World:
    """A data path with a folder of baselines and a configured file."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.folder = folder / "baselines"
        self.folder.mkdir()
        self.file = folder / "file.json"
        self.bench: Offline | None = None
        self.is_configured = False
        self.open()

    @property
    def config(self) -> Config:
        file = str(self.file) if self.is_configured else None
        return Config(baseline=BaselineConfig(events=EVENTS, file=file, folder=str(self.folder)))

    def open(self) -> None:
        now = NOW
        if self.bench is not None:
            now = self.bench.now
            assert self.bench.commit()
            self.bench.close()
        self.bench = Offline(self.root / "data", self.config, now)
        self.watcher = BaselineWatcher(
            self.bench.settings, self.bench.telemetry, self.bench.registry.apply_settings
        )

    def look(self) -> None:
        for _ in range(2):  # as a file is missed the second time
            self.bench.loop.run_until_complete(self.watcher.look())

    def close(self) -> None:
        self.bench.close()

    @property
    def schema(self):
        view = self.bench.registry.views.get(KEY)
        return view.schema if view else None

    def totals(self) -> dict[str, int]:
        """Values of x that were counted in the bins of each baseline."""
        return {
            binning: int(load_pane(self.bench, binning))
            for (binning,) in self.bench.db.execute(
                "SELECT DISTINCT binning FROM pane WHERE binning NOT IN ('traffic', '')"
            ).fetchall()
        }


def load_pane(bench: Offline, binning: str) -> int:
    pane = bench.loop.run_until_complete(bench.store.read_total(KEY, binning))
    found = {b.id: b for b in BASELINES}.get(binning)
    if found is None:
        row = bench.db.execute("SELECT body FROM baseline WHERE id = ?", (binning,)).fetchone()
        found = load(row[0])
    return pane.counts[found.layout.slots(0)].sum()


@settings(max_examples=120, deadline=None)
@given(st.lists(ACTIONS, max_size=14))
def test_any_sequence_ends_with_the_baseline_that_the_order_says(actions):
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            follow(world, actions)
        finally:
            world.close()


def follow(world: World, actions) -> None:  # noqa: PLR0912 - one story
    file = in_folder = put = None
    sent, values = 0, itertools.count()
    for action, argument in actions:
        bench = world.bench
        bench.now += 1  # so that no two learnt ones are of one second
        if action == "send":
            before, counted = world.schema, world.totals()
            bench.send(
                timestamp=[bench.now] * argument,
                features={"x": [float(next(values) % 7) for _ in range(argument)]},
            )
            sent += argument
            assert bench.commit()
            if before and before.binning == world.schema.binning and before.baseline:
                name = before.binning
                assert world.totals()[name] - counted.get(name, 0) == argument
        elif action == "folder":
            in_folder = argument
            path = world.folder / "p__m.json"
            if argument is None:
                path.unlink(missing_ok=True)
            else:
                path.with_suffix(".tmp").write_bytes(dump(BASELINES[argument]))
                path.with_suffix(".tmp").replace(path)
            world.look()
        elif action == "file":
            file = argument
            world.is_configured = argument is not None
            if argument is not None:
                world.file.write_bytes(dump(BASELINES[argument]))
            bench.use(world.config)
            world.look()
        elif action in {"put", "promoted"} and argument is not None:
            chosen = Chosen(BASELINES[argument], Origin(action))
            if file is None and in_folder is None:
                give(bench.registry, KEY, chosen)
                put = chosen
            else:
                with pytest.raises(BaselineRefusedError, match="comes from a configured file"):
                    give(bench.registry, KEY, chosen)
        elif action == "relearn":
            exists = world.schema is not None or KEY in bench.registry._accumulators
            if not exists:
                with pytest.raises(UnknownModelError):
                    learn_again(bench.registry, KEY)
            elif file is not None or in_folder is not None:
                with pytest.raises(BaselineRefusedError):
                    learn_again(bench.registry, KEY)
            else:
                learn_again(bench.registry, KEY)
                put = None
        elif action == "compact":
            assert bench.commit()
            bench.compact(Retention())
        elif action == "restart":
            world.open()
        assert world.bench.commit()
        if world.schema is None:
            assert sent == 0
            continue
        found = world.schema
        if file is not None:
            assert (found.binning, found.origin) == (BASELINES[file].id, Origin.FILE)
        elif in_folder is not None:
            assert (found.binning, found.origin) == (BASELINES[in_folder].id, Origin.FOLDER)
        elif put is not None:
            assert (found.binning, found.origin) == (put.baseline.id, put.origin)
            assert not found.is_learning(EVENTS)
        else:
            assert found.is_learning(EVENTS) or found.origin is Origin.LEARNT
        view = world.bench.registry.views[KEY]
        assert view.traffic.rows == sent
        assert all(n <= sent for n in world.totals().values()), "nothing is counted twice"


def test_the_same_rows_learnt_again_within_a_second_count_once(tmp_path):
    world = World(tmp_path)
    rows = {"timestamp": [NOW] * EVENTS, "features": {"x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}}
    for _ in range(2):
        world.bench.send(**rows)
        assert world.bench.commit()
        learnt = world.schema.binning
        learn_again(world.bench.registry, KEY)
    assert world.schema.binning == learnt
    assert world.totals() == {learnt: 2 * EVENTS}
    world.close()


def test_a_baseline_that_nothing_was_counted_with_is_deleted_once_it_is_replaced(tmp_path):
    world = World(tmp_path)
    bench = world.bench
    for found in BASELINES:
        give(bench.registry, KEY, Chosen(found, Origin.PUT))
        assert bench.commit()
    give(bench.registry, KEY, Chosen(BASELINES[0], Origin.PUT))
    bench.send(features={"x": [1.0]})
    assert bench.commit()
    give(bench.registry, KEY, Chosen(BASELINES[1], Origin.PUT))
    assert bench.commit()
    bench.compact(Retention())
    kept = {name for (name,) in bench.db.execute("SELECT id FROM baseline").fetchall()}
    assert kept == {BASELINES[0].id, BASELINES[1].id}, "one has an event, the other is in use"
    world.open()
    assert world.schema.binning == BASELINES[1].id
    world.close()


def test_a_model_that_has_retired_is_recalled_for_a_baseline_and_keeps_it(tmp_path):
    config = Config(limits=Limits(models=1), baseline=BaselineConfig(events=EVENTS))
    bench = Offline(tmp_path, config)
    bench.send(features={"x": [1.0]})
    assert bench.commit()
    other = ModelKey("p", "other", "predict")
    with pytest.raises(BaselineRefusedError, match="is reached"):
        give(bench.registry, other, Chosen(BASELINES[0], Origin.PUT))
    bench.now += 90_000
    give(bench.registry, other, Chosen(BASELINES[0], Origin.PUT))
    assert bench.commit()
    assert set(bench.registry.views) == {other}
    with pytest.raises(BaselineRefusedError, match="is reached"):
        give(bench.registry, KEY, Chosen(BASELINES[1], Origin.PUT))
    bench.now += 90_000
    give(bench.registry, KEY, Chosen(BASELINES[1], Origin.PUT))
    assert bench.commit()
    assert set(bench.registry.views) == {KEY}
    assert bench.registry.views[KEY].traffic.rows == 1
    bench.now += 90_000
    bench.send_events(Line(project_id="p", model_id="other", features={"x": 1.0}))
    assert bench.commit()
    assert bench.registry.views[other].schema.binning == BASELINES[0].id
    bench.close()


def test_the_pooled_model_has_no_baseline(tmp_path):
    world = World(tmp_path)
    with pytest.raises(BaselineRefusedError, match="__other__ pools models"):
        give(world.bench.registry, ModelKey(OTHER, OTHER, OTHER), Chosen(BASELINES[0], Origin.PUT))
    assert model_of(file_name(ModelKey(OTHER, OTHER, OTHER))) is None
    world.close()


@pytest.fixture
def world(tmp_path):
    found = World(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize(
    "key",
    [
        ModelKey("p", "m", "predict"),
        ModelKey("my shop", "churn/v1", "50%"),
        ModelKey("a__b", "_x_", "__"),
        ModelKey("Zürich", "模型", "predict_proba"),
        ModelKey(".hidden", "%5F", "a.json"),
        ModelKey("_", "___", "x" * 128),
    ],
)
def test_the_name_of_a_file_names_its_model(key):
    assert model_of(file_name(key)) == key
    assert "/" not in file_name(key)
    assert not file_name(key).startswith(".")


@given(st.tuples(*[st.text(min_size=1, max_size=9).filter(str.isprintable)] * 3))
def test_every_model_has_a_file_name(names):
    assert model_of(file_name(ModelKey(*names))) == ModelKey(*names)


@pytest.mark.parametrize(
    "name", ["m.json", "a__b__c__d.json", "a___b.json", "__m.json", "p__%FF.json", "p__%0A.json"]
)
def test_names_that_are_no_models_are_refused(name):
    assert model_of(name) is None


def test_broken_and_odd_files_keep_what_was_in_use_and_are_told_once(world, caplog):
    path = world.folder / "p__m.json"
    path.write_bytes(dump(BASELINES[0]))
    (world.folder / "notes.txt").write_text("no baseline")
    (world.folder / ".p__m.json.swp").write_text("an editor's")
    world.look()
    world.bench.send(features={"x": [1.0]})
    assert world.bench.commit()
    assert world.schema.binning == BASELINES[0].id
    for name, content, text in (
        ("p__m.json", dump(BASELINES[1])[:50], "not a baseline file"),
        ("p__m.json", b"{}", "found none, expected it"),
        ("odd.json", b"{}", "expected PROJECT__MODEL.json or"),
        ("p__m__predict.json", dump(BASELINES[1]), "a file of the same model, and is used"),
    ):
        caplog.clear()
        (world.folder / name).write_bytes(content)
        world.look()
        assert [text in record.message for record in caplog.records] == [True], caplog.text
        assert world.schema.binning == BASELINES[0].id
    assert counted_errors(world) == 4
    path.unlink()
    (world.folder / "p__m__predict.json").unlink()
    path.mkdir()
    world.look()
    assert counted_errors(world) == 5
    path.rmdir()
    path.write_bytes(dump(BASELINES[1]))
    world.look()
    assert world.bench.commit()
    assert world.schema.binning == BASELINES[1].id
    world.folder.rename(world.root / "away")
    world.look()
    assert "baselines cannot be read: No such file" in caplog.text
    assert counted_errors(world) == 6
    assert world.bench.settings.now.files.of_model(KEY).id == BASELINES[1].id


def counted_errors(world: World) -> int:
    name = "mlguard_sidecar_baseline_file_errors"
    (family,) = (f for f in world.bench.telemetry.collect() if f.name == name)
    return int(family.samples[0].value)


def test_the_configured_file_is_followed_and_one_that_is_gone_stays_in_use(world, caplog):
    world.file.write_bytes(dump(BASELINES[0]))
    world.is_configured = True
    world.bench.use(world.config)
    world.bench.send(features={"x": [1.0]})
    world.bench.commit()
    world.file.write_bytes(dump(BASELINES[1]))
    world.look()
    world.bench.commit()
    assert world.schema.binning == BASELINES[1].id
    world.file.unlink()
    world.look()
    world.look()
    world.bench.commit()
    assert world.schema.binning == BASELINES[1].id
    assert caplog.text.count("No such file or directory") == 1
    with pytest.raises(ConfigError, match="No such file"):
        world.bench.use(world.config)


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path, monkeypatch):
    for i in range(1000):
        (tmp_path / f"p__m{i}.json").write_bytes(dump(BASELINES[i % 3]))
    first = look((), str(tmp_path))
    assert len(first.keys) == 1000
    read = []
    monkeypatch.setattr(baseline_files, "read_file", lambda data: read.append(data) or BASELINES[0])
    (tmp_path / "p__m7.json").write_bytes(b"changed")
    second = look((), str(tmp_path), first)
    assert read == [b"changed"]
    assert not second.shows_the_same(first)
    assert look((), str(tmp_path), second).shows_the_same(second)


def test_another_folder_keeps_nothing_of_the_one_before(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "p__m.json").write_bytes(dump(BASELINES[0]))
    (tmp_path / "two" / "p__m.json").write_bytes(b"{")
    first = look((), str(tmp_path / "one"))
    assert first.of_model(KEY).id == BASELINES[0].id
    assert look((), str(tmp_path / "two"), first).of_model(KEY) is None
    assert look((), str(tmp_path / "three"), first).of_model(KEY) is None
    assert look((), None, first).of_model(KEY) is None


def test_settings_stay_the_same_object_while_no_baseline_changes(world):
    before = world.bench.settings.now
    world.look()
    (world.folder / "odd.json").write_text("")
    world.look()
    assert world.bench.settings.now is before, "or all statistics would be computed again"
