"""What a command found, and what is to be done."""

from __future__ import annotations

from enum import StrEnum
from typing import IO, TYPE_CHECKING

from mlguard_exporter.aws.errors import code, explain

if TYPE_CHECKING:
    from mlguard_exporter.setup.door import Door

_UNCERTAIN = ("connection", "timeout", "server_error", "throttled", "unavailable")
"""Outcomes that say nothing about what is set up."""


class Mark(StrEnum):
    """How something stands."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Report:
    """Findings as they come, in plain lines, and at the end what is to be done.

    Args:
        out: where it is written.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._to_do: list[tuple[str, ...]] = []
        self.well = True

    def title(self, text: str) -> None:
        """Begin a part."""
        self._write(text)
        self._write("")

    def found(self, mark: Mark, subject: str, text: str) -> None:
        """Tell one finding."""
        self.well = self.well and mark is Mark.OK
        self._write(f"  {mark:<8} {subject}: {text}")

    def failed(self, subject: str, error: Exception, mark: Mark | None = None) -> None:
        """Tell an error as a finding, and what it asks for as something to be done."""
        what, _, advice = explain(error).partition("; ")
        uncertain = code(error) in _UNCERTAIN
        self.found(mark or (Mark.UNKNOWN if uncertain else Mark.MISSING), subject, what)
        if advice:
            end = "" if advice.endswith("?") else "."
            self.to_do(f"{advice[0].upper()}{advice[1:]}{end}")

    def note(self, text: str) -> None:
        """Tell more of this part."""
        self._write(f"  {text}")

    def requests(self, door: Door) -> None:
        """Tell what a part has cost, and end it."""
        if door.sent:
            plural = "s" if door.sent > 1 else ""
            cost = f"${door.spent_usd:.2f} at most"
            self.note(f"{door.sent} request{plural} to Cost Explorer, {cost}")
        self._write("")

    def to_do(self, *lines: str) -> None:
        """Add something to be done, unless it has been added."""
        if lines not in self._to_do:
            self._to_do.append(lines)

    def to_tag(self, tags: list[str]) -> None:
        """Add that something is to be tagged."""
        names = " and ".join([", ".join(tags[:-1]), tags[-1]] if tags[1:] else tags)
        self.to_do(
            f"Tag what costs money (endpoints, instances, disks) with {names}.",
            "AWS knows a tag up to 24 hours after something with it has cost money.",
        )

    def end(self, last: str = "", well: str = "") -> int:
        """Tell what is to be done; the exit status: 1 where anything is not well.

        Args:
            last: what is to be done after all else.
            well: what to say where all is well.
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
        if self.well and well:
            self._write(well)
        return 0 if self.well else 1

    def _write(self, line: str) -> None:
        shown = "".join(c if c.isprintable() else "?" for c in line)
        self._out.write(f"{shown}\n")
        self._out.flush()
