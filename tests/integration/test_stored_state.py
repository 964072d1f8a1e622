"""A database that an older version wrote: all of its state is found again."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

from support.alerting import NOW, Offline

from mlguard_common.database import open_database
from mlguard_rules.alert import Alert, State
from mlguard_rules.service import migrations

DUMP = Path(__file__).parents[1] / "data/alerting_2026_11.sql"
"""At NOW + 105 s: alerts that are pending, firing, kept firing and resolved, and the rest."""

RULES = """\
groups:
  - name: g
    rules:
      - alert: Busy
        expr: mlguard_inferences_total > 3
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.model }} is busy"}
      - alert: Slow
        expr: mlguard_inferences_total > 4
        for: 10m
      - alert: Kept
        expr: mlguard_inferences_total{model="kept"} > 1
        keep_firing_for: 1h
"""


def restore(folder: Path) -> None:
    connection = sqlite3.connect(folder / "offline.db")
    connection.executescript(DUMP.read_text())
    connection.close()


def opened(folder: Path, url: str) -> Offline:
    restore(folder)
    return Offline(folder, url, RULES, at=NOW + 120)


def test_alerts_keep_their_state(tmp_path, hook, caplog):
    with caplog.at_level(logging.ERROR):
        offline = opened(tmp_path, hook.url)
    assert caplog.text == ""
    alerts = {(a.label("alertname"), a.label("model")): a for a in offline.alerting.active}
    assert {key: alert.state for key, alert in alerts.items()} == {
        ("Busy", "m"): State.FIRING,
        ("Slow", "m"): State.PENDING,
        ("Kept", "kept"): State.FIRING,
    }
    assert {alert.active_at for alert in alerts.values()} == {NOW}
    assert alerts["Kept", "kept"].keep_firing_since == NOW + 60
    assert alerts["Busy", "m"].value == 5
    assert alerts["Busy", "m"].annotations == (("summary", "m is busy"),)
    (resolved,) = (a for a in offline.alerting._evaluator._manager.alerts if a.is_resolved)
    assert (resolved.label("model"), resolved.resolved_at) == ("ended", NOW + 60)
    assert resolved.state is State.RESOLVED
    dispatched = {
        (a.label("alertname"), a.label("model")): a.state
        for a in offline.alerting._dispatcher.alerts
    }
    assert dispatched == {
        ("Busy", "m"): State.FIRING,
        ("Busy", "ended"): State.RESOLVED,
        ("Kept", "kept"): State.FIRING,
    }
    offline.close()


def test_what_waits_is_sent_and_nothing_twice(tmp_path, hook):
    async def story() -> None:
        offline = opened(tmp_path, hook.url)
        (first, *others) = offline.alerting.queue.receivers["hook"]._queue
        assert (first.title, first.attempts) == ("[CRITICAL] Busy: p/ended", 0)
        assert [one.attempts for one in others if one.title == "[CRITICAL] Busy: p/m"] == [4]
        (silence,) = offline.alerting.silences
        assert (silence.id, silence.ends_at) == ("bba98f9fa223", NOW + 86_400)
        assert (silence.comment, silence.author) == ("backfill", "ann")
        assert silence.matches({"model": "calm"}, NOW)
        assert not silence.matches({"model": "calm", "severity": "critical"}, NOW)
        grouped = Alert((("alertname", "Grouped"),), (("summary", "said by another"),), NOW)
        await offline.alerting.notify([grouped], "digest", 2)  # in the notification log
        await offline.run(600)
        assert sorted(hook.titles) == [
            "[CRITICAL] Busy: p/ended",
            "[CRITICAL] Busy: p/m",
            "[INFO] Grouped",
            "[INFO] Kept: p/kept",
            "[INFO] Slow: p/m",
            "[RESOLVED] Busy: p/ended",
        ]
        await offline.run(3600)
        assert hook.titles[6:] == ["[RESOLVED] Kept: p/kept"]
        offline.close()

    asyncio.run(story())


def test_rows_that_were_not_readable_are_deleted_later_and_stop_nothing(tmp_path, hook, caplog):
    restore(tmp_path)
    connection = sqlite3.connect(tmp_path / "offline.db")
    for kind in ("alert", "told", "letter", "group", "news", "time"):
        for body in (b"\xff", b"[]", b"{}", b'{"of": "later"}'):
            row = (kind, f'"{body!r}"', body)
            connection.execute("INSERT INTO alerting VALUES (?, ?, ?)", row)
    connection.commit()
    connection.close()
    with caplog.at_level(logging.ERROR):
        offline = Offline(tmp_path, hook.url, RULES, at=NOW + 120)
    assert caplog.text.count("cannot be read and is deleted") == 24
    assert len(offline.alerting.active) == 3
    offline.close()


def test_a_value_that_json_cannot_hold_costs_no_alert(tmp_path, hook):
    async def story() -> None:
        infinite = RULES.replace("total > 4", "total / 0")
        offline = Offline(tmp_path, hook.url, infinite)
        await offline.run(30)
        offline.restart()
        slow = [a for a in offline.alerting.active if a.label("alertname") == "Slow"]
        assert [(alert.state, alert.active_at) for alert in slow] == [(State.PENDING, NOW)]
        offline.close()

    asyncio.run(story())


def test_the_old_table_is_gone(tmp_path):
    restore(tmp_path)
    db = open_database(tmp_path / "offline.db", migrations)
    assert "alerting" not in db.table_names()
    kinds = db.execute("SELECT DISTINCT kind FROM alerting_state ORDER BY kind").fetchall()
    assert [kind for (kind,) in kinds] == [
        "alert",
        "alert_group",
        "dispatched_alert",
        "evaluation",
        "notification",
        "notification_log",
        "silence",
    ]
    db.conn.close()
