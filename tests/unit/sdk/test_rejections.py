"""Events that the sidecar does not count: how many, why, and what to do."""

import re
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from unit.sdk.fake_sidecar import eventually

import mlguard
from mlguard import Stats

SDK = Path(mlguard.__file__).parents[1]


def error(reason, seq, rows, message="no"):
    return {"error": {"reason": reason, "message": message, "rows": rows, "seq": seq}}


def rejecting(*rows_by_reason):
    """Answers that reject so many rows of each batch, for these reasons."""
    return lambda batch: [error(reason, batch["seq"], n) for reason, n in rows_by_reason]


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def total(stats):
    return stats.queued + stats.unacknowledged + stats.acknowledged + stats.rejected + stats.dropped


def test_rejected_events_are_not_acknowledged_ones(guard, sidecar):
    sidecar.answers = rejecting(("in_future", 1), ("bad_proba", 2))
    guard.log_batch(y_pred=[1] * 10)
    assert guard.flush()
    reasons = {"in_future": 1, "bad_proba": 2}
    assert guard.stats() == Stats(0, 10, 7, 0, {}, 3, reasons)
    guard.log_batch(y_pred=[1] * 5)
    assert guard.flush()
    reasons = {"in_future": 2, "bad_proba": 4}
    assert guard.stats() == Stats(0, 15, 9, 0, {}, 6, reasons)


def test_a_batch_may_be_rejected_whole(guard, sidecar):
    sidecar.answers = rejecting(("in_future", 100))
    for _ in range(100):
        guard.log(y_pred=1)
        assert guard.flush()
    stats = guard.stats()
    assert (stats.acknowledged, stats.rejected, stats.dropped) == (0, 100, 0)


def test_more_rows_than_the_batch_has_are_no_more_than_it_has(guard, sidecar):
    sidecar.answers = rejecting(("wrong_type", 3), ("internal", 99))
    guard.log_batch(y_pred=[1] * 5)
    assert guard.flush()
    assert guard.stats().rejected_by_reason == {"wrong_type": 3, "internal": 2}


def test_what_is_rejected_is_known_only_once_the_batch_is_acknowledged(guard, sidecar):
    sidecar.acks = False
    sidecar.answers = rejecting(("too_old", 2))
    guard.log_batch(y_pred=[1] * 5)
    eventually(lambda: sidecar.events == 5)
    assert not guard.flush(0.1)
    assert guard.stats() == Stats(0, 5, 0, 0, {}, unacknowledged=5)
    sidecar.acknowledge()
    assert guard.flush()
    assert guard.stats() == Stats(0, 5, 3, 0, {}, 2, {"too_old": 2})


def test_a_batch_that_is_rejected_again_after_a_reconnect_is_rejected_once(guard, sidecar):
    sidecar.acks = False
    sidecar.answers = rejecting(("too_old", 2))
    guard.log_batch(y_pred=[1] * 5)
    eventually(lambda: sidecar.events == 5)
    assert not guard.flush(0.1)
    sidecar.last_seqs.clear()  # it had not committed it
    sidecar.acks = True
    sidecar.disconnect()
    assert guard.flush(10)
    assert set(sidecar.arrivals.values()) == {2}
    assert guard.stats() == Stats(0, 5, 3, 0, {}, 2, {"too_old": 2})


def test_a_rejection_counts_where_the_acknowledgement_was_lost(guard, sidecar):
    sidecar.acks = False
    sidecar.answers = rejecting(("too_old", 2))
    guard.log_batch(y_pred=[1] * 5)
    eventually(lambda: sidecar.events == 5)
    assert not guard.flush(0.1)
    sidecar.disconnect()  # it had committed it, as its answer to hello will say
    assert guard.flush(10)
    assert set(sidecar.arrivals.values()) == {1}
    assert guard.stats() == Stats(0, 5, 3, 0, {}, 2, {"too_old": 2})


def test_older_and_odd_errors_count_nothing_and_are_logged_once_each(guard, sidecar, caplog):
    odd = [
        {"error": {"reason": "bad_json", "message": "an older sidecar says no number"}},
        {"error": {"reason": "bad_json", "message": "the same again"}},
        {"error": {"reason": "line_too_long", "rows": 1}},
        {"error": {"reason": "in_future", "rows": 1, "seq": 99}},
        {"error": {"reason": 7, "message": [], "rows": "x", "seq": -1}},
        {"error": "a text"},
        {"error": None},
        {"error": {"reason": "uneven_columns", "rows": True, "seq": True}},
        {"warning": {"reason": "bad_latency", "message": "m", "values": "many", "seq": None}},
        {"warning": ["x"]},
    ]
    sidecar.answers = lambda _: odd
    for _ in range(3):
        guard.log(y_pred=1)
        assert guard.flush()
    assert guard.stats() == Stats(0, 3, 3, 0, {})
    logged = warnings(caplog)
    assert len(logged) == 8, logged
    assert "bad_json: an older sidecar says no number" in logged[0]


def test_a_whole_batch_is_rejected_where_the_rows_are_not_said(guard, sidecar):
    sidecar.answers = lambda batch: [{"error": {"reason": "bad_json", "seq": batch["seq"]}}]
    guard.log_batch(y_pred=[1] * 5)
    assert guard.flush()
    assert guard.stats().rejected_by_reason == {"bad_json": 5}


def test_a_warning_is_logged_once_for_each_reason_and_counts_no_event(guard, sidecar, caplog):
    sidecar.answers = lambda batch: [
        {"warning": {"reason": "bad_proba", "message": "above 1", "values": 3, "seq": batch["seq"]}}
    ]
    for _ in range(3):
        guard.log_batch(y_pred=[1] * 5)
        assert guard.flush()
    assert guard.stats() == Stats(0, 15, 15, 0, {})
    (message,) = warnings(caplog)
    assert "3 values as invalid: bad_proba: above 1" in message
    assert "probability from 0 to 1" in message


def test_the_counts_add_up_at_every_moment(make_guard, sidecar):
    guard = make_guard(queue_size=3_000)
    sidecar.answers = rejecting(("too_old", 1))
    done = threading.Event()

    def disturb():
        while not done.wait(0.01):
            sidecar.disconnect()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    logged = 0
    while logged < 8_000:
        for number in range(50):
            odd = {3: {"timestamp": "never"}, 7: {"features": 5}}.get(number, {})
            guard.log(**{"y_pred": number, "features": {"a": 1}, **odd})
            logged += 1
            assert total(guard.stats()) == logged
        guard.log_batch(y_pred=[1] * 70)
        logged += 70
        assert total(guard.stats()) == logged
    done.set()
    disturber.join()
    assert guard.flush(20)
    stats = guard.stats()
    assert total(stats) == logged
    assert stats.rejected > 0
    assert {"unusable", "invalid_timestamp"} <= set(stats.dropped_by_reason)
    assert stats.acknowledged + stats.rejected == sidecar.events == stats.sent


def test_the_counts_add_up_where_a_guard_gives_up(make_guard, sidecar):
    sidecar.acks = False
    guard = make_guard(flush_seconds=0.05)
    guard.log_batch(y_pred=[1] * 5)
    eventually(lambda: guard.stats().unacknowledged == 5)
    guard.close()
    eventually(lambda: guard.stats() == Stats(0, 5, 0, 5, {"closed": 5}))


TOKYO, NEW_YORK, KOLKATA = "XXX-9", "XXX+5", "XXX-5:30"


@pytest.fixture
def zone(monkeypatch):
    """Be in a time zone of the form of TZ."""

    def change(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


NAIVE = [
    pytest.param(datetime.now, id="datetime"),
    pytest.param(lambda: datetime.now().isoformat(), id="text"),  # noqa: DTZ005 - the fault
    pytest.param(lambda: datetime.now().isoformat(" ", "seconds"), id="seconds"),  # noqa: DTZ005
]


@pytest.mark.parametrize("now", NAIVE)
@pytest.mark.parametrize(
    ("name", "ahead"),
    [
        (TOKYO, "9 hours ahead of now, which is this host's offset from UTC (UTC+09:00)"),
        (NEW_YORK, "5 hours behind now, which is this host's offset from UTC (UTC-05:00)"),
        (KOLKATA, "5.5 hours ahead of now, which is this host's offset from UTC (UTC+05:30)"),
    ],
)
def test_local_times_without_an_offset_are_warned_of_once(guard, caplog, zone, name, ahead, now):
    zone(name)
    for _ in range(3):
        guard.log(y_pred=1, timestamp=now())
        assert guard.flush()
    (message,) = warnings(caplog)
    assert ahead in message
    assert "datetime.now(timezone.utc)" in message


def test_a_column_of_local_times_is_warned_of_too(guard, caplog, zone):
    zone(NEW_YORK)
    now = datetime.now()  # noqa: DTZ005 - the fault
    guard.log_batch(y_pred=[1, 2], timestamp=[now, now - timedelta(seconds=10)])
    assert guard.flush()
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("name", [TOKYO, NEW_YORK, "UTC", "XXX+1"])
def test_true_times_are_not_warned_of(guard, caplog, zone, name):
    zone(name)
    utc = datetime.now(timezone.utc)
    for stamp in (utc, utc.replace(tzinfo=None), utc.isoformat(), time.time(), None, "never"):
        guard.log(y_pred=1, timestamp=stamp)
    guard.log(y_pred=1, timestamp=datetime.now().astimezone())
    guard.log(y_pred=1, timestamp=datetime.now().astimezone().isoformat())
    # A day of the past, of which some times are older than now by the offset.
    day = [utc.replace(tzinfo=None) - timedelta(minutes=n) for n in range(24 * 60)]
    guard.log_batch(y_pred=[1] * len(day), timestamp=day)
    assert guard.flush()
    # Past hours that end where the host's time zone is, in so many rows that a batch is short.
    for hours in (1, 5):
        steps = [timedelta(hours=hours) * n / 20_000 for n in range(20_001)]
        past = [utc.replace(tzinfo=None) - step for step in steps]
        guard.log_batch(y_pred=[1] * len(past), timestamp=past)
        assert guard.flush(10)
    assert guard.flush(10)
    assert [text for text in warnings(caplog) if "invalid_timestamp" not in text] == []


@pytest.mark.parametrize(
    ("reason", "shift", "looks_like"),
    [
        ("in_future", lambda now: now * 1e3, "looks like epoch milliseconds: divide it by 1,000"),
        ("in_future", lambda now: now * 1e6, "looks like epoch microseconds"),
        ("in_future", lambda now: now * 1e9, "looks like epoch nanoseconds"),
        ("too_old", lambda now: now / 1e3, "looks like epoch seconds divided by 1,000"),
        ("in_future", lambda now: now + 9 * 3600, "the reverse of this host's offset"),
        ("in_future", lambda now: now + 9 * 3600, "datetime.utcnow().timestamp()"),
        ("too_old", lambda now: now - 9 * 3600, "which is this host's offset from UTC (UTC-09:00)"),
        ("in_future", lambda now: now + 5.5 * 3600, "5.5 hours ahead of now: .*UTC\\+05:30"),
        ("in_future", lambda now: now + 3600, "1 hour ahead of now: .*UTC\\+01:00"),
        ("in_future", lambda now: now + 4000, "check both clocks"),
    ],
)
def test_a_rejected_time_is_said_to_look_like_what_it_is(
    guard, sidecar, caplog, zone, reason, shift, looks_like
):
    zone("XXX+9")
    sidecar.answers = rejecting((reason, 1))
    for _ in range(2):
        guard.log(y_pred=1, timestamp=shift(time.time()))
        assert guard.flush()
    (message,) = warnings(caplog)
    assert f"{reason}: no" in message
    assert "datetime.now(timezone.utc)" in message
    assert re.search(re.escape(looks_like) if "\\" not in looks_like else looks_like, message)
    if "clocks" in looks_like:
        assert "looks like" not in message


def test_a_reason_without_advice_names_the_manual(guard, sidecar, caplog):
    sidecar.answers = rejecting(("something_new", 1))
    guard.log(y_pred=1)
    assert guard.flush()
    (message,) = warnings(caplog)
    assert "something_new: no; see Rejected lines and events in the manual" in message
