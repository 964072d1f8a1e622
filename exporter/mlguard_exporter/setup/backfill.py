"""The command `mlguard-exporter backfill`."""

from __future__ import annotations

import sqlite3
import sys
from datetime import UTC, date, datetime, timedelta
from typing import IO, TYPE_CHECKING

from mlguard_common.database import StoreError, open_database
from mlguard_exporter.polling import request_history
from mlguard_exporter.setup.client import PROBLEMS, SetupClient
from mlguard_exporter.setup.command import (
    command,
    confirm,
    is_local_folder,
    require_confirmation,
    selected_accounts,
    shown,
    title,
)
from mlguard_exporter.setup.report import Report, Status
from mlguard_exporter.sources.aws.cost_explorer import ACTIVE
from mlguard_exporter.spend.calendar import month_of
from mlguard_exporter.store import MIGRATIONS, database_path

if TYPE_CHECKING:
    from pathlib import Path

    from mlguard_exporter.config import AccountConfig, Config

MAX_MONTHS = 12
_PAUSE = timedelta(hours=24)
_PROCESSING = "PROCESSING"


def run(
    config: Config,
    *,
    now: datetime,
    months: int = MAX_MONTHS,
    config_path: Path | None = None,
    account: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
    out: IO[str] | None = None,
) -> int:
    """Request a backfill of the tags, and return the exit status: 1 unless it was accepted.

    Args:
        config: with accounts and tags.
        now: the time.
        months: number of months before this one, 1 to 12.
        config_path: for the commands in the report.
        account: name of one account, instead of all.
        dry_run: only report what would be done.
        yes: do not ask for confirmation.
        out: where it is written; standard output by default.

    Raises:
        ConfigError: there is no such account, or no terminal to confirm at.
    """
    require_confirmation("backfill", dry_run=dry_run, yes=yes)
    out = out or sys.stdout
    report = Report(out)
    first = month_of(now.astimezone(UTC).date(), back=months)
    for each in selected_accounts(config, account):
        if is_local_folder(each):
            continue
        report.title(title(each, config))
        client = SetupClient(each)
        if _may_begin(client, config, now, report, command("activate-tags", config_path)):
            _explain(first, report)
            if dry_run:
                report.note("nothing is done, as this is a dry run")
            elif confirm(f"  Split spend since {first} again?", yes=yes, out=out):
                _begin(client, config, each, first, now, report)
            else:
                report.is_ok = False
                report.note("nothing is done")
        report.requests(client)
    return report.end()


def _may_begin(
    client: SetupClient, config: Config, now: datetime, report: Report, activate: str
) -> bool:
    tags = config.cost.tags
    try:
        report.note(f"as {shown(client.identity())}")
        states = client.tag_states(names := tags.names)
        earlier = client.backfills()
    except PROBLEMS as error:
        report.failed("backfill", error)
        return False
    active = [tag for tag in names if states.get(tag) == ACTIVE]
    for tag in names:
        state = "active" if tag in active else "not active, the past would not be split by it"
        report.note(f"tag {tag}: {state}")
    if not active:
        report.found(Status.MISSING, "backfill", "of no use before a tag is active")
        report.to_do("Activate the tags first:", f"  {activate}")
        return False
    if earlier and (earlier[0].status == _PROCESSING or now - earlier[0].requested_at < _PAUSE):
        last = earlier[0]
        state = "is under way" if last.status == _PROCESSING else f"ended ({last.status.lower()})"
        report.found(
            Status.MISSING,
            "backfill",
            f"one since {last.first} was requested at {last.requested_at:%Y-%m-%d %H:%M} UTC and"
            f" {state}; AWS takes one in 24 hours",
        )
        report.to_do("Try again tomorrow, if that one was not what you wanted.")
        return False
    return True


def _explain(first: date, report: Report) -> None:
    report.note(f"AWS would treat all spend since {first} as if the tags had been then as they are")
    report.note("now. This holds for every tag of the organization: a tag of anyone that is")
    report.note("inactive now is taken off these months. It can be requested once in 24 hours.")


def _begin(
    client: SetupClient,
    config: Config,
    account: AccountConfig,
    first: date,
    now: datetime,
    report: Report,
) -> None:
    try:
        client.start_backfill(first)
    except PROBLEMS as error:
        report.failed("backfill", error)
        return
    report.found(Status.OK, "backfill", f"begun, since {first}; AWS takes up to a day or two")
    try:
        _request_refresh(config, account.name, first, now)
    except StoreError as error:
        report.found(Status.MISSING, "exporter", f"it will not read these days again: {error}")
    else:
        report.found(Status.OK, "exporter", "it reads these days again for the next two days")


def _request_refresh(config: Config, account: str, first: date, now: datetime) -> None:
    """Have the daemon read these days again; it may be running."""
    db = open_database(database_path(config), *MIGRATIONS, shared=True)
    try:
        with db.atomic():
            request_history(db, account, first, now.timestamp())
    except sqlite3.Error as error:
        raise StoreError(f"the database cannot be written: {error}") from error
    finally:
        db.conn.close()
