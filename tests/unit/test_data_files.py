"""Data files: what is read, what is refused in one line, and what is doubted."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlguard_sidecar.baseline import Binning
from mlguard_sidecar.histogram import Kind
from mlguard_sidecar.training_data import (
    BuildSettings,
    Built,
    DataFileError,
    ReadOptions,
    Roles,
    build_from_file,
    column_table,
    doubts,
)


def build(path, **options) -> Built:
    chosen = BuildSettings(
        created=1,
        binnings={n: Binning(kind=Kind.CATEGORICAL) for n in options.pop("categorical", ())},
        missing_words=tuple(options.pop("missing", ())),
        named=tuple(options.pop("named", ())),
    )
    roles = options.pop("roles", Roles())
    return build_from_file(path, ReadOptions(roles=roles, **options), chosen, lambda _: None)


def kinds(built: Built) -> dict[str, str]:
    return {part.column.name: str(part.column.kind) for part in built.baseline.columns}


def counts(built: Built, name: str) -> tuple[int, int, int]:
    part = next(p for p in built.baseline.columns if p.column.name == name)
    column = part.column
    valid = int(part.counts[: column.bins].sum())
    return valid, int(part.counts[column.missing]), int(part.counts[column.invalid])


@pytest.fixture(params=["pyarrow", "standard library"])
def reader(request, monkeypatch):
    """Both readers of files with separated values."""
    if request.param == "standard library":
        monkeypatch.setitem(sys.modules, "mlguard_sidecar.training_data.arrow", None)


GOOD = {
    "a byte order mark": b"\xef\xbb\xbfa,b\n1,x\n2,y\n",
    "blank lines at the end": b"a,b\n1,x\n2,y\n\n\n",
    "carriage returns": b"a,b\r\n1,x\r\n\r\n2,y\r\n",
    "no line feed at the end": b"a,b\n1,x\n2,y",
    "a cell of 200,000 characters": b"a,b\n1," + b"x" * 200_000 + b"\n2,y\n",
    "quotes within a cell": b'a,b\n1,5" disk\n2,"say ""hi"""\n',
    "a line feed in a cell": b'a,b\n1,"x\ny"\n2,z\n',
    "UTF-16": "a,b\n1,é\n2,y\n".encode("utf-16"),
}


@pytest.mark.parametrize("what", GOOD)
@pytest.mark.usefixtures("reader")
def test_odd_files_are_read(tmp_path, what):
    path = tmp_path / "t.csv"
    path.write_bytes(GOOD[what])
    built = build(path)
    assert kinds(built) == {"a": "numeric", "b": "categorical"}
    assert counts(built, "a") == counts(built, "b") == (2, 0, 0)


BAD = {
    "nothing": (b"", "t.csv: no rows"),
    "a header alone": (b"a,b\n", "t.csv: no rows"),
    "too few values": (b"a,b\n1,2\n3\n", "t.csv:3: found 1 values, expected 2"),
    "too many values": (b"a,b\n1,2\n\n3,4,5\n", "t.csv:4: found 3 values, expected 2"),
    "a name twice": (b"a,b,a\n1,2,3\n", "t.csv:1: the name 'a' is there 2 times"),
    "no header": (b"1,2.5\n3,4\n", "t.csv:1: found numbers (1, 2.5)"),
    "another separator": (b"a;b\n1;2\n", "t.csv:1: one column 'a;b'; try --sep ';'"),
    "tabs": (b"a\tb\n1\t2\n", "try --sep '\\t'"),
    "an open quote": (b'a,b\n1,x\n2,"y\n3,z\n', "t.csv:3: a quote is not closed"),
    "an open quote at the end": (b'a,b\n1,x\n2,"y\n', "t.csv:3: a quote is not closed"),
    "latin-1": ("a,b\n1,x\n2,Montréal\n".encode("latin-1"), "t.csv:3: not UTF-8; try --encoding"),
    "only dates": (b"d\n2026-01-01\n2026-01-02\n", "found no column to watch (d: dates"),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.usefixtures("reader")
def test_what_cannot_be_right_is_refused_with_file_line_and_what_to_do(tmp_path, what):
    content, text = BAD[what]
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataFileError) as caught:
        build(path)
    assert text in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_separator_and_an_encoding_can_be_given(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("a;b\n1;Montréal\n2;x\n".encode("latin-1"))
    built = build(path, separator=";", encoding="latin-1")
    assert kinds(built) == {"a": "numeric", "b": "categorical"}
    assert "Montréal" in next(p for p in built.baseline.columns if p.column.name == "b").psi_labels
    with pytest.raises(DataFileError, match="--encoding: nonsense is not known"):
        build(path, encoding="nonsense")
    with pytest.raises(DataFileError, match="--sep"):
        build(path, separator=";;")


EVENT = {"project_id": "p", "model_id": "m", "latency_ms": 5}
LINES = {
    "a byte order mark": (b'\xef\xbb\xbf{"x": 1}\n{"x": 2}\n', {"x": (2, 0, 0)}),
    "blank lines": (b'{"x": 1}\n\n{"x": 2}\n  \n', {"x": (2, 0, 0)}),
    "a lone surrogate": (b'{"x": 1, "c": "a\\ud800"}\n{"x": 2, "c": "b"}\n', {"c": (2, 0, 0)}),
    "NaN and Infinity": (b'{"x": NaN}\n{"x": -Infinity}\n{"x": 1}\n', {"x": (1, 2, 0)}),
    "an object in a cell": (b'{"x": {"y": 1}}\n{"x": 1}\n{"x": 2}\n' * 9, {"x": (18, 0, 9)}),
    "a column that comes late": (b'{"x": 1}\n{"x": 2, "y": 3}\n', {"y": (1, 1, 0)}),
    "nested features": (
        b'{"features": {"x": 1, "u": {"id": 7}}}\n{"features": {"x": 2, "u": null}}\n',
        {"x": (2, 0, 0)},
    ),
    "an event without features": (
        json.dumps(EVENT | {"features": {"x": 1}, "y_pred": 1}).encode()
        + b"\n"
        + json.dumps(EVENT | {"y_pred": 0}).encode()
        + b"\n"
        + json.dumps(EVENT | {"features": None, "y_pred": 0}).encode(),
        {"x": (1, 0, 0), "y_pred": (3, 0, 0)},
    ),
    "batches": (
        json.dumps(
            EVENT | {"columns": {"y_proba": [0.5, 1.00001, 7], "features": {"x": [1, None, []]}}}
        ).encode(),
        {"x": (1, 1, 1), "y_proba": (2, 0, 1)},
    ),
}


@pytest.mark.parametrize("what", LINES)
def test_lines_of_json_are_read_as_the_sidecar_reads_them(tmp_path, what):
    content, expected = LINES[what]
    path = tmp_path / "t.ndjson"
    path.write_bytes(content)
    built = build(path, categorical=["x"] if what in {"an object in a cell", "batches"} else ())
    assert {name: counts(built, name) for name in expected} == expected
    assert not {"project_id", "model_id", "latency_ms"} & kinds(built).keys()
    assert max(built.dry_run.values()) < 1e-9


BAD_LINES = {
    "null": (b'{"x": 1}\nnull\n', ":2: expected a JSON object, found null"),
    "no JSON": (b'{"x": 1}\n\n{"x": }\n', ":3: "),
    "latin-1": ('{"x": "Montréal"}\n'.encode("latin-1"), ":1: not UTF-8; try --encoding"),
    "two models": (
        (
            b'{"project_id":"p","model_id":"m","features":{"x":1}}\n'
            b'{"project_id":"p","model_id":"n","features":{"x":1}}\n'
        ),
        "p/m/predict and p/n/predict",
    ),
    "uneven columns": (b'{"columns": {"y_pred": [1], "y_proba": []}}\n', ":1: columns of lengths"),
}


@pytest.mark.parametrize("what", BAD_LINES)
def test_a_bad_line_of_json_is_refused_with_its_number(tmp_path, what):
    content, text = BAD_LINES[what]
    path = tmp_path / "t.ndjson"
    path.write_bytes(content)
    with pytest.raises(DataFileError) as caught:
        build(path)
    assert str(caught.value).startswith(str(path))
    assert text in str(caught.value)


def test_columns_of_types_that_cannot_be_watched_are_named(tmp_path):
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame(
        {
            "x": [1.0, 2.0],
            "day": [dt.date(2026, 1, 1), dt.date(2026, 1, 2)],
            "tags": [["a"], ["b", "c"]],
            "raw": [b"x", b"y"],
        },
        index=[5, 7],
    )
    frame.to_parquet(path)
    assert build(path).baseline.not_watched == {
        "__index_level_0__": "the index of a DataFrame",
        "day": "dates, times or durations",
        "raw": "lists, objects or bytes",
        "tags": "lists, objects or bytes",
    }


def test_words_for_missing_values_can_be_named(tmp_path):
    path = tmp_path / "t.csv"
    rows = [
        f"{i},{'unknown' if i % 10 == 0 else i},{'NA' if i % 4 == 0 else 'US'}" for i in range(200)
    ]
    path.write_text("id,x,c\n" + "\n".join(rows) + "\n")
    assert kinds(build(path))["x"] == "categorical"
    named = build(path, missing=["unknown", "NA"])
    assert kinds(named)["x"] == "numeric"
    assert counts(named, "x") == (180, 20, 0)
    assert counts(named, "c") == (150, 50, 0)
    found = "\n".join(doubts(build(path)))
    assert "try --missing 'unknown'" in found


def test_doubts_propose_the_option_that_helps(tmp_path):
    path = tmp_path / "t.csv"
    rng = np.random.default_rng(1)
    n = 1000
    frame = pd.DataFrame(
        {
            "id": range(n),
            "user": [f"u{i}" for i in range(n)],
            "at": 1_790_000_000 + rng.integers(0, 10**6, n),
            "day": rng.choice([20260101, 20260215, 20261231], n),
            "flag": [1 if i == 0 else 0 for i in range(n)],
            "x": rng.normal(size=n),
            "some": ["x" if i % 100 == 0 else i % 7 for i in range(n)],
            "few": [float(i) if i < 12 else None for i in range(n)],
        }
    )
    frame.to_csv(path, index=False)
    found = dict(line.split(": ", 1) for line in doubts(build(path)))
    assert "--drop 'id'" in found["id"]
    assert "--drop 'user'" in found["user"]
    assert "epoch" in found["at"]
    assert "date" in found["day"]
    assert "nearly constant: 99.9%" in found["flag"]
    assert "such as 'x'" in found["some"]
    assert "too few ever to judge" in found["few"]
    assert "x" not in found


def test_the_table_has_a_line_for_each_column(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y_pred,y_proba\n" + "".join(f"{i},{i % 2},0.{i}\n" for i in range(9)))
    table = column_table(build(path))
    assert [row[0] for row in table] == ["COLUMN", "a", "y_pred", "y_proba"]
    assert table[1][1:6] == ("numeric", "numbers", "9", "0", "0")
    assert table[2][1:3] == ("categorical", "classes: 2 whole numbers")


cells = st.sampled_from(
    [
        "1",
        "2.5",
        "-3e2",
        "",
        "NA",
        "x",
        "true",
        "False",
        " 7 ",
        "007",
        "1_0",
        "é",
        "a,b",
        'q"q',
        "?",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=60), st.integers(1, 20))
def test_both_readers_of_separated_values_agree(tmp_path_factory, rows, times):
    path = tmp_path_factory.mktemp("both") / "t.csv"
    pd.DataFrame(rows * times, columns=["a", "b"]).to_csv(path, index=False)

    def body() -> bytes | str:
        try:
            return build(path).baseline.body
        except DataFileError as error:
            return str(error)

    with_pyarrow = body()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "mlguard_sidecar.training_data.arrow", None)
        assert body() == with_pyarrow


@pytest.mark.parametrize("cell", ['"a"b', '"" ', '"x" "y"', 'x"y"z', '"a""b"'])
def test_both_readers_take_what_follows_a_quote(tmp_path, monkeypatch, cell):
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n{cell},1\nz,2\n")
    with_pyarrow = build(path).baseline.body
    monkeypatch.setitem(sys.modules, "mlguard_sidecar.training_data.arrow", None)
    assert build(path).baseline.body == with_pyarrow


@pytest.mark.parametrize("encoding", ["utf-16", "punycode", "undefined", "rot13", "hex", "idna"])
@pytest.mark.parametrize("name", ["t.csv", "t.ndjson"])
def test_an_encoding_that_does_not_fit_is_told_in_one_line(tmp_path, name, encoding):
    path = tmp_path / name
    path.write_bytes(b'{"a": "\xe9\xff"}\n{"a": 2}\n')
    with pytest.raises(DataFileError) as caught:
        build(path, encoding=encoding)
    assert "\n" not in str(caught.value)


def test_odd_separators_names_and_kinds_of_files(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a§b\n1§x\n2§y\n", encoding="utf-8")
    assert kinds(build(path, separator="§")) == {"a": "numeric", "b": "categorical"}
    odd = tmp_path / b"bad\xff.csv".decode("utf-8", "surrogateescape")
    odd.write_text("a\n1\n2\n")
    assert build(odd).baseline.source == "bad?.csv"
    fifo = tmp_path / "f.csv"
    os.mkfifo(fifo)
    for other in (fifo, tmp_path):
        with pytest.raises(DataFileError, match="not a regular file"):
            build(other)


def test_narrow_dictionaries_and_views_of_texts_are_read(tmp_path):
    path = tmp_path / "t.parquet"
    values = [f"v{i}" for i in range(128)]
    narrow = pa.DictionaryArray.from_arrays(pa.array([*range(128), None], pa.int8()), values)
    views = pa.array([*values, None], pa.string_view())
    pq.write_table(pa.table({"narrow": narrow, "views": views}), path)
    built = build(path)
    assert counts(built, "narrow") == counts(built, "views") == (128, 1, 0)


SCORES = [0.5, True, "0.9", "x", {"a": "0.9", "b": 0.05}, {}, {"a": None}, None, [1], 7, 1.00001]


def test_probabilities_are_read_alike_in_rows_and_in_events(tmp_path):
    rows, events = tmp_path / "rows.ndjson", tmp_path / "events.ndjson"
    rows.write_text("".join(json.dumps({"x": 1, "y_proba": s}) + "\n" for s in SCORES))
    events.write_text(
        "".join(json.dumps(EVENT | {"y_proba": s, "features": {"x": 1}}) + "\n" for s in SCORES)
        + '{"hello": {"client": "c", "version": 1}}\n{"stats": {"dropped": 1}}\n'
    )
    flat, live = build(rows), build(events)
    assert counts(flat, "y_proba") == counts(live, "y_proba") == (5, 3, 3)
    assert flat.baseline.samples == live.baseline.samples == len(SCORES)


@pytest.mark.parametrize("text", ["1e400", "-1e400", "9007199254740993\t", " 9007199254740993"])
def test_texts_beyond_floats_are_the_same_in_file_and_stream(tmp_path, text):
    path = tmp_path / "t.csv"
    pd.DataFrame({"c": ["a", "b", text] * 30}).to_csv(path, index=False)
    built = build(path)
    assert counts(built, "c") == (90, 0, 0)
    assert max(built.dry_run.values()) < 1e-9
