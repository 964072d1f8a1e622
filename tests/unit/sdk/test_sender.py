"""Sending to a sidecar that starts, stops, restarts and misbehaves."""

import logging
import threading
import time
from pathlib import Path

import pytest
from unit.sdk.fake_sidecar import FakeSidecar, eventually

from mlguard import Guard, Stats, connection


def log_numbers(guard, start, stop):
    for number in range(start, stop):
        assert guard.log(y_pred=number)


def assert_exactly_once(guard, sidecar, events):
    assert sorted(sidecar.column("y_pred")) == list(range(events))
    assert guard.stats() == Stats(0, events, events, 0, {})


def messages(caplog, level):
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def test_events_wait_for_a_sidecar_that_comes_later(make_guard, socket_path):
    guard = make_guard()
    log_numbers(guard, 0, 10)
    assert not guard.flush(0.1)
    assert guard.stats().queued == 10
    sidecar = FakeSidecar(socket_path).start()
    assert guard.flush(10)
    assert_exactly_once(guard, sidecar, 10)
    sidecar.stop()


def test_the_socket_is_looked_up_again_on_each_attempt(socket_path, monkeypatch):
    monkeypatch.setenv("MLGUARD_SOCKET", str(socket_path.with_name("wrong")))
    with Guard("p", "m", flush_seconds=10) as guard:
        log_numbers(guard, 0, 3)
        assert not guard.flush(0.1)
        sidecar = FakeSidecar(socket_path).start()
        monkeypatch.setenv("MLGUARD_SOCKET", str(socket_path))
    assert_exactly_once(guard, sidecar, 3)
    sidecar.stop()


def test_flush_is_false_until_acknowledged(guard, sidecar):
    sidecar.acks = False
    log_numbers(guard, 0, 5)
    eventually(lambda: sidecar.events == 5)
    assert not guard.flush(0.1)
    assert guard.stats() == Stats(0, 5, 0, 0, {}, unacknowledged=5)
    threading.Timer(0.05, sidecar.acknowledge).start()
    assert guard.flush(10)
    assert_exactly_once(guard, sidecar, 5)


def test_what_was_not_acknowledged_is_sent_again_after_a_restart(guard, sidecar):
    sidecar.acks = False
    log_numbers(guard, 0, 5)
    eventually(lambda: sidecar.events == 5)
    sidecar.stop()
    log_numbers(guard, 5, 10)
    sidecar.last_seqs.clear()  # it had not committed any
    sidecar.batches.clear()
    sidecar.acks = True
    sidecar.start()
    assert guard.flush(10)
    assert_exactly_once(guard, sidecar, 10)
    assert [batch["seq"] for batch in sidecar.batches] == sorted(
        batch["seq"] for batch in sidecar.batches
    )


def test_what_was_committed_but_not_acknowledged_is_not_sent_again(guard, sidecar):
    sidecar.acks = False
    log_numbers(guard, 0, 5)
    eventually(lambda: sidecar.events == 5)
    sidecar.stop()
    sidecar.acks = True
    sidecar.start()
    assert guard.flush(10)
    assert_exactly_once(guard, sidecar, 5)
    assert set(sidecar.arrivals.values()) == {1}
    assert len({hello["client"] for hello in sidecar.hellos}) == 1


def test_a_sidecar_that_lost_everything_goes_on_from_the_unacknowledged(guard, sidecar):
    log_numbers(guard, 0, 5)
    assert guard.flush()
    sidecar.last_seqs.clear()
    sidecar.disconnect()
    log_numbers(guard, 5, 10)
    assert guard.flush(10)
    assert_exactly_once(guard, sidecar, 10)


def test_connections_that_break_at_any_time_neither_lose_nor_double(guard, sidecar):
    done = threading.Event()

    def break_often():
        while not done.wait(0.01):
            sidecar.disconnect()

    breaker = threading.Thread(target=break_often)
    breaker.start()
    for start in range(0, 20_000, 500):
        log_numbers(guard, start, start + 500)
        guard.flush(0.02)
    done.set()
    breaker.join()
    assert guard.flush(20)
    assert_exactly_once(guard, sidecar, 20_000)
    assert sidecar.connections > 1


@pytest.mark.parametrize("after", [1, 2, 5])
def test_a_connection_closed_in_the_middle_of_an_acknowledgement(guard, sidecar, after):
    sidecar.drop_after = after
    for start in range(0, 10_000, 1_000):
        log_numbers(guard, start, start + 1_000)
    assert guard.flush(10)
    assert_exactly_once(guard, sidecar, 10_000)


def test_acknowledgements_of_what_was_never_sent_are_ignored(guard, sidecar):
    sidecar.acks = False
    log_numbers(guard, 0, 5)
    eventually(lambda: sidecar.events == 5)
    for nonsense in (
        b'{"ack": 99}\n',
        b'{"ack": "1"}\n',
        b'{"ack": -1}\n',
        b"[]\n",
        b"}{\n",
        b"\n",
    ):
        sidecar.say(nonsense)
    assert not guard.flush(0.1)
    sidecar.acknowledge()
    assert guard.flush()
    assert_exactly_once(guard, sidecar, 5)


def test_an_acknowledgement_may_come_in_pieces(guard, sidecar):
    sidecar.acks = False
    log_numbers(guard, 0, 5)
    eventually(lambda: sidecar.events == 5)
    for piece in (b'{"a', b'ck": ', b"1}"):
        sidecar.say(piece)
        assert not guard.flush(0.02)
    sidecar.say(b"\n")
    eventually(lambda: guard.stats().acknowledged == 5)


def test_a_claim_of_more_than_was_sent_makes_it_another_client(guard, sidecar):
    sidecar.claim = 1_000
    log_numbers(guard, 0, 5)
    eventually(lambda: len(sidecar.hellos) >= 2)
    sidecar.claim = None
    assert guard.flush(10)
    assert_exactly_once(guard, sidecar, 5)
    assert len({hello["client"] for hello in sidecar.hellos}) > 1


def test_hello_that_is_never_answered_is_tried_again(guard, sidecar, monkeypatch):
    monkeypatch.setattr(connection, "HELLO_SECONDS", 0.05)
    sidecar.greets = False
    log_numbers(guard, 0, 5)
    eventually(lambda: len(sidecar.hellos) >= 2)
    assert sidecar.batches == []
    sidecar.greets = True
    assert guard.flush(10)
    assert_exactly_once(guard, sidecar, 5)


def test_a_sidecar_that_stops_reading_is_left_and_tried_again(guard, sidecar, monkeypatch):
    monkeypatch.setattr(connection, "SEND_SECONDS", 0.05)
    monkeypatch.setattr(connection, "HELLO_SECONDS", 0.05)
    log_numbers(guard, 0, 1)
    assert guard.flush()
    sidecar.reads = False
    # The thread that serves this connection reads on: cut it, so that the next is not read.
    sidecar.disconnect()
    for number in range(1, 8):
        assert guard.log(y_pred=number, features={"text": "x" * 500_000})
    eventually(lambda: sidecar.connections >= 3)
    sidecar.reads = True
    assert guard.flush(20)
    assert_exactly_once(guard, sidecar, 8)


def test_drops_are_reported_once(guard, sidecar):
    guard.log(features=5)
    guard.log(y_pred=1)
    assert guard.flush()
    eventually(lambda: sidecar.dropped == [1])
    guard.log(features=5)
    guard.log(features=5)
    guard.log(y_pred=2)
    assert guard.flush()
    eventually(lambda: sidecar.dropped == [1, 2])


def test_loss_and_recovery_are_logged_once_each(guard, sidecar, caplog):
    caplog.set_level(logging.INFO, "mlguard")
    log_numbers(guard, 0, 1)
    assert guard.flush()
    sidecar.stop()
    log_numbers(guard, 1, 2)
    assert not guard.flush(0.3)  # several attempts
    assert len(messages(caplog, logging.WARNING)) == 1
    assert messages(caplog, logging.INFO) == []
    sidecar.start()
    assert guard.flush(10)
    assert len(messages(caplog, logging.WARNING)) == 1
    assert len(messages(caplog, logging.INFO)) == 1


def test_a_log_filter_that_raises_costs_no_event(guard, sidecar):
    def refuse(record):
        raise RuntimeError(record)

    logger = logging.getLogger("mlguard")
    logger.addFilter(refuse)
    try:
        assert not guard.log(features=5)
        log_numbers(guard, 0, 5)
        assert guard.flush()
    finally:
        logger.removeFilter(refuse)
    assert sidecar.column("y_pred") == list(range(5))
    assert guard.stats() == Stats(0, 5, 5, 1, {"unusable": 1})
    assert sidecar.connections == 1


def test_events_stay_in_order(guard, sidecar):
    for start in range(0, 5_000, 100):
        log_numbers(guard, start, start + 100)
        if start % 1_000 == 0:
            sidecar.disconnect()
    assert guard.flush(10)
    assert sidecar.column("y_pred") == list(range(5_000))


def test_eight_threads_lose_nothing_that_is_not_counted(make_guard, sidecar):
    guard = make_guard(queue_size=2_000)

    def log_many(thread):
        for number in range(10_000):
            guard.log(features={"thread": thread, "number": number}, y_pred=number % 2)

    threads = [threading.Thread(target=log_many, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert guard.flush(30)
    stats = guard.stats()
    assert stats.acknowledged + stats.dropped == 80_000
    assert stats.acknowledged == sidecar.events == stats.sent
    assert set(sidecar.arrivals.values()) == {1}


def test_stats_make_sense_at_any_time(make_guard, sidecar):
    guard = make_guard(queue_size=100_000)
    log_numbers(guard, 0, 50_000)
    while guard.stats().acknowledged < 50_000:
        stats = guard.stats()
        assert stats.queued >= 0
        assert stats.acknowledged <= stats.sent <= 50_000
    assert_exactly_once(guard, sidecar, 50_000)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_an_idle_guard_sleeps(guard, sidecar):
    log_numbers(guard, 0, 5)
    assert guard.flush()
    (thread,) = (each for each in threading.enumerate() if each.name == "mlguard")
    status = Path(f"/proc/self/task/{thread.native_id}/status")

    def switches():
        return [line for line in status.read_text().splitlines() if "ctxt_switches" in line]

    before = eventually(switches)
    threading.Event().wait(0.05)
    before = switches()
    threading.Event().wait(0.5)
    assert switches() == before
    log_numbers(guard, 5, 6)  # and wakes
    assert guard.flush()
    assert_exactly_once(guard, sidecar, 6)


def test_a_lone_event_is_delivered_soon(guard, sidecar):
    for number in range(5):
        began = time.monotonic()
        log_numbers(guard, number, number + 1)
        eventually(lambda: guard.stats().acknowledged == number + 1)  # noqa: B023 - awaited here
        assert time.monotonic() - began < 1
    assert_exactly_once(guard, sidecar, 5)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc")
def test_no_descriptor_is_left_behind(sidecar):
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(5):
        guard = Guard("p", "m", socket=sidecar.path)
        log_numbers(guard, 0, 3)
        assert guard.close()
    eventually(lambda: not any(each.name == "mlguard" for each in threading.enumerate()))
    eventually(lambda: len(list(descriptors.iterdir())) <= before)
