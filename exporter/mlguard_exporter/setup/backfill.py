"""The command `mlguard-exporter backfill`."""

from __future__ import annotations

import sqlite3
import sys
from datetime import UTC, date, datetime, timedelta
from typing import IO, TYPE_CHECKING

from mlguard_common.database import StoreError, open_database
from mlguard_exporter.aws import ACTIVE
from mlguard_exporter.reading import ask_for_history
from mlguard_exporter.setup.accounts import chosen, command, is_folder, shown, title
from mlguard_exporter.setup.consent import agreed, need_consent
from mlguard_exporter.setup.door import PROBLEMS, Door
from mlguard_exporter.setup.report import Mark, Report
from mlguard_exporter.spend.calendar import month_of
from mlguard_exporter.store import MIGRATIONS, database_path

if TYPE_CHECKING:
    from pathlib import Path

    from mlguard_exporter.config import AccountConfig, Config

MOST_MONTHS = 12
_PAUSE = timedelta(hours=24)
_PROCESSING = "PROCESSING"


def run(
    config: Config,
    *,
    now: datetime,
    months: int = MOST_MONTHS,
    config_path: Path | None = None,
    account: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
    out: IO[str] | None = None,
) -> int:
    """Have AWS split the past by the tags too; the exit status, 1 where that is not begun.

    Args:
        config: with accounts and tags.
        now: the time.
        months: how many before this one; 1 to 12.
        config_path: to be named in commands.
        account: one of the accounts, instead of all.
        dry_run: whether to tell alone what would be done.
        yes: whether it is agreed already.
        out: where it is written; standard output by default.

    Raises:
        ConfigError: there is no such account, or nobody can be asked.
    """
    need_consent("backfill", dry_run=dry_run, yes=yes)
    out = out or sys.stdout
    report = Report(out)
    first = month_of(now.astimezone(UTC).date(), back=months)
    for each in chosen(config, account):
        if is_folder(each):
            continue
        report.title(title(each, config))
        door = Door(each)
        if _may_begin(door, config, now, report, command("activate-tags", config_path)):
            _explain(first, report)
            if dry_run:
                report.note("nothing is done, as this is a dry run")
            elif agreed(f"  Split spend since {first} anew?", yes=yes, out=out):
                _begin(door, config, each, first, now, report)
            else:
                report.well = False
                report.note("nothing is done")
        report.requests(door)
    return report.end()


def _may_begin(door: Door, config: Config, now: datetime, report: Report, activate: str) -> bool:
    tags = config.cost.tags
    try:
        report.note(f"as {shown(door.identity())}")
        states = door.tag_states(names := tags.names)
        earlier = door.backfills()
    except PROBLEMS as error:
        report.failed("backfill", error)
        return False
    active = [tag for tag in names if states.get(tag) == ACTIVE]
    for tag in names:
        state = "active" if tag in active else "not active, the past would not be split by it"
        report.note(f"tag {tag}: {state}")
    if not active:
        report.found(Mark.MISSING, "backfill", "of no use before a tag is active")
        report.to_do("Activate the tags first:", f"  {activate}")
        return False
    if earlier and (earlier[0].status == _PROCESSING or now - earlier[0].requested_at < _PAUSE):
        last = earlier[0]
        state = "is under way" if last.status == _PROCESSING else f"ended ({last.status.lower()})"
        report.found(
            Mark.MISSING,
            "backfill",
            f"one since {last.first} was asked for at {last.requested_at:%Y-%m-%d %H:%M} UTC and"
            f" {state}; AWS takes one in 24 hours",
        )
        report.to_do("Try again tomorrow, if that one was not what you wanted.")
        return False
    return True


def _explain(first: date, report: Report) -> None:
    report.note(f"AWS would treat all spend since {first} as if the tags had been then as they are")
    report.note("now. This holds for every tag of the organization: a tag of anybody that is")
    report.note("inactive now is taken off these months. It can be asked for once in 24 hours.")


def _begin(
    door: Door, config: Config, account: AccountConfig, first: date, now: datetime, report: Report
) -> None:
    try:
        door.start_backfill(first)
    except PROBLEMS as error:
        report.failed("backfill", error)
        return
    report.found(Mark.OK, "backfill", f"begun, since {first}; AWS takes up to a day or two")
    try:
        _note_for_daemon(config, account.name, first, now)
    except StoreError as error:
        report.found(Mark.MISSING, "exporter", f"it will not read these days again: {error}")
    else:
        report.found(Mark.OK, "exporter", "it reads these days again for the next two days")


def _note_for_daemon(config: Config, account: str, first: date, now: datetime) -> None:
    """Have the daemon read these days again; it may be running."""
    db = open_database(database_path(config), *MIGRATIONS, shared=True)
    try:
        with db.atomic():
            ask_for_history(db, account, first, now.timestamp())
    except sqlite3.Error as error:
        raise StoreError(f"the database cannot be written: {error}") from error
    finally:
        db.conn.close()
