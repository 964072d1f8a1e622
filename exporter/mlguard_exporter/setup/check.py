"""The command `mlguard-exporter check`."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import IO, TYPE_CHECKING, TypeVar

from botocore.exceptions import NoCredentialsError

from mlguard_exporter.polling import ABSENT_DAYS
from mlguard_exporter.setup.check_export import check_export
from mlguard_exporter.setup.client import PROBLEMS, SetupClient
from mlguard_exporter.setup.command import command, is_local_folder, selected_accounts, shown, title
from mlguard_exporter.setup.report import Report, Status
from mlguard_exporter.sources.aws.cost_explorer import ACTIVE
from mlguard_exporter.sources.aws.errors import (
    POLICY,
    denied_action,
    is_linked_account,
    outcome_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from mlguard_exporter.config import AccountConfig, Config, TagsConfig
    from mlguard_exporter.setup.client import Charges

_SEEN_DAYS = 30
_NO_CREDENTIALS = (
    "Give this machine AWS credentials, in one of these ways:",
    "- on a laptop with single sign-on: aws configure sso, and after that aws sso login",
    "- with an access key: aws configure",
    "- on EC2, ECS or EKS: a role of the instance, task or pod (for a pod: IRSA)",
    f"with the rights of {POLICY}, to read spend. The administrator of your AWS account can help.",
)

T = TypeVar("T")


def run(
    config: Config,
    *,
    now: datetime,
    config_path: Path | None = None,
    account: str | None = None,
    out: IO[str] | None = None,
) -> int:
    """Report what AWS needs before spend can be read, and return the exit status.

    Args:
        config: with the accounts; where there are none, those credentials that boto3 finds.
        now: the time.
        config_path: for the commands in the report.
        account: name of one account, instead of all.
        out: where it is written; standard output by default.

    Raises:
        ConfigError: there is no such account.
    """
    report = Report(out or sys.stdout)
    for each in selected_accounts(config, account):
        report.title(title(each, config))
        client = SetupClient(each)
        _check(client, each, config, now, report, config_path)
        report.requests(client)
    if not config.cost.accounts:
        profile = os.environ.get("AWS_PROFILE")
        report.is_ok = False
        report.to_do(
            f"Have this spend read, with these lines in {config_path or 'a configuration'}:",
            "  cost:",
            "    accounts:",
            "      - name: main",
            *([f"        profile: {json.dumps(profile)}"] if profile else []),
        )
    return report.end(f"Then check again: {command('check', config_path)}", "All is well.")


def _check(
    client: SetupClient,
    account: AccountConfig,
    config: Config,
    now: datetime,
    report: Report,
    config_path: Path | None,
) -> None:
    if not is_local_folder(account) and not _check_identity(client, account, report):
        return
    if account.export is not None:
        check_export(account.export, client.aws.client, config.cost, now, report)
    else:
        today = now.astimezone(UTC).date()
        check_spend(client, config.cost.tags, today, report, command("activate-tags", config_path))


def _check_identity(client: SetupClient, account: AccountConfig, report: Report) -> bool:
    """Report the identity; return whether further requests make sense."""
    subject = "role" if account.role_arn else "credentials"
    try:
        identity = client.identity()
    except NoCredentialsError:
        report.found(Status.MISSING, "credentials", "no AWS credentials are found on this machine")
        report.to_do(*_NO_CREDENTIALS)
        return False
    except PROBLEMS as error:
        report.failed(subject, error)
        # a private network may have an endpoint of Cost Explorer, but none of STS
        return outcome_of(error) in ("connection", "timeout") and account.role_arn is None
    report.found(Status.OK, subject, shown(identity))
    return True


class _StopError(Exception):
    """Further requests make no sense."""


def check_spend(
    client: SetupClient, tags: TagsConfig, today: date, report: Report, activate: str
) -> None:
    """Report whether Cost Explorer answers, and splits spend by the tags.

    Args:
        client: of the account.
        tags: names of the three tags.
        today: the UTC day.
        report: takes what is found.
        activate: command line that activates tags.
    """
    check = _Check(client, tags.names, today, report, activate)
    try:
        check.run()
    except _StopError:
        pass
    finally:
        check.advise()


class _Check:
    def __init__(
        self, client: SetupClient, tags: tuple[str, ...], today: date, report: Report, activate: str
    ) -> None:
        self._client = client
        self._tags = tags
        self._today = today
        self._report = report
        self._activate = activate
        self._linked = False
        self._has_usage = True
        self._denied: list[str] = []
        self._unused: list[str] = []

    def run(self) -> None:
        yesterday = self._today - timedelta(days=1)
        spent = self._ask("spend", lambda: self._client.charges(yesterday, self._today))
        if spent is not None:
            self._report_spend(yesterday, spent)
        states = self._ask("payer", lambda: self._client.tag_states(self._tags))
        if self._linked:
            self._report.found(Status.OK, "payer", "another account pays, and manages the tags")
        elif states is not None:
            self._report.found(Status.OK, "payer", "this account manages its tags")
        first = self._today - timedelta(days=_SEEN_DAYS)
        seen = self._ask(
            "tags on spend", lambda: self._client.tags_on_spend(first, self._today, self._tags)
        )
        for tag in self._tags:
            self._report_tag(tag, states, seen)

    def _report_spend(self, day: date, spent: Charges) -> None:
        first = self._today - timedelta(days=ABSENT_DAYS)
        found: Charges | None = spent
        if not spent.usage:
            found = self._ask("spend", lambda: self._client.charges(first, self._today))
        if found is None:
            return  # it was denied, and is reported
        if found.usage:
            totals = sorted(spent.totals.items()) or [("USD", Decimal(0))]
            amounts = " and ".join(f"{amount:.2f} {currency}" for currency, amount in totals)
            text = f"Cost Explorer answers; {day} cost {amounts} so far"
            self._report.found(Status.OK, "spend", text)
        else:
            self._has_usage = False
            self._report.unsure("spend", f"Cost Explorer answers; no usage yet since {first}")
            self._report.to_do(
                "Wait a day, if the account is new: AWS shows usage up to 24 hours later.",
                "If there should be spend, use credentials of the AWS account that has it, or of"
                " the one that pays.",
            )

    def _ask(self, subject: str, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except PROBLEMS as error:
            if is_linked_account(error):
                self._linked = True
                return None
            action = denied_action(error)
            if action is None:
                self._report.failed(subject, error)
                raise _StopError from error
            self._denied.append(action)
            self._report.found(Status.MISSING, subject, f"the credentials may not {action}")
            return None

    def _report_tag(self, tag: str, states: dict[str, str] | None, seen: set[str] | None) -> None:
        subject, used = f"tag {tag}", tag in (seen or ())
        if states is None:
            if used:
                self._report.found(
                    Status.OK, subject, "on spend of the last 30 days, so it is active"
                )
            elif self._has_usage:
                self._report.found(Status.UNKNOWN, subject, self._why_unknown(seen))
            else:
                self._report.unsure(subject, self._why_unknown(seen))
        elif tag not in states:
            self._report_unused(tag, "AWS has not seen it yet on anything that costs money")
        elif states[tag] != ACTIVE:
            self._report.found(
                Status.MISSING, subject, "inactive, so that AWS does not split spend by it"
            )
            self._report.to_do("Activate the tags:", f"  {self._activate}")
        elif seen is None or used:
            more = "" if seen is None else ", and on spend of the last 30 days"
            self._report.found(Status.OK, subject, f"active{more}")
        else:
            self._report_unused(tag, "active, but on no spend of the last 30 days")

    def _report_unused(self, tag: str, text: str) -> None:
        """Report a tag that nothing carries; where there is no usage, nothing can."""
        self._unused.append(tag)
        if self._has_usage:
            self._report.found(Status.MISSING, f"tag {tag}", text)
        else:
            self._report.unsure(f"tag {tag}", text)

    def _why_unknown(self, seen: set[str] | None) -> str:
        if not self._linked:
            return "AWS does not say whether it is active"
        if seen is not None:
            self._report.to_do(
                "With credentials of the AWS account that pays, which manages the tags:",
                f"  {self._activate}",
            )
        return "on no spend of the last 30 days; only the account that pays sees if it is active"

    def advise(self) -> None:
        if self._denied:
            statement = {"Effect": "Allow", "Action": self._denied, "Resource": "*"}
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            self._report.to_do(
                f"Allow what is not allowed yet ({POLICY} has all that ML Guard may need):",
                f"  {json.dumps(policy)}",
            )
        if self._unused:
            self._report.to_tag(self._unused)
