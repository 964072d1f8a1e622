"""The report of a setup command: findings, and what to do."""

from __future__ import annotations

from enum import StrEnum
from typing import IO, TYPE_CHECKING

from mlguard_exporter.sources.aws.errors import describe_error, outcome_of

if TYPE_CHECKING:
    from mlguard_exporter.setup.client import SetupClient

_UNCERTAIN = ("connection", "timeout", "server_error", "throttled", "unavailable")
"""Outcomes of a request that do not show what is set up."""
_EXPECTED = "expected "
"""Begin of what belongs to what is wrong, in an error's text, and is no advice alone."""


class Status(StrEnum):
    """The status of a finding."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Report:
    """Writes findings line by line, and at the end what to do.

    Args:
        out: where it is written.

    Attributes:
        is_ok: whether all findings so far are `Status.OK`, but for those of `unsure`.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._to_do: list[tuple[str, ...]] = []
        self.is_ok = True
        self._is_sure = True

    def title(self, text: str) -> None:
        """Begin a part."""
        self._write(text)
        self._write("")

    def found(self, status: Status, subject: str, text: str) -> None:
        """Write one finding."""
        self.is_ok = self.is_ok and status is Status.OK
        self._write(f"  {status:<8} {subject}: {text}")

    def unsure(self, subject: str, text: str) -> None:
        """Write what cannot be known yet, which is no failure."""
        self._is_sure = False
        self._write(f"  {Status.UNKNOWN:<8} {subject}: {text}")

    def failed(self, subject: str, error: Exception, status: Status | None = None) -> None:
        """Write an error as a finding, and add its advice to what is to be done."""
        what, _, advice = describe_error(error).partition("; ")
        is_expected = advice.startswith(_EXPECTED)
        if is_expected:
            expected, _, advice = advice.partition("; ")
            what = f"{what}; {expected}"
        uncertain = outcome_of(error) in _UNCERTAIN
        self.found(status or (Status.UNKNOWN if uncertain else Status.MISSING), subject, what)
        if is_expected:
            advice = advice or "put this right"
            self.to_do(f"{advice[0].upper()}{advice[1:]}:", f"  {what}")
        elif advice:
            end = "" if advice.endswith("?") else "."
            self.to_do(f"{advice[0].upper()}{advice[1:]}{end}")

    def note(self, text: str) -> None:
        """Write a line of this part."""
        self._write(f"  {text}")

    def requests(self, client: SetupClient) -> None:
        """Write what the requests of this part have cost, and end it."""
        if client.sent:
            plural = "s" if client.sent > 1 else ""
            cost = f"${client.spent_usd:.2f} at most"
            self.note(f"{client.sent} request{plural} to Cost Explorer, {cost}")
        self._write("")

    def to_do(self, *lines: str) -> None:
        """Add something to be done, unless it has been added."""
        if lines not in self._to_do:
            self._to_do.append(lines)

    def to_tag(self, tags: list[str]) -> None:
        """Add the advice to tag resources."""
        names = " and ".join([", ".join(tags[:-1]), tags[-1]] if tags[1:] else tags)
        self.to_do(
            f"Tag what costs money (endpoints, instances, disks) with {names}.",
            "AWS knows a tag up to 24 hours after something with it has cost money.",
        )

    def end(self, last: str = "", ok: str = "") -> int:
        """Write what is to be done, and return the exit status: 1 if anything is missing.

        Args:
            last: line after what is to be done.
            ok: line where every finding is OK.
        """
        if self._to_do:
            self.title("To do")
        for number, (first, *more) in enumerate(self._to_do, 1):
            self._write(f"  {number}. {first}")
            for line in more:
                self._write(f"     {line}")
        if self._to_do and last:
            self._write("")
            self._write(last)
        if self.is_ok and self._is_sure and ok:
            self._write(ok)
        return 0 if self.is_ok else 1

    def _write(self, line: str) -> None:
        shown = "".join(c if c.isprintable() else "?" for c in line)
        self._out.write(f"{shown}\n")
        self._out.flush()
