"""Whether Cost Explorer answers, and splits spend by the tags."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeVar

from mlguard_exporter.aws import ACTIVE
from mlguard_exporter.aws.errors import POLICY, denied_action, is_linked_account
from mlguard_exporter.setup.door import PROBLEMS
from mlguard_exporter.setup.report import Mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_exporter.config import TagsConfig
    from mlguard_exporter.setup.door import Door
    from mlguard_exporter.setup.report import Report

_SEEN_DAYS = 30

T = TypeVar("T")


class _StopError(Exception):
    """There is no use in asking on."""


def check_spend(door: Door, tags: TagsConfig, today: date, report: Report, activate: str) -> None:
    """Ask Cost Explorer once for each kind of answer that is needed.

    Args:
        door: asks.
        tags: that spend is to be split by.
        today: the UTC day.
        report: takes what is found.
        activate: the command that activates tags.
    """
    check = _Check(door, tags.names, today, report, activate)
    try:
        check.run()
    except _StopError:
        pass
    finally:
        check.advise()


class _Check:
    def __init__(
        self, door: Door, tags: tuple[str, ...], today: date, report: Report, activate: str
    ) -> None:
        self._door = door
        self._tags = tags
        self._today = today
        self._report = report
        self._activate = activate
        self._linked = False
        self._denied: list[str] = []
        self._unused: list[str] = []

    def run(self) -> None:
        yesterday = self._today - timedelta(days=1)
        spent = self._ask("spend", lambda: self._door.spend_of(yesterday))
        if spent is not None:
            so_far = f"{yesterday} cost {spent.amount:.2f} {spent.currency} so far"
            self._report.found(Mark.OK, "spend", f"Cost Explorer answers; {so_far}")
        states = self._ask("payer", lambda: self._door.tag_states(self._tags))
        if self._linked:
            self._report.found(Mark.OK, "payer", "another account pays, and manages the tags")
        elif states is not None:
            self._report.found(Mark.OK, "payer", "this account manages its tags")
        first = self._today - timedelta(days=_SEEN_DAYS)
        seen = self._ask(
            "tags on spend", lambda: self._door.tags_on_spend(first, self._today, self._tags)
        )
        for tag in self._tags:
            self._tell(tag, states, seen)

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
            self._report.found(Mark.MISSING, subject, f"the credentials may not {action}")
            return None

    def _tell(self, tag: str, states: dict[str, str] | None, seen: set[str] | None) -> None:
        subject, used = f"tag {tag}", tag in (seen or ())
        if states is None:
            if used:
                self._report.found(
                    Mark.OK, subject, "on spend of the last 30 days, so it is active"
                )
            else:
                self._report.found(Mark.UNKNOWN, subject, self._why_unknown(seen))
        elif tag not in states:
            self._unused.append(tag)
            self._report.found(
                Mark.MISSING, subject, "AWS has not seen it yet on anything that costs money"
            )
        elif states[tag] != ACTIVE:
            self._report.found(
                Mark.MISSING, subject, "inactive, so that AWS does not split spend by it"
            )
            self._report.to_do("Activate the tags:", f"  {self._activate}")
        elif seen is None or used:
            more = "" if seen is None else ", and on spend of the last 30 days"
            self._report.found(Mark.OK, subject, f"active{more}")
        else:
            self._unused.append(tag)
            self._report.found(Mark.MISSING, subject, "active, but on no spend of the last 30 days")

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
