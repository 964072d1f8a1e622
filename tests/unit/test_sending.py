"""Sending: positions, batches, splitting of files, and what SageMaker captures."""

from __future__ import annotations

import base64
import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard_sidecar.sending import CaptureReader, LineStream, SendError, stored_files
from mlguard_sidecar.sending.batches import MAX_ROWS, batches, position_of, seq_of
from mlguard_sidecar.sending.http_events import CELL, MAX_BODY_BYTES, last_known, step
from mlguard_sidecar.sending.json_lines import split_lines
from mlguard_sidecar.sending.lines import Block, Digests, numbered
from mlguard_sidecar.sending.sagemaker import CaptureError
from mlguard_sidecar.wire import decode_line

IDENTITY = {"project_id": "p", "model_id": "m"}


def stream_of(*blocks: list[bytes]) -> LineStream:
    return LineStream("f", lambda: iter([Block(lines, 1.0) for lines in blocks]))


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=6), st.sampled_from([1, 9000, 200_000]))
def test_a_file_that_grows_is_resumed_where_it_ended(growths, size):
    """However often it grew, what was sent is found again by a few questions."""
    sent, position = set(), 0
    for growth in growths:
        end = position + growth
        asked = []

        def has(where: int, end=end, asked=asked) -> bool:
            asked.append(where)
            return where <= end and where in sent

        assert last_known(has) == position
        assert len(asked) < 40
        while position < end:
            position += step(position, [size] * min(CELL, end - position))
            sent.add(position)


@given(st.integers(0, 10**7), st.lists(st.integers(1, 1 << 20), min_size=1, max_size=CELL))
def test_a_request_is_within_the_limit_and_takes_a_line_at_least(position, sizes):
    n = step(position, sizes)
    assert 1 <= n <= len(sizes)
    assert position % n == 0
    assert n == 1 or sum(sizes[:n]) <= MAX_BODY_BYTES


@given(st.lists(st.lists(st.binary(min_size=1, max_size=3), max_size=700), max_size=5))
def test_digests_are_those_of_the_lines_before(blocks):
    digests = Digests(stream_of(*blocks))
    expected = [line.digest for lines, _ in numbered(stream_of(*blocks)) for line in lines]
    for position in [*range(len(expected), 0, -97), 512, 1, 513, len(expected) + 1]:
        found = digests.at(position)
        assert found == (expected[position - 1] if position <= len(expected) else None)


@given(st.integers(1, 2**39 - 1), st.binary(min_size=32, max_size=32))
def test_a_number_of_a_batch_holds_its_position(position, digest):
    seq = seq_of(position, digest)
    assert 1 <= seq < 2**63
    assert position_of(seq) == position
    assert seq < seq_of(position + 1, bytes(32))


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20))
def test_lines_are_split_wherever_the_pieces_end(data, cuts):
    pieces, begin = [], 0
    for cut in cuts:
        pieces.append(data[begin : begin + cut])
        begin += cut
    pieces.append(data[begin:])
    data = data.replace(b"\xef\xbb\xbf", b"")
    blocks = list(split_lines([piece for piece in pieces if piece], len(data)))
    lines = [line for block in blocks for line in block.lines]
    *whole, rest = data.split(b"\n")
    assert lines == [line.strip() for line in whole if line.strip()]
    assert sum(len(block.refused) for block in blocks) == bool(rest.strip())


events = st.fixed_dictionaries(
    {"project_id": st.sampled_from("pq"), "model_id": st.just("m")},
    optional={
        "endpoint": st.sampled_from("ab"),
        "timestamp": st.none() | st.floats(0, 1e9),
        "latency_ms": st.none() | st.integers(0, 9),
        "y_pred": st.none() | st.booleans() | st.text(max_size=2) | st.integers(),
        "y_proba": st.floats(0, 1) | st.dictionaries(st.text(max_size=2), st.floats(0, 1)),
        "id": st.integers(0, 99),
        "features": st.none()
        | st.dictionaries(st.sampled_from(["x", "y", "é"]), st.none() | st.integers() | st.text()),
    },
)


@given(st.lists(events, max_size=40), st.integers(0, 40))
def test_batches_hold_the_events_in_order_and_end_alike_after_a_restart(found, start):
    raws = [json.dumps(event).encode() for event in found]
    ((lines, _),) = list(numbered(stream_of(raws)))
    made = list(batches(lines))
    rows = []
    for batch in made:
        line = decode_line(batch.line)
        assert line.seq == batch.seq
        columns = line.columns
        for i in range(batch.rows):
            row = {"project_id": line.project_id, "model_id": line.model_id}
            row["endpoint"] = line.endpoint
            for name in ("timestamp", "latency_ms", "y_pred", "y_proba", "id"):
                row[name] = (getattr(columns, name) or [None] * batch.rows)[i]
            features = columns.features
            row["features"] = features and {name: cells[i] for name, cells in features.items()}
            rows.append(row)
    assert len(rows) == len(found)
    for row, event in zip(rows, found, strict=True):
        expected = decode_line(json.dumps(event).encode())
        assert row == {name: getattr(expected, name) for name in row}
    ends = [position_of(batch.seq) for batch in made]
    start = max([end for end in ends if end <= start], default=0)
    assert [batch for batch in made if position_of(batch.seq) > start] == list(
        batches(lines[start:])
    )


def test_a_batch_is_limited():
    raw = json.dumps(IDENTITY | {"features": {"x": "y" * 100}}).encode()
    ((lines, _),) = list(numbered(stream_of([raw] * 5000)))
    made = list(batches(lines))
    assert sum(batch.rows for batch in made) == 5000
    assert max(batch.rows for batch in made) <= MAX_ROWS
    assert max(len(batch.line) for batch in made) < 1 << 19


# data capture of SageMaker


def record(given, made, encoding="CSV", **more) -> bytes:
    def part(data, mode):
        return {
            "observedContentType": "text/csv" if encoding == "CSV" else "application/json",
            "mode": mode, "data": data, "encoding": encoding,
        } | more  # fmt: skip

    return json.dumps(
        {
            "captureData": {
                "endpointInput": part(given, "INPUT"),
                "endpointOutput": part(made, "OUTPUT"),
            },
            "eventMetadata": {"eventId": "e1", "inferenceTime": "2026-01-01T00:00:00Z"},
            "eventVersion": "0",
        }
    ).encode()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (record("29,CA,\n", "0.25\n"),
         [{"y_proba": 0.25, "age": "29", "country": "CA", "f2": None}]),
        (record("29,CA", "1"), [{"y_pred": "1", "age": "29", "country": "CA"}]),
        (record("1,a\n2,b\n", "0.1\n0.9"), [{"y_proba": 0.1, "age": "1", "country": "a"},
                                            {"y_proba": 0.9, "age": "2", "country": "b"}]),
        (record("1,a\n2,b", "0.1,0.9"), [{"y_proba": 0.1, "age": "1", "country": "a"},
                                         {"y_proba": 0.9, "age": "2", "country": "b"}]),
        (record('1,"a, b"', "0.25,0.75"), [{"y_proba": {"0": 0.25, "1": 0.75}, "age": "1",
                                           "country": "a, b"}]),
        (record("1,a", "yes"), [{"y_pred": "yes", "age": "1", "country": "a"}]),
        (record(b64("1,a"), b64("0.5"), "BASE64", observedContentType="text/csv; charset=utf-8"),
         [{"y_proba": 0.5, "age": "1", "country": "a"}]),
        (record(b64('{"instances": [[1, "a"]]}'), b64('{"predictions": [0.5]}'), "BASE64"),
         [{"y_proba": 0.5, "age": 1, "country": "a"}]),
        (record('[1, "a"]', "[7]", "JSON"), [{"y_pred": 7, "age": 1, "country": "a"}]),
        (record('[[1, "a"], [2, "b"]]', "[0.5, 1]", "JSON"),
         [{"y_proba": 0.5, "age": 1, "country": "a"}, {"y_proba": 1.0, "age": 2, "country": "b"}]),
        (record('{"instances": [{"features": [1, "a"]}]}',
                '{"predictions": [{"score": 0.5, "predicted_label": 1}]}', "JSON"),
         [{"y_proba": 0.5, "y_pred": 1, "age": 1, "country": "a"}]),
        (record('{"instances": [{"features": {"z": 1}}, {"z": 2}]}',
                '{"predictions": [{"label": "a"}, {"probabilities": [0.2, 0.8]}]}', "JSON"),
         [{"y_pred": "a", "z": 1}, {"y_proba": {"0": 0.2, "1": 0.8}, "z": 2}]),
        (record('{"z": 1}\n{"z": 2}', "3\n4", "JSON"),
         [{"y_pred": 3, "z": 1}, {"y_pred": 4, "z": 2}]),
        (record('{"z": 1}', '{"y_pred": "a"}', "JSON"), [{"y_pred": "a", "z": 1}]),
    ],
)  # fmt: skip
def test_captured_payloads(raw, expected):
    reader = CaptureReader(IDENTITY, ("age", "country"))
    found = reader.events(raw)
    n = len(expected)
    for i, (event, wanted) in enumerate(zip(found, expected, strict=True)):
        assert event.pop("id") == ("e1" if n == 1 else f"e1-{i}")
        assert event.pop("timestamp") == "2026-01-01T00:00:00Z"
        assert {k: event.pop(k) for k in IDENTITY} == IDENTITY
        assert event.pop("features") | event == wanted
        assert decode_line(json.dumps(event).encode())


def test_what_is_sent_of_a_number_is_the_same_for_all_records():
    reader = CaptureReader(IDENTITY)
    assert reader.events(record("1", "0.3"))[0]["y_proba"] == 0.3
    assert reader.events(record("1", "1"))[0]["y_proba"] == 1.0
    assert CaptureReader(IDENTITY, output="y_pred").events(record("1", "0.3"))[0]["y_pred"] == "0.3"


def test_an_input_or_an_output_may_not_have_been_captured():
    whole = json.loads(record("1,2", "3"))
    del whole["captureData"]["endpointOutput"]
    (event,) = CaptureReader(IDENTITY).events(json.dumps(whole).encode())
    assert event["features"] == {"f0": "1", "f1": "2"}
    assert "y_pred" not in event
    whole = json.loads(record("1,2", "3"))
    del whole["captureData"]["endpointInput"], whole["eventMetadata"]
    (event,) = CaptureReader(IDENTITY).events(json.dumps(whole).encode())
    assert event == IDENTITY | {"y_pred": "3"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"no", "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "no captureData"),
        (record("1\n2", "1\n2\n3"), "2 rows in, 3 out"),
        (record("1", "5,6"), "2 outputs of a row"),
        (record("1", "1", "PARQUET"), "found the encoding 'PARQUET'"),
        (record("{", "1", "JSON"), "endpointInput: no JSON"),
        (record("!", "1", "BASE64"), "BASE64 of something else than text"),
        (record(base64.b64encode(b"\xff\xd8").decode(), "1", "BASE64"), "something else than text"),
        (record(None, "1"), "no data"),
        (record("[1]", '{"odd": 1}', "JSON"), "none of the keys"),
    ],
)
def test_records_that_cannot_be_read(raw, said):
    with pytest.raises(CaptureError, match=said):
        CaptureReader(IDENTITY).events(raw)


cells = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs"]), min_size=1, max_size=4)


@given(st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=5))
def test_payloads_of_csv_are_read_as_they_were_written(rows):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    made = "\n".join("7" for _ in rows)
    found = CaptureReader(IDENTITY).events(record(text.getvalue(), made))
    assert [list(event["features"].values()) for event in found] == rows


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    for name in ("b/2.jsonl", "a/9.jsonl", "b/1.jsonl", "b/no.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    found = list(stored_files(str(tmp_path)))
    assert [b"".join(file.chunks()).decode() for file in found] == [
        "a/9.jsonl", "b/1.jsonl", "b/2.jsonl",
    ]  # fmt: skip
    (tmp_path / "empty").mkdir()
    with pytest.raises(SendError, match="no files with a name"):
        list(stored_files(str(tmp_path / "empty")))
