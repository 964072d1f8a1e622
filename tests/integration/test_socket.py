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

import pytest
from support.sidecar import Client, eventually, resident_mebibytes, total

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
    ("a text for a latency", line(latency_ms="fast"), "wrong_type"),
    ("an object for a feature", line(features={"x": {"y": 1}}), "wrong_type"),
    ("features as a list", line(features=[1, 2]), "wrong_type"),
    ("a number for an id", line(project_id=7), "wrong_type"),
    ("invalid UTF-8", b'{"project_id": "\xff\xfe", "model_id": "m"}', "bad_utf8"),
    ("NaN for a latency", line(latency_ms=float("nan")), "bad_latency"),
    ("1e400 for a latency", b'{"project_id":"p","model_id":"m","latency_ms":1e400}', "bad_latency"),
    ("a negative latency", line(latency_ms=-1), "bad_latency"),
    ("a probability of 2", line(y_proba=2), "bad_proba"),
    ("a probability below 0 in an object", line(y_proba={"a": -3}), "bad_proba"),
    ("100,000 features", line(features={f"f{i}": 1 for i in range(60_000)}), "too_many_features"),
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
    ("the 31st of February", line(timestamp="2026-02-31T00:00:00Z"), "bad_timestamp"),
    ("deep nesting", b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "bad_json"),
    ("a lone surrogate", b'{"project_id": "\\ud800", "model_id": "m"}', "bad_json"),
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
        "a batch of 513 features",
        json.dumps(BATCH | {"columns": {"features": {f"f{i}": [1] for i in range(513)}}}).encode(),
        "too_many_features",
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


def test_bad_rows_of_a_batch_cost_only_themselves(sidecar):
    now = time.time()
    columns = {
        "timestamp": [now, 0, now, now, None, "never"],
        "latency_ms": [1, 1, -1, 1, 1, 1],
        "y_proba": [0.5, 0.5, 0.5, 7, 0.5, 0.5],
    }
    with sidecar.connection() as client:
        client.hello("rows")
        client.send(BATCH | {"seq": 1, "columns": columns})
        answers = [client.receive()["error"] for _ in range(4)]
        assert {(a["reason"], a["rows"], a["seq"]) for a in answers} == {
            ("too_old", 1, 1),
            ("bad_latency", 1, 1),
            ("bad_proba", 1, 1),
            ("bad_timestamp", 1, 1),
        }
        client.wait_for_ack(1)
    assert sidecar.value("mlguard_inferences_total") == 2


def test_values_that_are_not_finite_count_as_missing(sidecar):
    with sidecar.connection() as client:
        for value in (1.0, float("nan"), float("inf"), float("-inf")):
            client.send(EVENT | {"features": {"x": value}, "y_proba": None})
        client.send(b'{"project_id": "p", "model_id": "m", "features": {"x": 1e400}}')
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 5)
    assert sidecar.value("mlguard_feature_missing_ratio", feature="x", window="1h") == 0.8
    assert rejected(sidecar) == {}


def test_a_value_of_the_other_kind_is_invalid_and_costs_no_event(sidecar):
    with sidecar.connection() as client:
        for features in ({"n": 1, "c": "a"}, {"n": "one", "c": 2}, {"n": 3, "c": "b"}):
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
    assert sidecar.value("mlguard_inferences_total") == 1


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
