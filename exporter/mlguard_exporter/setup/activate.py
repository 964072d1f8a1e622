"""The command `mlguard-exporter activate-tags`."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING

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
    """Activate the tags, and return the exit status: 1 unless all are active.

    Args:
        config: with accounts and tags.
        config_path: for the commands in the report.
        account: name of one account, instead of all.
        dry_run: only report what would be changed.
        yes: do not ask for confirmation.
        out: where it is written; standard output by default.

    Raises:
        ConfigError: there is no such account, or no terminal to confirm at.
    """
    require_confirmation("activate-tags", dry_run=dry_run, yes=yes)
    out = out or sys.stdout
    report = Report(out)
    changed = False
    for each in selected_accounts(config, account):
        if is_local_folder(each):
            continue
        report.title(title(each, config))
        client = SetupClient(each)
        wanted = _look(client, config, report, command("activate-tags", config_path))
        if wanted and dry_run:
            report.note("nothing is changed, as this is a dry run")
        elif wanted and confirm(f"  Activate {', '.join(wanted)}?", yes=yes, out=out):
            changed = _activate(client, wanted, each, report) or changed
        elif wanted:
            report.is_ok = False
            report.note("nothing is changed")
        report.requests(client)
    if changed:
        report.to_do(
            "Wait for 24 to 48 hours: from then on AWS splits new spend by these tags. For the"
            " months before:",
            f"  {command('backfill', config_path)}",
        )
    return report.end()


def _look(client: SetupClient, config: Config, report: Report, activate: str) -> list[str]:
    """Return the tags that can be activated."""
    tags = config.cost.tags
    try:
        report.note(f"as {shown(client.identity())}")
        states = client.tag_states(names := tags.names)
    except PROBLEMS as error:
        report.failed("tags", error)
        return []
    wanted, unseen = [], []
    for tag in names:
        if tag not in states:
            report.found(
                Status.MISSING, f"tag {tag}", "not known to AWS yet, so it cannot be activated"
            )
            unseen.append(tag)
        elif states[tag] == ACTIVE:
            report.found(Status.OK, f"tag {tag}", "active already")
        else:
            wanted.append(tag)
            report.note(f"         tag {tag}: inactive, can be activated")
    if unseen:
        report.to_tag(unseen)
        report.to_do("Activate them when AWS knows them:", f"  {activate}")
    return wanted


def _activate(
    client: SetupClient, wanted: list[str], account: AccountConfig, report: Report
) -> bool:
    """Activate tags, and return whether any was."""
    try:
        errors = client.activate(wanted)
    except PROBLEMS as error:
        report.failed("tags", error)
        return False
    for tag in wanted:
        if tag in errors:
            report.found(Status.MISSING, f"tag {tag}", f"not activated: {errors[tag]}")
            report.to_do(
                f"Try again later, or activate {tag} in the AWS console of {account.name}."
            )
        else:
            report.found(Status.OK, f"tag {tag}", "activated")
    return len(errors) < len(wanted)
