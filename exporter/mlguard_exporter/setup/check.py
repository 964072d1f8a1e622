"""The command `mlguard-exporter check`."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC
from typing import IO, TYPE_CHECKING

from botocore.exceptions import NoCredentialsError

from mlguard_exporter.aws.errors import POLICY, code
from mlguard_exporter.setup.accounts import chosen, command, is_folder, shown, title
from mlguard_exporter.setup.door import PROBLEMS, Door
from mlguard_exporter.setup.exports import check_export
from mlguard_exporter.setup.report import Mark, Report
from mlguard_exporter.setup.spend import check_spend

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from mlguard_exporter.config import AccountConfig, Config

_NO_CREDENTIALS = (
    "Give this machine a way into AWS, one of these:",
    "- on a laptop with single sign-on: aws configure sso, and after that aws sso login",
    "- with an access key: aws configure",
    "- on EC2, ECS or EKS: a role of the instance, task or pod (for a pod: IRSA)",
    f"with the rights of {POLICY}, to read spend. Whoever runs your AWS account can help.",
)


def run(
    config: Config,
    *,
    now: datetime,
    config_path: Path | None = None,
    account: str | None = None,
    out: IO[str] | None = None,
) -> int:
    """Tell what AWS needs before spend can be read; the exit status, 1 where anything is missing.

    Args:
        config: with the accounts; where there are none, those credentials that boto3 finds.
        now: the time.
        config_path: to be named in commands.
        account: one to look at, instead of all.
        out: where it is written; standard output by default.

    Raises:
        ConfigError: there is no such account.
    """
    report = Report(out or sys.stdout)
    for each in chosen(config, account):
        report.title(title(each, config))
        door = Door(each)
        _check(door, each, config, now, report, config_path)
        report.requests(door)
    if not config.cost.accounts:
        profile = os.environ.get("AWS_PROFILE")
        report.well = False
        report.to_do(
            f"Have this spend read, with these lines in {config_path or 'a configuration'}:",
            "  cost:",
            "    accounts:",
            "      - name: main",
            *([f"        profile: {json.dumps(profile)}"] if profile else []),
        )
    return report.end(f"Then look again: {command('check', config_path)}", "All is well.")


def _check(
    door: Door,
    account: AccountConfig,
    config: Config,
    now: datetime,
    report: Report,
    config_path: Path | None,
) -> None:
    if not is_folder(account) and not _check_identity(door, account, report):
        return
    if account.export is not None:
        check_export(account.export, door.aws.client, now, report)
    else:
        today = now.astimezone(UTC).date()
        check_spend(door, config.cost.tags, today, report, command("activate-tags", config_path))


def _check_identity(door: Door, account: AccountConfig, report: Report) -> bool:
    """Whether it makes sense to ask on."""
    subject = "role" if account.role_arn else "credentials"
    try:
        identity = door.identity()
    except NoCredentialsError:
        report.found(Mark.MISSING, "credentials", "no AWS credentials are found on this machine")
        report.to_do(*_NO_CREDENTIALS)
        return False
    except PROBLEMS as error:
        report.failed(subject, error)
        # where AWS is reached through endpoints of a private network, that of STS may be lacking
        return code(error) in ("connection", "timeout") and account.role_arn is None
    report.found(Mark.OK, subject, shown(identity))
    return True
