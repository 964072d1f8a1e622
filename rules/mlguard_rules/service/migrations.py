"""The table in which alerting keeps its state, and how older databases are brought up to date."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlite_utils import Migrations

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    Body = dict[str, Any]

migrations = Migrations("mlguard-rules")


@migrations()
def initial(db: Database) -> None:
    """Create the table: objects of a few kinds, each with a key and a body in JSON."""
    db.execute(
        "CREATE TABLE alerting (kind TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,"
        " PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID"
    )


@migrations()
def field_names(db: Database) -> None:
    """Rename the table, its kinds and the fields of its objects to the terms of Prometheus."""
    db.execute("ALTER TABLE alerting RENAME TO alerting_state")
    for old, (new, convert) in _RENAMED_KINDS.items():
        rows = db.execute("SELECT key, body FROM alerting_state WHERE kind = ?", (old,)).fetchall()
        db.execute("DELETE FROM alerting_state WHERE kind = ?", (old,))
        for key, body in rows:
            try:
                converted = convert(json.loads(body))
            except (ValueError, KeyError, TypeError, AttributeError):
                converted = body  # reported when it is read
            if not isinstance(converted, bytes):
                converted = json.dumps(converted, separators=(",", ":")).encode()
            db.execute(
                "INSERT OR REPLACE INTO alerting_state VALUES (?, ?, ?)", (new, key, converted)
            )


def _alert(body: Body) -> Body:
    names = {"rule": "rule_id", "kept_since": "keep_firing_since"}
    return {names.get(name, name): value for name, value in body.items()}


def _dispatched_alert(body: Body) -> Body:
    names = {"starts_at": "active_at", "ends_at": "resolved_at", "source": "generator_url"}
    state = "firing" if body["ends_at"] is None else "resolved"
    return {names.get(name, name): value for name, value in body.items()} | {"state": state}


def _group(body: Body) -> Body:
    names = {
        "next_flush": "next_flush_at",
        "told": "notified",
        "last_sent": "last_notified_at",
    }
    return {names[name]: value for name, value in body.items()}


def _notification(body: Body) -> Body:
    names = {"refusals": "rejections", "next_at": "next_attempt_at"}
    message = body.pop("message")
    text = {"title": message["title"], "body": message["body"], "notify_type": message["kind"]}
    return text | {names.get(name, name): value for name, value in body.items()}


def _unchanged(body: float) -> float:
    return body


_RENAMED_KINDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "alert": ("alert", _alert),
    "told": ("dispatched_alert", _dispatched_alert),
    "group": ("alert_group", _group),
    "letter": ("notification", _notification),
    "news": ("notification_log", _unchanged),
    "time": ("evaluation", _unchanged),
}
"""Old kind -> new kind, and the conversion of its bodies."""
