"""Renames tables and columns of databases that were written before their names changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils import Migrations

if TYPE_CHECKING:
    from sqlite_utils import Database

migrations = Migrations("mlguard-exporter-names")

_SETS = {"mlguard-reading": "mlguard-polling", "mlguard-told": "mlguard-anomalies"}
"""Sets of migrations, whose applied steps are recorded by name."""
_TABLES = {
    "reading_attempts": "poll_state",
    "reading_tags": "poll_tags",
    "told_spikes": "anomaly_log",
    "told_as": "anomaly_log_progress",
}
_COLUMNS = {
    "poll_state": {
        "attempted_with": "attempted_config",
        "begun_at": "settings_since",
        "tags_asked_at": "tags_checked_at",
        "history_asked_at": "history_requested_at",
    },
    "anomaly_log_progress": {"judged_as": "settings", "until": "last_day"},
}
_CLASS, _RENAMED_CLASS = "Judging(", "SpikeConfig("
"""As stored in the settings; another text would count as changed settings."""


@migrations()
def plain_names(db: Database) -> None:
    """Rename what there is; a new database has none of it."""
    present = set(db.table_names())
    for old, new in _SETS.items():
        db.execute(
            "UPDATE _sqlite_migrations SET migration_set = ? WHERE migration_set = ?", (new, old)
        )
    for old, new in _TABLES.items():
        if old in present:
            db.execute(f"ALTER TABLE {old} RENAME TO {new}")
            for column, renamed in _COLUMNS.get(new, {}).items():
                db.execute(f"ALTER TABLE {new} RENAME COLUMN {column} TO {renamed}")
    if "told_as" in present:
        db.execute(
            "UPDATE anomaly_log_progress SET settings = replace(settings, ?, ?)",
            (_CLASS, _RENAMED_CLASS),
        )
