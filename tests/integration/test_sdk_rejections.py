"""The SDK and a real sidecar: what is not counted is known to the host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from support.sidecar import total

from mlguard import Guard

REPORT = """
import datetime, json, logging, sys, time
from mlguard import Guard

logging.basicConfig(format="%(message)s")
guard = Guard("p", "m", socket=sys.argv[1])
for _ in range(100):
    guard.log(features={"a": 1.5}, y_pred=1, timestamp=eval(sys.argv[2]))
assert guard.flush(20)
print(json.dumps(guard.stats()._asdict()))
"""


def report(sidecar, stamp: str, zone: str) -> tuple[dict, list[str]]:
    """Log 100 events with such timestamps in a process of its own; its counts and messages."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, str(sidecar.socket_path), stamp],
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout), done.stderr.splitlines()


@pytest.mark.parametrize(
    ("stamp", "zone", "reason", "said"),
    [
        ("datetime.datetime.now()", "XXX-9", "in_future", "this host's offset from UTC (UTC+09:00"),
        ("time.time() * 1000", "UTC", "in_future", "looks like epoch milliseconds"),
        ("time.time() / 1000", "UTC", "too_old", "epoch seconds divided by 1,000"),
    ],
)
def test_events_that_the_sidecar_refuses_are_not_acknowledged(sidecar, stamp, zone, reason, said):
    stats, messages = report(sidecar, stamp, zone)
    assert (stats["acknowledged"], stats["dropped"], stats["rejected"]) == (0, 0, 100)
    assert stats["rejected_by_reason"] == {reason: 100}
    assert total(sidecar.metrics(), "mlguard_sidecar_events_committed_total") == 0
    assert any(said in message for message in messages), messages
    assert sum(f" {reason}: " in message for message in messages) == 1


def test_times_behind_utc_are_counted_too_early_and_warned_of(sidecar):
    stats, messages = report(sidecar, "datetime.datetime.now()", "XXX+5")
    assert (stats["acknowledged"], stats["rejected"]) == (100, 0)
    (message,) = messages
    assert "5 hours behind now" in message
    assert "write datetime.now(timezone.utc) instead of datetime.now()" in message


def test_the_sidecar_and_the_sdk_read_the_same_times(sidecar):
    now = datetime.now(UTC).replace(microsecond=0)
    texts = [
        now.isoformat(),
        now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        now.strftime("%Y-%m-%d %H:%M:%S"),
        now.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        now.strftime("%Y-%m-%dT%H:%M:%S,5+00"),
        now.strftime("%Y-%m-%dT%H:%M:%S.123456789-00:00"),
        "yesterday",
        now.strftime("%Y-%m-%dT%H:%M:%S+24:00"),
    ]
    with Guard("p", "m", socket=sidecar.socket_path) as guard:
        for text in texts:
            guard.log(timestamp=text)
        assert guard.flush(20)
        stats = guard.stats()
    assert (stats.acknowledged, stats.dropped) == (6, 2)
    with sidecar.connection() as client:
        client.hello("plain")
        for seq, text in enumerate(texts, 1):
            columns = {"timestamp": [text]}
            client.send({"project_id": "p", "model_id": "m", "seq": seq, "columns": columns})
        client.wait_for_ack(len(texts))
    assert sidecar.value("mlguard_sidecar_events_committed_total") == 12
    assert sidecar.value("mlguard_sidecar_events_rejected_total") == 2


def test_bad_rows_are_rejected_and_the_others_acknowledged(sidecar):
    now = time.time()
    with Guard("p", "m", socket=sidecar.socket_path) as guard:
        guard.log_batch(y_pred=[1] * 5, timestamp=[now, now + 1e6, 5.0, now, now + 1e6])
        assert guard.flush(20)
        stats = guard.stats()
    assert (stats.sent, stats.acknowledged) == (5, 2)
    assert stats.rejected_by_reason == {"in_future": 2, "too_old": 1}
