"""The command `mlguard-exporter activate-tags`."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING

from mlguard_exporter.aws import ACTIVE
from mlguard_exporter.setup.accounts import chosen, command, is_folder, shown, title
from mlguard_exporter.setup.consent import agreed, need_consent
from mlguard_exporter.setup.door import PROBLEMS, Door
from mlguard_exporter.setup.report import Mark, Report

if TYPE_CHECKING:
    from pathlib import Path

    from mlguard_exporter.config import AccountConfig, Config


def run(
    config: Config,
    *,
    config_path: Path | None = None,
    account: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
    out: IO[str] | None = None,
) -> int:
    """Have AWS split spend by the tags; the exit status, 1 where that is not reached.

    Args:
        config: with accounts and tags.
        config_path: to be named in commands.
        account: one of them, instead of all.
        dry_run: whether to tell alone what would be changed.
        yes: whether it is agreed already.
        out: where it is written; standard output by default.

    Raises:
        ConfigError: there is no such account, or nobody can be asked.
    """
    need_consent("activate-tags", dry_run=dry_run, yes=yes)
    out = out or sys.stdout
    report = Report(out)
    changed = False
    for each in chosen(config, account):
        if is_folder(each):
            continue
        report.title(title(each, config))
        door = Door(each)
        wanted = _look(door, config, report, command("activate-tags", config_path))
        if wanted and dry_run:
            report.note("nothing is changed, as this is a dry run")
        elif wanted and agreed(f"  Activate {', '.join(wanted)}?", yes=yes, out=out):
            changed = _activate(door, wanted, each, report) or changed
        elif wanted:
            report.well = False
            report.note("nothing is changed")
        report.requests(door)
    if changed:
        report.to_do(
            "Wait for 24 to 48 hours: from then on AWS splits new spend by these tags. For the"
            " months before:",
            f"  {command('backfill', config_path)}",
        )
    return report.end()


def _look(door: Door, config: Config, report: Report, activate: str) -> list[str]:
    """The tags that can be activated."""
    tags = config.cost.tags
    try:
        report.note(f"as {shown(door.identity())}")
        states = door.tag_states(names := tags.names)
    except PROBLEMS as error:
        report.failed("tags", error)
        return []
    wanted, unseen = [], []
    for tag in names:
        if tag not in states:
            report.found(
                Mark.MISSING, f"tag {tag}", "not known to AWS yet, so it cannot be activated"
            )
            unseen.append(tag)
        elif states[tag] == ACTIVE:
            report.found(Mark.OK, f"tag {tag}", "active already")
        else:
            wanted.append(tag)
            report.note(f"         tag {tag}: inactive, can be activated")
    if unseen:
        report.to_tag(unseen)
        report.to_do("Activate them when AWS knows them:", f"  {activate}")
    return wanted


def _activate(door: Door, wanted: list[str], account: AccountConfig, report: Report) -> bool:
    """Whether any was."""
    try:
        errors = door.activate(wanted)
    except PROBLEMS as error:
        report.failed("tags", error)
        return False
    for tag in wanted:
        if tag in errors:
            report.found(Mark.MISSING, f"tag {tag}", f"not activated: {errors[tag]}")
            report.to_do(
                f"Try again later, or activate {tag} in the AWS console of {account.name}."
            )
        else:
            report.found(Mark.OK, f"tag {tag}", "activated")
    return len(errors) < len(wanted)
