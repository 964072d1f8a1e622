"""The rows of a file, built into a baseline and then sent live, show no drift."""

from __future__ import annotations

import datetime as dt
import json
import random
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.offline import Offline

from mlguard.columns import table_from_columns
from mlguard.counters import Counters
from mlguard.encoding import fastest_encoder
from mlguard.tables import clean_table, tables_from_rows
from mlguard_sidecar.baseline import Baseline, Binning, dump
from mlguard_sidecar.config import BaselineConfig, Config, DriftConfig
from mlguard_sidecar.histogram import Kind
from mlguard_sidecar.training_data import BuildSettings, ReadOptions, build_from_file
from mlguard_sidecar.wire import decode_line

DAY = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - frames hold naive times


def with_missing(rng: random.Random, values: list, what=None) -> list:
    return [what if rng.random() < 0.1 else value for value in values]


def texts_like_numbers(rng: random.Random, n: int) -> list:
    return [rng.choice(["1", "1.0", " 2 ", "3e2", "-0.5", "+7", ".5", "1."]) for _ in range(n)]


COLUMNS = {
    "bools": lambda rng, n: [rng.random() < 0.3 for _ in range(n)],
    "bools_with_nulls": lambda rng, n: with_missing(rng, [rng.random() < 0.3 for _ in range(n)]),
    "integers": lambda rng, n: [rng.randint(-50, 50) for _ in range(n)],
    "large_integers": lambda rng, n: [rng.choice([2**53 + 1, 2**60, -(2**62)]) for _ in range(n)],
    "nullable_integers": lambda rng, n: pd.array(
        with_missing(rng, [rng.randint(0, 9) for _ in range(n)], pd.NA), dtype="Int64"
    ),
    "floats": lambda rng, n: [rng.gauss(0, 1) for _ in range(n)],
    "floats_with_gaps": lambda rng, n: with_missing(
        rng, [rng.expovariate(1e-3) for _ in range(n)], float("nan")
    ),
    "infinite": lambda rng, n: with_missing(
        rng, [rng.random() for _ in range(n)], rng.choice([float("inf"), float("-inf")])
    ),
    "float32": lambda rng, n: np.array([rng.gauss(5, 2) for _ in range(n)], dtype=np.float32),
    "discounts": lambda rng, n: np.array(
        [rng.choice([0, 0.1, 0.7, 0.9]) for _ in range(n)], dtype=np.float32
    ),
    "constant": lambda _, n: np.full(n, 0.7, dtype=np.float32),
    "mostly_zero": lambda rng, n: [
        0.0 if rng.random() < 0.9 else rng.random() * 100 for _ in range(n)
    ],
    "decimals": lambda rng, n: [Decimal(rng.randint(0, 999)) / 100 for _ in range(n)],
    "categories": lambda rng, n: pd.Categorical([rng.choice("abc") for _ in range(n)]),
    "number_categories": lambda rng, n: pd.Categorical([rng.choice([1, 2, 3]) for _ in range(n)]),
    "countries": lambda rng, n: [rng.choice(["NA", "US", "None", "null", "-"]) for _ in range(n)],
    "texts_like_numbers": texts_like_numbers,
    "codes": lambda rng, n: [f"{rng.randint(0, 99):05}" for _ in range(n)],
    "separated_digits": lambda rng, n: [rng.choice(["1_000", "2,000"]) for _ in range(n)],
    "texts_of_bools": lambda rng, n: [rng.choice(["True", "false", "TRUE"]) for _ in range(n)],
    "mixed": lambda rng, n: [rng.choice([1, 2.5, "a", "7", True, 1.0]) for _ in range(n)],
    "nearly_numbers": lambda rng, n: [
        rng.choice(["N/A", "?", "x"]) if i % 40 == 3 else rng.randint(0, 99) for i in range(n)
    ],
    "empty_texts": lambda rng, n: [rng.choice(["", "a", "b"]) for _ in range(n)],
    "spaces": lambda rng, n: [rng.choice([" a", "a ", "a", "b c", "  d"]) for _ in range(n)],
    "unicode": lambda rng, n: [
        rng.choice(["é", "日本", "a\nb", 'q"uote', "a,b"]) for _ in range(n)
    ],
    "identifiers": lambda rng, n: [f"user-{rng.getrandbits(40):x}" for _ in range(n)],
    "many_categories": lambda rng, n: [f"c{int(rng.paretovariate(0.5)) % 300}" for _ in range(n)],
}
NOT_WATCHED = {
    "dates": lambda rng, n: [(DAY + dt.timedelta(rng.randint(0, 99))).date() for _ in range(n)],
    "times": lambda rng, n: pd.to_datetime(
        [DAY + dt.timedelta(seconds=rng.randint(0, 10**6)) for _ in range(n)]
    ),
    "zoned_times": lambda rng, n: pd.to_datetime(
        [DAY + dt.timedelta(seconds=rng.randint(0, 10**6)) for _ in range(n)]
    ).tz_localize("Europe/Paris"),
    "durations": lambda rng, n: pd.to_timedelta(
        [rng.randint(0, 10**6) for _ in range(n)], unit="s"
    ),
    "lists": lambda rng, n: [[rng.random(), 2.0] for _ in range(n)],
    "bytes": lambda rng, n: [rng.randbytes(2) for _ in range(n)],
    "nulls": lambda _, n: [None] * n,
}
PARQUET_CANNOT = ("mixed", "nearly_numbers")
"""Columns of several types."""


def frame_of(seed: int, n: int) -> pd.DataFrame:
    rng = random.Random(seed)
    made = {name: make(rng, n) for name, make in (COLUMNS | NOT_WATCHED).items()}
    frame = pd.DataFrame({name: pd.Series(values) for name, values in made.items()})
    frame["bad\nname"] = 1.0
    frame["y_pred"] = rng.choice(
        [
            [rng.choice([0, 1]) for _ in range(n)],
            [float(rng.choice([0, 1])) for _ in range(n)],
            [rng.random() < 0.4 for _ in range(n)],
            [rng.gauss(20, 3) for _ in range(n)],
            [rng.choice(["yes", "no"]) for _ in range(n)],
            [rng.randint(0, 500) for _ in range(n)],
        ]
    )
    frame["y_proba"] = [min(rng.random(), 1) + rng.choice([0, 1e-9, 1e-5]) for _ in range(n)]
    return frame


def write(frame: pd.DataFrame, folder: Path) -> list[Path]:
    csv, lines, parquet = (folder / name for name in ("t.csv", "t.ndjson", "t.parquet"))
    frame.to_csv(csv, index=False)
    records = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    lines.write_text("".join(json.dumps(row, default=plain) + "\n" for row in records))
    frame.drop(columns=[*PARQUET_CANNOT]).to_parquet(parquet)
    return [csv, lines, parquet]


def plain(value: object) -> object:
    """What the people's own encoders do with what JSON lacks."""
    if isinstance(value, Decimal | np.floating):
        return float(value)
    return value.item() if isinstance(value, np.generic) else str(value)


def live_lines(frame: pd.DataFrame, *, one_by_one: bool) -> list[bytes]:
    """The lines that the SDK sends for the rows of a frame."""
    counters = Counters()
    features = frame.drop(columns=["y_pred", "y_proba"])
    if one_by_one:
        records = features.to_dict(orient="records")
        rows = [
            (1.8e9, None, y_pred, y_proba, row, None)
            for row, y_pred, y_proba in zip(
                records, frame["y_pred"].tolist(), frame["y_proba"].tolist(), strict=True
            )
        ]
        tables = list(tables_from_rows(rows, counters))
    else:
        tables = [
            table_from_columns(
                features=features,
                y_pred=frame["y_pred"],
                y_proba=frame["y_proba"],
                latency_ms=None,
                timestamp=1.8e9,
                on_left_out=lambda *_: None,
            )
        ]
    encode = fastest_encoder()
    return [
        b'{"project_id":"p","model_id":"m","columns":%b}'
        % encode(clean_table(table, counters).to_wire())
        for table in tables
    ]


def check_no_drift(frame: pd.DataFrame, baseline: Baseline, folder: Path, what: str) -> None:
    file = folder / "baseline.json"
    file.write_bytes(dump(baseline))
    config = Config(
        baseline=BaselineConfig(file=str(file)), drift=DriftConfig(min_samples=1, smoothing=0.5)
    )
    for one_by_one in (False, True):
        with tempfile.TemporaryDirectory() as data:
            bench = Offline(Path(data), config)
            try:
                for raw in live_lines(frame, one_by_one=one_by_one):
                    bench.pipeline.submit_batch(decode_line(raw), "socket")
                assert bench.commit()
                (model,) = bench.statistics()
                counted = {c.column.name: c for c in model.columns if c.window == "1h"}
                for part in baseline.columns:
                    found, label = counted[part.column.name], (what, one_by_one, part.column.name)
                    assert found.bins is not None
                    assert found.bins.tolist() == part.psi_baseline.tolist(), label
                    assert found.invalid == part.counts[part.column.invalid], label
                    assert found.missing == part.counts[part.column.missing], label
                    assert found.drift is None or found.drift.psi < 1e-9, label
                watched = {part.column.name for part in baseline.columns}
                named = {*model.not_watched, "bad\nname"}
                assert {*frame.columns} == watched | named, what
                assert not watched & named, what
            finally:
                bench.close()


def check(seed: int, n: int) -> None:
    frame = frame_of(seed, n)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in write(frame, folder):
            built = build_from_file(path, ReadOptions(), BuildSettings(created=1), lambda _: None)
            assert max(built.dry_run.values()) < 1e-9, path.name
            assert "bad\nname" in built.baseline.not_watched
            held = frame.drop(columns=[*PARQUET_CANNOT]) if path.suffix == ".parquet" else frame
            check_no_drift(held, built.baseline, folder, path.name)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 300))
def test_a_frame_shows_no_drift_from_its_own_file(seed, n):
    check(seed, n)


@pytest.mark.long
@pytest.mark.timeout(600)
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 2000))
def test_many_frames_show_no_drift_from_their_own_files(seed, n):
    check(seed, n)


def test_categories_that_are_asked_for_are_the_same_in_file_and_stream(tmp_path):
    rng = random.Random(3)
    frame = pd.DataFrame(
        {
            "i": [rng.choice([1, 2, 3]) for _ in range(300)],
            "f": [rng.choice([1.0, 2.0, 2.5]) for _ in range(300)],
            "f32": np.array([rng.choice([0.1, 0.7]) for _ in range(300)], dtype=np.float32),
            "b": [rng.random() < 0.5 for _ in range(300)],
            "y_pred": [rng.gauss(0, 1) for _ in range(300)],
            "y_proba": [rng.random() for _ in range(300)],
        }
    )
    categorical = dict.fromkeys(["i", "f", "f32", "b"], Binning(kind=Kind.CATEGORICAL))
    chosen = BuildSettings(created=1, binnings=categorical, prediction=Kind.CATEGORICAL)
    for path, writer in (
        (tmp_path / "t.csv", lambda p: frame.to_csv(p, index=False)),
        (tmp_path / "t.parquet", frame.to_parquet),
    ):
        writer(path)
        built = build_from_file(path, ReadOptions(), chosen, lambda _: None)
        kinds = {c.column.name: c.column.kind for c in built.baseline.columns}
        assert kinds["y_proba"] is Kind.NUMERIC
        assert {kinds[name] for name in (*categorical, "y_pred")} == {Kind.CATEGORICAL}
        for raw in live_lines(frame, one_by_one=True):
            columns = decode_line(raw).columns
            assert columns is not None
        with_file = frame.assign(**{"bad\nname": 1.0})
        check_no_drift(with_file, built.baseline, tmp_path, path.name)
