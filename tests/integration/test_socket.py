"""The event socket: what is counted, what is answered, and who is disturbed."""

from __future__ import annotations

import contextlib
import json
import socket
import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from support.sidecar import Client, eventually, resident_mebibytes, total

from mlguard_sidecar.wire import find_seq

EVENT = {"project_id": "p", "model_id": "m", "latency_ms": 5, "features": {"x": 1.5}}
BATCH = {"project_id": "p", "model_id": "m"}


def line(**changes) -> bytes:
    return json.dumps(EVENT | changes).encode()


HOSTILE = [
    ("not JSON", b"hello", "bad_json"),
    ("half an object", b'{"project_id": "p"', "bad_json"),
    ("a broken number", b'{"latency_ms": 1.2.3}', "bad_json"),
    ("an array", b"[1, 2]", "not_an_object"),
    ("a text", b'"event"', "not_an_object"),
    ("null", b"null", "not_an_object"),
    ("a number for an id", line(project_id=7), "bad_id"),
    ("invalid UTF-8 in an id", b'{"project_id": "\xff\xfe", "model_id": "m"}', "bad_id"),
    ("a hello that is none", b'{"hello": {"client": 7}}', "wrong_type"),
    ("columns as a list", json.dumps(BATCH | {"columns": [1]}).encode(), "wrong_type"),
    (
        "a seq of 0",
        json.dumps(BATCH | {"seq": 0, "columns": {"y_pred": [1]}}).encode(),
        "wrong_type",
    ),
    ("no ids", b"{}", "missing_id"),
    ("no model", b'{"project_id": "p"}', "missing_id"),
    ("an empty id", line(project_id=""), "bad_id"),
    ("a line feed in an id", line(model_id="a\nb"), "bad_id"),
    ("an id of 129 characters", line(model_id="m" * 129), "bad_id"),
    ("the year 1970", line(timestamp="1970-01-01T00:00:00Z"), "too_old"),
    ("epoch zero", line(timestamp=0), "too_old"),
    ("the year 9999", line(timestamp="9999-12-31T23:59:59Z"), "in_future"),
    ("milliseconds for seconds", line(timestamp=time.time() * 1000), "in_future"),
    ("a time that is none", line(timestamp="yesterday"), "bad_timestamp"),
    ("a time beyond floats", line(timestamp=10**400), "bad_timestamp"),
    ("a bool for a time", line(timestamp=False), "bad_timestamp"),
    ("a lone surrogate in a hello", b'{"hello": "\\ud800"}', "wrong_type"),
    ("a lone surrogate in stats", b'{"stats": "\\udc80"}', "wrong_type"),
    ("the 31st of February", line(timestamp="2026-02-31T00:00:00Z"), "bad_timestamp"),
    ("deep nesting", b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "bad_json"),
    ("a lone surrogate", b'{"project_id": "\\ud800", "model_id": "m"}', "bad_id"),
    ("a line of 2 MiB", b'{"project_id": "' + b"x" * (2 << 20) + b'"}', "line_too_long"),
    (
        "columns of two lengths",
        json.dumps(BATCH | {"columns": {"y_pred": [1, 2], "latency_ms": [1]}}).encode(),
        "uneven_columns",
    ),
    (
        "a batch without a model",
        json.dumps({"project_id": "p", "columns": {"y_pred": [1]}}).encode(),
        "missing_id",
    ),
    (
        "a batch of 65,537 rows",
        json.dumps(BATCH | {"columns": {"y_pred": [1] * 65_537}}).encode(),
        "too_many_rows",
    ),
]


def rejected(sidecar) -> dict[str, float]:
    found = sidecar.metrics()
    return {
        dict(labels)["reason"]: value
        for (name, labels), value in found.items()
        if name == "mlguard_sidecar_events_rejected_total" and value
    }


def test_hostile_lines_are_counted_answered_and_disturb_nobody(sidecar):
    expected: dict[str, float] = {}
    good = 0
    with sidecar.connection() as other, sidecar.connection() as listening:
        listening.hello("listening")
        for what, bad, reason in HOSTILE:
            listening.send(bad)
            answer = listening.receive()
            assert answer["error"]["reason"] == reason, (what, answer)
            assert answer["error"]["message"], what
            expected[reason] = expected.get(reason, 0) + answer["error"]["rows"]
            other.send(EVENT)
            listening.send(EVENT)  # the connection lives on
            good += 2
        eventually(lambda: sidecar.value("mlguard_inferences_total") == good)
    assert rejected(sidecar) == expected
    found = sidecar.metrics()
    counted = total(found, "mlguard_sidecar_events_committed_total")
    received = total(found, "mlguard_sidecar_events_received_total")
    assert counted == good
    assert received == good + sum(expected.values())
    assert total(found, "mlguard_sidecar_events_pending") == 0


ODD = [
    ("a text for a latency", line(latency_ms="fast"), "bad_latency"),
    ("a bool for a latency", line(latency_ms=True), "bad_latency"),
    ("a negative latency", line(latency_ms=-1), "bad_latency"),
    ("a latency of two days", line(latency_ms=2e8), "bad_latency"),
    ("a list for a latency", line(latency_ms=[1]), "bad_latency"),
    ("a probability of 2", line(y_proba=2), "bad_proba"),
    ("a probability below 0 in an object", line(y_proba={"a": -3}), "bad_proba"),
    ("a text for a probability", line(y_proba="sure"), "bad_proba"),
    ("a list of probabilities", line(y_proba=[0.5, 0.5]), "bad_proba"),
    ("a list for a prediction", line(y_pred=["a"]), "bad_prediction"),
    ("an object for a prediction", line(y_pred={"a": 1}), "bad_prediction"),
    ("an object for a feature", line(features={"x": {"y": 1}}), "bad_feature"),
    ("a list for a feature", line(features={"x": [1]}), "bad_feature"),
    ("features as a list", line(features=[1, 2]), "bad_feature"),
    ("features as a text", line(features="x=1"), "bad_feature"),
    ("a line feed in a feature's name", line(features={"a\nb": 1}), "bad_feature_name"),
    ("no space but one that does not print", line(features={"a\u00a0b": 1}), "bad_feature_name"),
    ("a feature's name of 129 characters", line(features={"x" * 129: 1}), "bad_feature_name"),
    ("an empty name of a feature", line(features={"": 1}), "bad_feature_name"),
    ("a prediction of 5,000 digits and a list", line(y_pred=10**4000, y_proba=[]), "bad_proba"),
    (
        "a feature's name that is not UTF-8",
        b'{"project_id": "p", "model_id": "m", "latency_ms": 5, "features": {"caf\xe9": 1}}',
        "bad_utf8",
    ),
    (
        "a text that is not UTF-8",
        b'{"project_id": "p", "model_id": "m", "latency_ms": 5, "features": {"x": "Montr\xe9al"}}',
        "bad_utf8",
    ),
    ("60,000 features", line(features={f"f{i}": 1 for i in range(60_000)}), "too_many_features"),
]


def counted_values(sidecar) -> dict[str, float]:
    return {
        dict(labels)["reason"]: value
        for (name, labels), value in sidecar.metrics().items()
        if name == "mlguard_sidecar_invalid_values_total" and value
    }


def test_an_odd_value_costs_itself_and_is_counted_under_its_reason(sidecar):
    expected: dict[str, float] = {}
    with sidecar.connection() as client:
        client.hello("odd")
        for what, odd, reason in ODD:
            client.send(odd)
            answer = client.receive()
            assert answer["warning"]["reason"] == reason, (what, answer)
            assert answer["warning"]["message"], what
            expected[reason] = expected.get(reason, 0) + answer["warning"]["values"]
        eventually(lambda: sidecar.value("mlguard_inferences_total") == len(ODD))
    assert rejected(sidecar) == {}
    assert counted_values(sidecar) == expected
    assert expected["too_many_features"] == 60_000 - 512
    assert sidecar.value("mlguard_inference_latency_seconds_count") == len(ODD) - 5


def test_a_probability_that_rounding_put_beyond_one_is_the_surest(sidecar):
    scores = [1 + 2e-16, 1.00001, 1.0001, -0.00001, 0.5, 1.001, {"a": 1.00001, "b": 0.1}]
    with sidecar.connection() as client:
        for score in scores:
            client.send(EVENT | {"y_proba": score})
        eventually(lambda: sidecar.value("mlguard_inferences_total") == len(scores))
        client.hello("batch")
        columns = {"y_proba": [*scores, None]}
        client.send(BATCH | {"seq": 1, "columns": columns})
        assert client.receive()["warning"] == {
            "reason": "bad_proba",
            "message": "y_proba: expected a number from 0 to 1",
            "values": 1,
            "seq": 1,
        }
        client.wait_for_ack(1)
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 15)
    clamped = [1, 1, 1, 0, 0.5, 1]
    mean = sidecar.value("mlguard_prediction_score_mean", window="1h")
    assert mean == pytest.approx(np.mean(clamped * 2))
    assert counted_values(sidecar) == {"bad_proba": 2}


def test_a_bad_row_of_a_batch_costs_itself_and_a_bad_cell_its_value(sidecar):
    now = time.time()
    columns = {
        "timestamp": [now, 0, now, now, None, "never", [], now + 9 * 3600],
        "latency_ms": [1, 1, -1, 1, 1, 1, 1, 1],
        "y_proba": [0.5, 0.5, 0.5, 7, 0.5, 0.5, 0.5, 0.5],
        "y_pred": ["a", "a", "b", ["c"], "a", "a", "a", "a"],
        "features": {"x": [1, 1, {"y": 2}, 4, 5, 1, 1, 1], "bad\n": [1] * 8},
    }
    with sidecar.connection() as client:
        client.hello("rows")
        client.send(BATCH | {"seq": 1, "columns": columns})
        answers = [client.receive() for _ in range(8)]
        errors = [answer["error"] for answer in answers if "error" in answer]
        assert {(a["reason"], a["rows"], a["seq"]) for a in errors} == {
            ("too_old", 1, 1),
            ("bad_timestamp", 2, 1),
            ("in_future", 1, 1),
        }
        assert "9 h ahead, as a local time" in next(
            error["message"] for error in errors if error["reason"] == "in_future"
        )
        warnings = [answer["warning"] for answer in answers if "warning" in answer]
        assert {(a["reason"], a["values"], a["seq"]) for a in warnings} == {
            ("bad_latency", 1, 1),
            ("bad_proba", 1, 1),
            ("bad_prediction", 1, 1),
            ("bad_feature", 1, 1),
            ("bad_feature_name", 8, 1),
        }
        client.wait_for_ack(1)
    assert sidecar.value("mlguard_inferences_total") == 4
    assert sidecar.value("mlguard_feature_mean", feature="x", window="1h") == pytest.approx(10 / 3)
    assert sidecar.value("mlguard_feature_invalid_ratio", feature="x", window="1h") == 0.25
    assert sidecar.value("mlguard_predictions_total", prediction="a") == 2


UNREADABLE = [
    ("no JSON", b'{"project_id":"p","seq":%d,"columns":{"y_pred":[1,}}', 1),
    ("no JSON, and the number last", b'{"columns":{"y_pred":[1,}},"seq":%d}', 1),
    ("too long", b'{"seq":%d,"columns":{"y_pred":[' + b"1," * 600_000 + b"1]}}", 1),
    (
        "columns of two lengths",
        b'{"project_id":"p","model_id":"m","seq":%d,"columns":{"y_pred":[1,2,3],"y_proba":[1]}}',
        3,
    ),
    (
        "a project that is a number",
        b'{"project_id":7,"model_id":"m","seq":%d,"columns":{"y_pred":[1,2]}}',
        2,
    ),
    (
        "a project that is not UTF-8",
        b'{"project_id":"\xff","model_id":"m","seq":%d,"columns":{"y_pred":[1,2]}}',
        2,
    ),
    ("no model", b'{"project_id":"p","seq":%d,"columns":{"y_pred":[1,2]}}', 2),
]


def test_an_unreadable_batch_is_answered_with_its_number_and_acknowledged(sidecar):
    with sidecar.connection() as client:
        client.hello("unreadable")
        for seq, (what, raw, rows) in enumerate(UNREADABLE, start=1):
            client.send(raw % seq)
            answer = client.receive()
            assert (answer["error"]["seq"], answer["error"]["rows"]) == (seq, rows), (what, answer)
            client.wait_for_ack(seq)
    with sidecar.connection() as client:
        assert client.hello("unreadable") == len(UNREADABLE)
        client.send(UNREADABLE[0][1] % 1)  # counted already
        client.wait_for_ack(len(UNREADABLE))
    assert sum(rejected(sidecar).values()) == sum(rows for *_, rows in UNREADABLE)


def test_a_batch_that_is_too_long_takes_no_number_from_the_next(sidecar):
    filler = "x" * 1_050_000
    first = json.dumps(BATCH | {"columns": {"features": {"x": [filler]}}, "seq": 1}).encode()
    second = json.dumps(BATCH | {"columns": {"features": {"x": ["a", "b"]}}, "seq": 2}).encode()
    with sidecar.connection() as client:
        client.hello("long")
        client.socket.sendall(first + b"\n" + second + b"\n")
        answer = client.receive()["error"]
        assert (answer["reason"], answer.get("seq")) in {
            ("line_too_long", 1),
            ("line_too_long", None),
        }
        client.wait_for_ack(2)
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 2)
    assert sidecar.value("mlguard_sidecar_duplicate_batches_total") == 0


def test_a_number_is_looked_for_in_linear_time():
    spaces = b'{"a":' + b" " * 100_000 + b'{"columns"'
    assert find_seq(spaces, is_whole=True) is None
    assert find_seq(b'{"a":"b" , "seq" : 7 ,"columns":{}', is_whole=False) == 7


def test_a_feature_that_is_called_seq_acknowledges_nothing(sidecar):
    with sidecar.connection() as client:
        client.hello("seq")
        client.send(b'{"project_id":"p","model_id":"m","features":{"seq": 5, "x": 1.}}')
        assert "seq" not in client.receive()["error"]
        client.send(BATCH | {"seq": 1, "columns": {"y_pred": [1]}})
        client.wait_for_ack(1)


def test_values_that_are_not_finite_count_as_missing(sidecar):
    with sidecar.connection() as client:
        for value in (1.0, float("nan"), float("inf"), float("-inf")):
            client.send(EVENT | {"features": {"x": value}, "y_proba": None})
        client.send(b'{"project_id": "p", "model_id": "m", "features": {"x": 1e400}}')
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 5)
    assert sidecar.value("mlguard_feature_missing_ratio", feature="x", window="1h") == 0.8
    assert rejected(sidecar) == {}


def test_a_value_of_the_other_kind_is_invalid_and_costs_no_event(make_sidecar):
    kinds = {"n": {"kind": "numeric"}, "c": {"kind": "categorical"}}
    sidecar = make_sidecar(models=[{"project": "p", "model": "m", "features": kinds}])
    sidecar.start()
    with sidecar.connection() as client:
        for features in ({"n": 1, "c": "a"}, {"n": "one", "c": 2}, {"n": "3", "c": []}):
            client.send(EVENT | {"features": features})
        client.send(EVENT | {"features": {"n": None}})
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 4)
    for feature in "nc":
        labels = {"feature": feature, "window": "1h"}
        assert sidecar.value("mlguard_feature_invalid_ratio", **labels) == 0.25
        assert sidecar.value("mlguard_feature_missing_ratio", **labels) == 0.25
    assert sidecar.value("mlguard_feature_mean", feature="n", window="1h") == 2


def test_a_batch_that_comes_again_is_acknowledged_and_not_counted_again(sidecar):
    batch = BATCH | {"columns": {"y_pred": ["a", "b", "a"]}}
    with sidecar.connection() as client:
        assert client.hello("again") == 0
        client.send(batch | {"seq": 1}, batch | {"seq": 1}, batch | {"seq": 2})
        client.wait_for_ack(2)
        client.send(batch | {"seq": 2})
        client.wait_for_ack(2)
    with sidecar.connection() as client:
        assert client.hello("again") == 2
        client.send(batch | {"seq": 1}, batch | {"seq": 3})
        client.wait_for_ack(3)
    assert sidecar.value("mlguard_inferences_total") == 9
    assert sidecar.value("mlguard_predictions_total", prediction="a") == 6
    assert sidecar.value("mlguard_sidecar_duplicate_batches_total") == 3


def test_a_plain_line_needs_no_reply_and_no_line_feed_at_the_end(sidecar):
    with sidecar.connection() as client:
        client.socket.sendall(line() + b"\n\n  \n" + line())
        client.socket.shutdown(socket.SHUT_WR)
        assert client.reader.read() == b""
    eventually(lambda: sidecar.value("mlguard_inferences_total") == 2)


def test_a_connection_that_ends_within_a_line_is_counted(sidecar):
    with sidecar.connection() as client:
        client.socket.sendall(line() + b"\n" + line()[:20])
    eventually(lambda: rejected(sidecar) == {"incomplete_line": 1})
    eventually(lambda: sidecar.value("mlguard_inferences_total") == 1)


def test_a_line_may_arrive_in_pieces_and_be_a_mebibyte_long(sidecar):
    padding = "x" * ((1 << 20) - len(line(y_pred="")) - 1)
    whole = line(y_pred=padding)
    assert len(whole) + 1 == 1 << 20
    with sidecar.connection() as client:
        for start in range(0, len(whole), 100_000):
            client.socket.sendall(whole[start : start + 100_000])
        client.socket.sendall(b"\n")
        client.send(line(y_pred=padding + "x"))
        client.send(EVENT)
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 2)
    assert rejected(sidecar) == {"line_too_long": 1}


def test_a_client_that_never_reads_does_not_hold_up_the_others(sidecar):
    with sidecar.connection() as deaf, sidecar.connection() as other:
        deaf.hello("deaf")
        deaf.socket.settimeout(30)
        for _ in range(100):
            deaf.socket.sendall(b"nonsense\n" * 1000)
        assert other.hello("other") == 0
        other.send(BATCH | {"seq": 1, "columns": {"y_pred": [1]}})
        other.wait_for_ack(1)
        eventually(lambda: rejected(sidecar) == {"bad_json": 100_000})
        assert sidecar.value("mlguard_sidecar_replies_dropped_total") > 0
        # once it reads, the latest acknowledgement is there
        deaf.send(BATCH | {"seq": 1, "columns": {"y_pred": [1]}})
        deaf.wait_for_ack(1)


def test_a_client_that_ends_its_side_still_gets_its_acknowledgement(sidecar):
    with sidecar.connection() as client:
        client.hello("half")
        client.send(BATCH | {"seq": 1, "columns": {"y_pred": [1]}})
        client.socket.shutdown(socket.SHUT_WR)
        client.wait_for_ack(1)
        assert client.reader.read() == b""


def test_one_connection_is_one_client(sidecar):
    with sidecar.connection() as client:
        client.hello("a")
        client.send({"hello": {"client": "b", "version": 1}})
        assert client.receive()["error"]["reason"] == "bad_hello"
        assert client.hello("a") == 0


def test_a_client_that_only_ever_asks_is_closed(sidecar):
    def ask_for_ever() -> None:
        with sidecar.connection() as greedy:
            while True:
                greedy.socket.sendall(b'{"hello": {"client": "x", "version": 1}}\n' * 1000)

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        ask_for_ever()
    with sidecar.connection() as other:
        assert other.hello("other") == 0


def test_garbage_leaves_the_others_their_turn(sidecar):
    with sidecar.connection() as bad, sidecar.connection() as good:
        good.hello("good")
        thread = threading.Thread(target=bad.socket.sendall, args=(b"x\n" * 400_000,))
        thread.start()
        good.send(BATCH | {"seq": 1, "columns": {"y_pred": [1]}})
        good.wait_for_ack(1)
        counted = rejected(sidecar).get("bad_json", 0)
        thread.join()
        eventually(lambda: rejected(sidecar) == {"bad_json": 400_000}, 60)
    assert counted < 400_000, "the acknowledgement did not wait for the garbage"


def test_many_who_connect_send_a_line_and_go_are_all_counted(sidecar):
    for _ in range(3000):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(sidecar.socket_path))
            client.sendall(line() + b"\n")
    eventually(lambda: sidecar.value("mlguard_inferences_total") == 3000)
    assert sidecar.value("mlguard_sidecar_connections_refused_total") == 0


def test_who_never_says_anything_gives_way(make_sidecar):
    sidecar = make_sidecar(limits={"connections": 3}).start()
    with contextlib.ExitStack() as stack:
        first, *_ = [stack.enter_context(sidecar.connection()) for _ in range(3)]
        eventually(lambda: sidecar.value("mlguard_sidecar_connections") == 3)
        late = stack.enter_context(sidecar.connection())
        assert late.hello("late") == 0
        with contextlib.suppress(ConnectionError):
            assert first.reader.read() == b""
    assert sidecar.value("mlguard_sidecar_connections_refused_total") == 1


def test_unfinished_lines_of_all_together_are_bounded(sidecar):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(sidecar.connection()) for _ in range(40)]
        for client in clients:
            client.socket.sendall(b"x" * 900_000)
        eventually(lambda: rejected(sidecar).get("line_too_long", 0) > 20)
        assert sidecar.process is not None
        assert resident_mebibytes(sidecar.process.pid)["Rss"] < 110
        clients[-1].send(b"", EVENT)
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 1)


def test_silent_clients_and_500_at_once(sidecar):
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Client(sidecar.socket_path)) for _ in range(500)]
        eventually(lambda: sidecar.value("mlguard_sidecar_connections") == 500)
        for i, client in enumerate(silent):
            client.send({"hello": {"client": f"c{i}", "version": 1}})
            client.send(BATCH | {"seq": 1, "columns": {"y_pred": [1, 2]}})
        for client in silent:
            assert client.receive() == {"hello": {"last_seq": 0}}
            client.wait_for_ack(1)
    assert sidecar.value("mlguard_inferences_total") == 1000
    eventually(lambda: sidecar.value("mlguard_sidecar_connections") == 0)


def test_connections_beyond_the_limit_are_closed_and_counted(make_sidecar):
    sidecar = make_sidecar(limits={"connections": 2}).start()
    with sidecar.connection() as first, sidecar.connection() as second:
        first.hello("a")
        second.hello("b")
        with sidecar.connection() as third, contextlib.suppress(ConnectionError):
            assert third.reader.read() == b""
        assert sidecar.value("mlguard_sidecar_connections_refused_total") == 1
        first.send(EVENT)
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 1)


def test_an_unknown_version_is_told(sidecar):
    with sidecar.connection() as client:
        client.send({"hello": {"client": "a", "version": 2}})
        assert client.receive()["error"]["reason"] == "bad_hello"
        client.send({"hello": {"client": "", "version": 1}})
        assert client.receive()["error"]["reason"] == "bad_hello"


def test_what_clients_dropped_is_counted(sidecar):
    with sidecar.connection() as client:
        client.send({"stats": {"dropped": 12}}, {"stats": {"dropped": -5}})
        eventually(lambda: sidecar.value("mlguard_sidecar_client_dropped_events_total") == 12)


def test_the_socket_has_the_configured_mode(make_sidecar):
    with make_sidecar() as sidecar:
        assert stat.S_IMODE(sidecar.socket_path.stat().st_mode) == 0o660
    sidecar = make_sidecar()
    sidecar.config["socket"]["mode"] = "0666"
    with sidecar:
        assert stat.S_IMODE(sidecar.socket_path.stat().st_mode) == 0o666


def test_a_stale_socket_is_taken_over_and_a_living_one_is_not(make_sidecar):
    sidecar = make_sidecar().start()
    sidecar.kill()
    assert sidecar.socket_path.exists()
    sidecar.start()
    second = make_sidecar()
    second.config["socket"]["path"] = str(sidecar.socket_path)
    told = f"{sidecar.socket_path} is in use by another process;"
    assert fails(second).startswith(told)
    with sidecar.connection() as client:
        client.send(EVENT)
    eventually(lambda: sidecar.value("mlguard_inferences_total") == 1)


def test_a_folder_or_port_in_use_is_told_in_one_line(make_sidecar):
    first = make_sidecar().start()
    second = make_sidecar(data_dir=first.config["data_dir"])
    assert "is in use by another process of ML Guard" in fails(second)
    third = make_sidecar(listen=first.config["listen"])
    assert "name another with --listen" in fails(third)
    assert not third.socket_path.exists()


def fails(sidecar) -> str:
    """The one line with which a sidecar refuses to start."""
    sidecar.write_config()
    done = subprocess.run(
        [sys.executable, "-m", "mlguard_sidecar", "--config", str(sidecar.config_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    first, *rest = done.stderr.splitlines()
    assert rest == []
    return first.removeprefix("mlguard-sidecar: ")


def test_sigterm_commits_and_acknowledges_what_was_sent(make_sidecar):
    sidecar = make_sidecar().start()
    with sidecar.connection() as client, sidecar.connection() as plain:
        client.hello("drain")
        for seq in range(1, 201):
            client.send(BATCH | {"seq": seq, "columns": {"y_pred": [1] * 100}})
        plain.send(*[EVENT] * 500)
        assert sidecar.stop() == 0
        client.wait_for_ack(200)
        assert client.reader.read() == b""
    assert not sidecar.socket_path.exists()
    with sidecar:
        assert sidecar.value("mlguard_inferences_total") == 20_500


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/"])
def test_health(sidecar, path):
    assert sidecar.get(path)
