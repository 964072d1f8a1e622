"""CloudEvents of payload loggers: envelopes, payloads, and the joining of pairs."""

from __future__ import annotations

import base64
import contextlib
import json
from collections import Counter
from time import process_time
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.offline import NOW, Offline
from support.payload_logger import headers, rfc3339

from mlguard.protocol import MAX_FEATURES
from mlguard_sidecar.config import BaselineConfig, CloudEventsConfig, Config
from mlguard_sidecar.config.schema import ModelCloudEventsConfig, ModelConfig
from mlguard_sidecar.ingest.cloudevents import CloudEventReceiver
from mlguard_sidecar.ingest.cloudevents.dropped import DroppedError
from mlguard_sidecar.ingest.cloudevents.envelope import (
    BATCHED_TYPE,
    STRUCTURED_TYPE,
    read_binary,
    read_structured,
)
from mlguard_sidecar.ingest.cloudevents.join import MAX_WAITING_BYTES, DuplicateError, JoinBuffer
from mlguard_sidecar.ingest.cloudevents.payload import read_request, read_response
from mlguard_sidecar.ingest.cloudevents.receiver import Received
from mlguard_sidecar.telemetry import CLOUDEVENT_RESULTS, DropReason
from mlguard_sidecar.wire import ModelKey


def raw(value) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


# payloads


def tensor(name, shape, data, datatype="FP32"):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


@pytest.mark.parametrize(
    ("body", "names", "rows", "columns"),
    [
        ({"instances": [[1, 2], [3, 4]]}, (), 2, {"f0": [1, 3], "f1": [2, 4]}),
        ({"instances": [[1, 2]]}, ("a", "b"), 1, {"a": [1], "b": [2]}),
        ({"instances": [[1, 2]]}, ("a",), 1, {"f0": [1], "f1": [2]}),
        ({"instances": [[1, 2], [3]]}, (), 2, {"f0": [1, 3], "f1": [2, None]}),
        ({"instances": [5, "x"]}, (), 2, {"f0": [5, "x"]}),
        ({"instances": [{"a": 1}, {"a": 2, "b": [3]}]}, (), 2, {"a": [1, 2], "b": [None, 3]}),
        ({"instances": []}, (), 0, {}),
        ({"inputs": [[1, 2]]}, (), 1, {"f0": [1], "f1": [2]}),
        ({"inputs": {"a": [1, 2], "b": [[3], [4]]}}, (), 2, {"a": [1, 2], "b": [3, 4]}),
        ({"inputs": [tensor("x", [2, 2], [1, 2, 3, 4])]}, (), 2, {"f0": [1, 3], "f1": [2, 4]}),
        ({"inputs": [tensor("x", [2, 2], [[1, 2], [3, 4]])]}, "ab", 2, {"a": [1, 3], "b": [2, 4]}),
        (
            {"inputs": [tensor("a", [2], [1, 2]), tensor("b", [2, 1], [["u"], ["v"]])]},
            (),
            2,
            {"a": [1, 2], "b": ["u", "v"]},
        ),
        (
            {"inputs": [tensor("x", [1, 2], [1, 2]), tensor("y", [1, 2], [3, 4])]},
            (),
            1,
            {"x_0": [1], "x_1": [2], "y_0": [3], "y_1": [4]},
        ),
        (
            {"inputs": [tensor("x", [1, 2], [1, 2]), tensor("b", [1], [9])]},
            ("p", "q"),
            1,
            {"p": [1], "q": [2], "b": [9]},
        ),
        ({"inputs": [tensor("image", [2, 1, 2, 2], list(range(8)))]}, (), 2, {"image": [[], []]}),
        ({"inputs": [tensor("x", [0, 3], [])]}, (), 0, {"f0": [], "f1": [], "f2": []}),
        ({"data": {"names": ["a", "b"], "ndarray": [[1, 2]]}}, (), 1, {"a": [1], "b": [2]}),
        (
            {"data": {"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}}},
            ("a", "b"),
            2,
            {"a": [1, 3], "b": [2, 4]},
        ),
        (b'{"instances": [[NaN, 1.5]]}', (), 1, {"f0": [None], "f1": [1.5]}),
    ],
)
def test_features_are_read_from_each_form_of_a_request(body, names, rows, columns):
    assert read_request(raw(body), names) == (rows, columns)


@pytest.mark.parametrize(
    ("body", "y_pred", "y_proba"),
    [
        ({"predictions": [1, 0]}, [1, 0], None),
        ({"predictions": [[1], [0]]}, [1, 0], None),
        ({"predictions": ["yes"]}, ["yes"], None),
        ({"predictions": [[0.25, 0.75]]}, ["1"], [{"0": 0.25, "1": 0.75}]),
        ({"predictions": [[0.2, 0.8], [0.9, 0.5]]}, [[0.2, 0.8], [0.9, 0.5]], None),
        ({"predictions": [{"label": "a", "score": 0.9}]}, ["a"], [0.9]),
        ({"predictions": [{"label": "a", "probabilities": [0.9, 0.1]}]}, ["a"],
         [{"0": 0.9, "1": 0.1}]),
        ({"predictions": [{"probabilities": {"x": 0.4, "y": 0.6}}]}, ["y"], [{"x": 0.4, "y": 0.6}]),
        ({"predictions": [{"score": 12.5}]}, [12.5], None),
        ({"predictions": [{"price": 3}, {"price": 4}]}, [3, 4], None),
        ({"outputs": {"price": [3, 4]}}, [3, 4], None),
        ({"outputs": [tensor("output-0", [2], [3, 4])]}, [3, 4], None),
        ({"outputs": [tensor("output-0", [2, 2], [0.5, 0.5, 0, 1])]}, ["0", "1"],
         [{"0": 0.5, "1": 0.5}, {"0": 0, "1": 1}]),
        ({"outputs": [tensor("predict_proba", [1, 2], [0.1, 0.9]), tensor("predict", [1], [0])]},
         [0], [{"0": 0.1, "1": 0.9}]),
        ({"outputs": [tensor("predict_proba", [2, 1], [0.1, 0.9])]}, None, [0.1, 0.9]),
        ({"data": {"names": ["proba"], "ndarray": [[0.2]]}}, None, [0.2]),
        ({"data": {"names": ["t:0", "t:1"], "ndarray": [[0.2, 0.8]]}}, ["t:1"],
         [{"t:0": 0.2, "t:1": 0.8}]),
        ({"data": {"names": [], "ndarray": [4.0]}}, [4.0], None),
    ],
)  # fmt: skip
def test_predictions_are_found_in_each_form_of_a_response(body, y_pred, y_proba):
    found = read_response(raw(body))
    assert (found.y_pred, found.y_proba) == (y_pred, y_proba)


def test_configured_names_of_outputs_go_before_the_usual_ones():
    body = raw({"predictions": [{"label": "a", "decision": "b", "p": 0.5, "score": 0.1}]})
    assert read_response(body, "decision", "p")[1:] == (["b"], [0.5])
    assert read_response(body, "nothing")[1:] == (None, [0.1])
    body = raw({"outputs": [tensor("a", [1], [1]), tensor("b", [1], [2])]})
    assert read_response(body, "b")[1:] == ([2], None)


@given(st.integers(1, 5), st.integers(2, 6), st.data())
def test_a_tensor_is_read_as_numpy_reads_it(rows, width, data):
    numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
    values = data.draw(st.lists(numbers, min_size=rows * width, max_size=rows * width))
    matrix = np.array(values).reshape(rows, width)
    is_nested = data.draw(st.booleans())
    sent = matrix.tolist() if is_nested else values
    found = read_request(raw({"inputs": [tensor("x", [rows, width], sent)]}))
    assert list(found.columns.values()) == matrix.T.tolist()


@given(st.lists(st.lists(st.floats(0, 10), min_size=3, max_size=3), min_size=1, max_size=5))
def test_probabilities_of_all_classes_are_known_by_their_sum(rows):
    matrix = np.array(rows) + 0.01
    matrix /= matrix.sum(axis=1, keepdims=True)
    found = read_response(raw({"predictions": matrix.tolist()}))
    assert list(map(int, found.y_pred)) == matrix.argmax(axis=1).tolist()
    assert [list(each.values()) for each in found.y_proba] == matrix.tolist()


def binary(name, shape, datatype, data):
    parameters = {"binary_data_size": len(data)}
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": parameters}


TEXTS = b"".join(len(t).to_bytes(4, "little") + t for t in ("é".encode(), b""))


@given(
    st.sampled_from(["<i1", "<i8", "<u2", "<f4", "<f8", "?"]),
    st.lists(st.integers(0, 1), min_size=1, max_size=6),
)
def test_binary_tensors_are_read_as_numpy_writes_them(dtype, values):
    kind = {"i": "INT", "u": "UINT", "f": "FP"}.get(dtype[1:2])
    datatype = f"{kind}{int(dtype[2:]) * 8}" if kind else "BOOL"
    data = np.array(values, dtype).tobytes()
    rows = len(values)
    head = [binary("a", [rows], datatype, data), tensor("b", [rows], values, "INT64")]
    found = read_request(raw({"id": "é", "inputs": head}) + data)
    assert found == (rows, {"a": values, "b": values})
    assert read_response(raw({"outputs": head}) + data).y_pred == values


def test_binary_texts_are_read():
    body = raw({"inputs": [binary("a", [2], "BYTES", TEXTS)]}) + TEXTS
    assert read_request(body).columns == {"a": ["é", ""]}


@pytest.mark.parametrize(
    ("head", "data", "reason"),
    [
        (binary("a", [1], "FP32", b"1234"), b"123", "unparsable"),
        (binary("a", [1], "FP32", b"1234"), b"12345", "unparsable"),
        (binary("a", [1], "FP32", b"123"), b"123", "unparsable"),
        (binary("a", [2], "FP32", b"1234"), b"1234", "unparsable"),
        (binary("a", [1], "BYTES", b"\xff\0\0\0a"), b"\xff\0\0\0a", "unparsable"),
        (binary("a", [1], "BYTES", b"\xff\0"), b"\xff\0", "unparsable"),
        (binary("a", [2], "BF16", b"1234"), b"1234", "unsupported"),
        ({"name": "a", "parameters": {"binary_data_size": -1}}, b"x", "unparsable"),
        ({"name": "a", "parameters": ["binary_data_size"]}, b"x", "unparsable"),
        ("binary_data_size", b"x", "unparsable"),
    ],
)
def test_binary_tensors_that_cannot_be_read_have_a_reason(head, data, reason):
    for key, read in (("inputs", read_request), ("outputs", read_response)):
        with pytest.raises(DroppedError) as error:
            read(raw({key: [head]}) + data)
        assert error.value.reason == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "unsupported"),
        (b"\x1f\x8b\x08\x00", "unsupported"),
        (b"\x00\x00\x00\x00\x05\x0a\x03abc", "unsupported"),
        (b'{"instances": [[1, 2]', "unparsable"),
        (b'{"instances": [[NaN, 2]', "unparsable"),
        (b'{"instances": ["\xff"]}', "unparsable"),
        (b'{"instances": ' + b"[" * 100_000, "unparsable"),
        ({"query": "x"}, "unsupported"),
        ([1, 2], "unparsable"),
        ({"instances": 3}, "unsupported"),
        ({"instances": [{f"n{i}": 1} for i in range(5000)]}, "unsupported"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, "unparsable"),
        ({"inputs": [tensor("x", [2], [1, 2, 3])]}, "unparsable"),
        ({"inputs": [tensor("x", [-1], [1])]}, "unparsable"),
        ({"inputs": [tensor("x", [10**12, 0], [])]}, "unparsable"),
        ({"inputs": [tensor("x", [1], "abc")]}, "unparsable"),
        ({"inputs": [tensor("x", [1], [1]), tensor("y", [2], [1, 2])]}, "unparsable"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32",
                      "parameters": {"binary_data_size": 4}}]}, "unparsable"),
        ({"data": {"names": ["a"]}}, "unsupported"),
        ({"data": "text"}, "unparsable"),
        ({"strData": "hello"}, "unsupported"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_has_a_reason(body, reason):
    for read in (read_request, read_response):
        text = raw(body)
        if read is read_response:
            text = text.replace(b'"instances"', b'"predictions"').replace(b'"inputs"', b'"outputs"')
        with pytest.raises(DroppedError) as error:
            read(text)
        assert error.value.reason == reason
        assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": [tensor(str(i), [1, 2], [1, 2]) for i in range(40_000)]},
        {"inputs": {str(i): [1] for i in range(40_000)}},
        {"instances": [{str(i): 1 for i in range(40_000)}]},
    ],
)
def test_more_names_than_a_row_may_have_are_dropped_soon(body):
    data, start = raw(body), process_time()
    with pytest.raises(DroppedError) as caught:
        read_request(data)
    assert caught.value.reason == "too_large"
    # mostly the collector, which goes through what the tests have in memory
    assert process_time() - start < 1


def test_as_many_tensors_as_a_row_may_have_features_are_read():
    found = [tensor(f"x{i}", [1, 2], [1, 2]) for i in range(MAX_FEATURES)]
    assert len(read_request(raw({"inputs": found})).columns) == 2 * MAX_FEATURES


def test_rows_of_different_kinds_are_not_read():
    with pytest.raises(DroppedError, match="different kinds"):
        read_request(raw({"instances": [[1], {"a": 1}]}))


@given(st.binary(max_size=60))
def test_random_bytes_are_dropped_and_raise_nothing_else(body):
    with pytest.raises(DroppedError):
        read_request(body)


SHAPES = st.lists(st.integers(-1, 3), max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "shape", "data", "names", "ndarray", "tensor", "parameters", "a"]
            ),
            inner | SHAPES,
            max_size=4,
        )
    ),
    max_leaves=12,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["instances", "inputs", "predictions", "outputs", "data"]), JSON, max_size=3
)


@given(MEMBERS, st.sampled_from([b"", b"binary", b'"binary_data_size"', b"\xff"]))
def test_any_json_is_read_as_columns_of_one_length_or_dropped(body, tail):
    for read in (read_request, read_response):
        try:
            found = read(raw(body) + tail)
        except DroppedError:
            continue
        columns = found.columns.values() if read is read_request else found[1:]
        assert {len(column) for column in columns if column is not None} <= {found.rows}


# envelopes


def structured(half, name, body, **more):
    own = {k[3:].lower(): v for k, v in headers(half, name, **more).items() if k.startswith("Ce-")}
    return own | {"data": body, "datacontenttype": "application/json"}


def test_each_mode_gives_the_same_event():
    body = {"instances": [[1]]}
    times = {"Ce-Time": "2026-11-26T05:00:00.123456789Z", "Ce-Recordedtime": "x"}
    own = {k.lower(): v for k, v in headers("request", "a%2Fb", **times).items()}
    first = read_binary(own, raw(body))
    packed = structured("request", "a/b", None, **times)
    del packed["data"]
    packed["data_base64"] = base64.b64encode(raw(body)).decode()
    for other in (
        structured("request", "a/b", body, **times),
        structured("request", "a/b", json.dumps(body), **times),
        packed,
    ):
        found = read_structured(raw(other))
        assert found[:4] == first[:4]
        assert json.loads(found.data) == body
    assert first.key == ("http://localhost:9081/", "a/b")
    assert first.time == pytest.approx(1795669200.123456)
    assert first.is_timed
    assert not first.is_response


@given(
    st.dictionaries(
        st.sampled_from(["id", "source", "type", "time", "data", "data_base64", "namespace"]),
        JSON | st.just("a.request") | st.text(),
    )
)
def test_any_structured_event_is_read_or_dropped(event):
    with contextlib.suppress(DroppedError):
        read_structured(raw(event))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ce-id": ""}, "unparsable"),
        ({"ce-source": ""}, "unparsable"),
        ({"ce-type": ""}, "unparsable"),
        ({"ce-id": "x" * 2000}, "unparsable"),
        ({"ce-type": "io.seldon.serving.feedback"}, "unsupported"),
    ],
)
def test_a_broken_envelope_has_a_reason(change, reason):
    own = {k.lower(): v for k, v in headers("request", "1").items()} | change
    with pytest.raises(DroppedError) as error:
        read_binary(own, b"{}")
    assert error.value.reason == reason


def test_seldon_s_request_id_joins_the_events_of_one_node():
    own = {
        "ce-id": "1", "ce-source": "http://x/", "ce-type": "io.seldon.serving.inference.request",
        "ce-requestid": "r", "ce-modelid": "node",
    }  # fmt: skip
    answer = own | {"ce-id": "2", "ce-type": "io.seldon.serving.inference.response"}
    assert read_binary(own, b"").key == read_binary(answer, b"").key
    assert read_binary(answer, b"").is_response
    assert read_binary(own | {"ce-modelid": "other"}, b"").key != read_binary(own, b"").key


# joining


@given(
    st.lists(st.sampled_from(["pair", "request", "response"]), max_size=8),
    st.data(),
)
def test_any_order_with_duplicates_joins_each_pair_once(kinds, data):
    now = [0.0]
    buffer = JoinBuffer(60, 100, lambda: now[0])
    halves = [
        (i, is_response)
        for i, kind in enumerate(kinds)
        for is_response in (False, True)
        if kind in ("pair", ("request", "response")[is_response])
    ]
    events = data.draw(st.permutations(halves * 2))
    found, duplicates = [], 0
    for i, is_response in events:
        add = buffer.add_response if is_response else buffer.add_request
        try:
            other = add(i, (i, is_response), 100)
        except DuplicateError:
            duplicates += 1
        else:
            found += [] if other is None else [i]
            assert other in (None, (i, not is_response))
    assert sorted(found) == [i for i, kind in enumerate(kinds) if kind == "pair"]
    assert duplicates == len(halves)
    now[0] = 60.0
    buffer.expire()
    assert (buffer.expired_requests, buffer.expired_responses) == (
        kinds.count("request"), kinds.count("response")
    )  # fmt: skip
    assert len(buffer) == 0


def test_an_id_may_be_used_again_after_the_time_limit():
    now = [0.0]
    buffer = JoinBuffer(60, 100, lambda: now[0])
    for start in (0.0, 60.0):
        now[0] = start
        assert buffer.add_request("a", "q", 1) is None
        assert buffer.add_response("a", "r", 1) == "q"
        now[0] = start + 59.9
        with pytest.raises(DuplicateError):
            buffer.add_request("a", "q", 1)


def test_beyond_a_limit_the_oldest_goes():
    buffer = JoinBuffer(60, 3, lambda: 0.0)
    for name in "abcd":
        buffer.add_request(name, name, 1)
    assert buffer.expired_requests == 1
    assert buffer.add_response("a", "A", 1) is None
    assert buffer.add_response("d", "D", 1) == "d"
    buffer = JoinBuffer(60, 100, lambda: 0.0)
    for name in "abc":
        buffer.add_response(name, name, MAX_WAITING_BYTES // 2)
    assert (len(buffer), buffer.expired_responses) == (2, 1)


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.booleans(), st.integers(1, 40), st.sampled_from("abc")),
        max_size=60,
    )
)
def test_beyond_a_limit_the_owner_of_most_loses_its_oldest(adds):
    buffer = JoinBuffer(60, 5, lambda: 0.0)
    waiting, joined, dropped = {}, set(), 0
    for name, is_response, size, owner in adds:
        key = owner, name
        add = buffer.add_response if is_response else buffer.add_request
        with contextlib.suppress(DuplicateError):
            add(key, name, size, owner)
        if key in joined or waiting.get(key, (not is_response, 0))[0] == is_response:
            continue
        if waiting.pop(key, None):
            joined.add(key)
            continue
        waiting[key] = is_response, size
        if len(waiting) > 5:
            held = Counter()
            for (each, _), (_, own) in waiting.items():
                held[each] += own
            gone = [k for k in waiting if k not in buffer._waiting]
            assert len(gone) == 1
            assert held[gone[0][0]] == max(held.values())
            assert gone[0] == next(k for k in waiting if k[0] == gone[0][0])
            del waiting[gone[0]]
            dropped += 1
        assert list(waiting) == list(buffer._waiting)
    assert buffer.expired_requests + buffer.expired_responses == dropped


def test_the_owner_of_most_is_found_among_many_soon():
    buffer = JoinBuffer(60, 10_000, lambda: 0.0)
    start = process_time()
    for i in range(30_000):
        buffer.add_request(i, i, 1, i)
    assert process_time() - start < 2
    assert (len(buffer), buffer.expired_requests) == (10_000, 20_000)


# all together


class Receiving:
    """A receiver with a data path and a clock of its own."""

    def __init__(self, folder, config=None):
        self.offline = Offline(folder, config)
        self.receiver = CloudEventReceiver(
            self.offline.pipeline,
            self.offline.telemetry,
            lambda: self.offline.config,
            lambda: self.offline.now,
        )

    def take(self, half, name, body, projects=None, **more):
        own = {k.lower(): v for k, v in headers(half, name, **more).items()}
        self.receiver.take(Received("application/json", own, raw(body), projects))

    def pair(self, name, request, response, **more):
        self.take("request", name, request, **more)
        self.take("response", name, response, **more)

    def results(self):
        """What became of all events, without what became of none."""
        self.receiver.count()
        assert self.offline.commit()
        families = {family.name: family for family in self.offline.telemetry.collect()}
        found = families["mlguard_sidecar_cloudevents"].samples
        return {s.labels["result"]: s.value for s in found if s.value}

    def committed(self):
        return self.offline.counts["events_committed", "cloudevents"]

    @property
    def models(self):
        return list(self.offline.registry.views)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.offline.close()


@pytest.fixture
def receiving(tmp_path):
    with Receiving(tmp_path) as made:
        yield made


KEY = ModelKey("shop", "churn", "predict")
V1 = {"instances": [[1, "a"], [2, "b"]]}, {"predictions": [0, 1]}


def test_an_inference_of_n_rows_is_n_events_with_one_latency(receiving):
    own = {"Ce-Recordedtime": "x"}
    receiving.take("request", "1", V1[0], **{"Ce-Time": rfc3339(NOW - 1)}, **own)
    receiving.take("response", "1", V1[1], **{"Ce-Time": rfc3339(NOW - 0.75)}, **own)
    assert receiving.results() == {"joined": 2}
    assert receiving.committed() == 2
    assert receiving.models == [KEY]
    figures = receiving.offline.figures()
    assert figures["inference_latency_seconds_sum",] == pytest.approx(0.25)
    assert figures["inference_latency_seconds_count",] == 1


@pytest.mark.parametrize(
    ("request_headers", "response_headers"),
    [
        ({"Ce-Time": rfc3339(NOW)}, {"Ce-Time": rfc3339(NOW)}),  # when they were sent
        ({"Ce-Recordedtime": "x"}, {"Ce-Time": rfc3339(NOW), "Ce-Recordedtime": "x"}),
        (
            {"Ce-Time": rfc3339(NOW), "Ce-Recordedtime": "x"},
            {"Ce-Time": rfc3339(NOW - 1), "Ce-Recordedtime": "x"},
        ),
        (
            {"Ce-Time": "noon", "Ce-Recordedtime": "x"},
            {"Ce-Time": rfc3339(NOW), "Ce-Recordedtime": "x"},
        ),
    ],
)
def test_without_exact_times_there_is_no_latency(receiving, request_headers, response_headers):
    receiving.take("request", "1", V1[0], **request_headers)
    receiving.take("response", "1", V1[1], **response_headers)
    assert receiving.results() == {"joined": 2}
    assert receiving.committed() == 2
    assert not receiving.offline.figures().get(("inference_latency_seconds_count",))


@hypothesis_settings(max_examples=25)
@given(st.lists(st.sampled_from(["pair", "request", "response", "binary"]), max_size=6), st.data())
def test_every_event_has_one_result_and_every_pair_is_counted_once(tmp_path_factory, kinds, data):
    rows = [data.draw(st.integers(1, 4)) for _ in kinds]
    events, expected = [], Counter()
    for i, kind in enumerate(kinds):
        for half in ("request", "response"):
            if kind not in ("pair", half, "binary"):
                continue
            body = {"instances": [[j] for j in range(rows[i])]}
            if half == "response":
                body = {"predictions": list(range(rows[i]))}
            events.append((half, str(i), b"\x00\x01" if kind == "binary" else body))
            expected[{"pair": "joined", "binary": "unsupported"}.get(kind, "orphan")] += 1
    again = [e for e in events if e[2] != b"\x00\x01" and data.draw(st.booleans())]
    with Receiving(tmp_path_factory.mktemp("data")) as receiving:
        for event in data.draw(st.permutations(events + again)):
            receiving.take(*event)
        receiving.offline.now += 61
        receiving.receiver.drop_expired()
        found = receiving.results()
        found["orphan"] = found.pop("no_request", 0) + found.pop("no_response", 0)
        assert Counter(found) == expected + Counter(duplicate=len(again))
        assert receiving.committed() == sum(
            n for n, kind in zip(rows, kinds, strict=True) if kind == "pair"
        )


def test_bad_values_cost_themselves_and_not_the_inferences_beside_them(receiving):
    receiving.pair("1", {"instances": [{"a": 1}]}, {"predictions": [1]})
    receiving.pair("2", {"instances": [{"a": {"b": 1}}]}, {"predictions": [[1, 2]]})
    receiving.pair("3", {"instances": [{"a": 3}]}, {"predictions": [0]})
    receiving.pair("4", {"instances": [{"a": 3}]}, {"predictions": [0, 1]})
    receiving.pair("5", {"instances": []}, {"predictions": []})
    assert receiving.results() == {"joined": 8, "uneven": 2}
    assert receiving.committed() == 3
    counts = receiving.offline.counts
    assert counts["invalid_values", "cloudevents", "bad_feature"] == 1
    assert counts["invalid_values", "cloudevents", "bad_prediction"] == 1


def test_models_are_named_by_templates(tmp_path):
    config = Config(
        baseline=BaselineConfig(events=0),
        cloudevents=CloudEventsConfig(
            project="prod", model="{namespace}.{inferenceservicename}", endpoint="{component}"
        ),
        models=[
            ModelConfig(
                project="prod",
                model="shop.churn",
                cloudevents=ModelCloudEventsConfig(
                    feature_names=["age", "plan"], y_pred="decision", y_proba="p"
                ),
            )
        ],
    )
    receiving = Receiving(tmp_path, config)
    receiving.pair("1", V1[0], {"predictions": [{"decision": 1, "p": 0.5, "label": 7}] * 2})
    receiving.pair("2", *V1, **{"Ce-Component": "", "Ce-Namespace": ""})
    assert receiving.results() == {"joined": 4}
    assert receiving.models == [
        ModelKey("prod", "shop.churn", "predictor"), ModelKey("prod", ".churn", "predict")
    ]  # fmt: skip
    schema = receiving.offline.registry.views[receiving.models[0]].schema
    assert {column.name for column in schema.extras} >= {"age", "plan"}
    receiving.offline.close()


def test_a_reload_renames(receiving):
    receiving.pair("1", *V1)
    receiving.offline.config = Config(cloudevents=CloudEventsConfig(model="other"))
    receiving.pair("2", *V1)
    receiving.results()
    assert [key.model for key in receiving.models] == ["churn", "other"]


def test_events_without_a_model_or_of_other_projects_are_dropped(receiving):
    receiving.pair("1", *V1, **{"Ce-Inferenceservicename": ""})
    receiving.pair("2", *V1, projects=frozenset({"other"}))
    receiving.pair("3", *V1, projects=frozenset({"shop"}))
    assert receiving.results() == {"unnamed": 2, "forbidden_project": 2, "joined": 2}
    assert {r.reason for r in receiving.offline.pipeline.rejects} == {
        "unnamed", "forbidden_project"
    }  # fmt: skip


@pytest.mark.parametrize(("first", "second"), [("request", "response"), ("response", "request")])
@pytest.mark.parametrize(("own", "foreign"), [("shop", "else"), ("else", "shop")])
def test_a_limited_key_neither_completes_nor_takes_what_is_of_another_project(
    receiving, own, foreign, first, second
):
    bodies = dict(zip(("request", "response"), V1, strict=True))
    mine = {"projects": frozenset({own}), "Ce-Namespace": own}
    others = {"projects": frozenset({foreign}), "Ce-Namespace": foreign}
    receiving.take(first, "1", bodies[first], **mine)
    receiving.take(second, "1", bodies[second], **others)
    receiving.take(second, "1", bodies[second], **others | {"Ce-Namespace": own})
    assert receiving.results() == {"forbidden_project": 1}
    assert receiving.models == []
    receiving.take(second, "1", bodies[second], **mine)
    assert receiving.results() == {"forbidden_project": 1, "joined": 2}
    assert receiving.models == [ModelKey(own, "churn", "predict")]


def test_large_requests_do_not_cost_what_waits_of_other_models(receiving):
    receiving.take("request", "1", V1[0])
    image = raw({"instances": [[[[0.5] * 500] * 10] * 200]})
    for i in range(4):
        receiving.take("request", f"image {i}", image, **{"Ce-Inferenceservicename": "image"})
    assert receiving.results()["no_response"] > 0
    receiving.take("response", "1", V1[1])
    assert receiving.results()["joined"] == 2


def test_an_image_is_charged_with_what_is_kept_of_it(receiving):
    image = raw({"inputs": [tensor("x", [1, 1000, 1000], [0] * 1_000_000)]})
    for i in range(10):
        receiving.take("request", str(i), image)
    assert receiving.results() == {}
    assert receiving.receiver.waiting == 10


def test_a_batch_holds_many_events_and_each_costs_itself(receiving):
    events = [
        structured("request", "1", V1[0]),
        7,
        structured("response", "1", V1[1]),
        structured("response", "2", "{"),
    ]
    many = b"[" + b"1," * 10_000 + b"1]"
    for kind, body in (
        (BATCHED_TYPE, raw(events)),
        (BATCHED_TYPE, b"{}"),
        (BATCHED_TYPE, many),
        (BATCHED_TYPE, b" " * (3 << 20)),
        (STRUCTURED_TYPE, b"\xff"),
    ):
        for event in receiving.receiver.split(Received(kind, {}, body, None)):
            receiving.receiver.take(event)
    assert receiving.results() == {"joined": 2, "unparsable": 4, "too_large": 2}


def test_the_results_are_the_reasons_and_joined():
    assert {*get_args(DropReason), "joined"} == set(CLOUDEVENT_RESULTS)


@pytest.mark.parametrize("template", ["", "{", "{Namespace}", "{a}}", "{a.b}"])
def test_a_template_is_checked(template):
    with pytest.raises(ValueError, match="expected text with"):
        CloudEventsConfig(model=template)
