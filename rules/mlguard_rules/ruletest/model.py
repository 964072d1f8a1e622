"""Tests of rules as they are run; times are milliseconds since the first evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from mlguard_rules.promql import Expression, Labels
    from mlguard_rules.rulefile import Group

Firing: TypeAlias = "tuple[Labels, Labels]"
"""Labels and annotations of an alert that fires, each sorted by name."""

Sample: TypeAlias = "tuple[Labels, float]"
"""Labels with `__name__` where there is one, and the value."""


@dataclass(frozen=True)
class InputSeries:
    """What a series is given.

    Attributes:
        metric: its name.
        labels: without the name.
        values: one for each interval, None where there is no sample, `Stale` where it ends.
    """

    metric: str
    labels: Labels
    values: tuple[float | Stale | None, ...]


class Stale:
    """The series ends: it is not seen from here on, until its next value."""


STALE = Stale()


@dataclass(frozen=True)
class AlertCheck:
    """Which alerts of a name fire at a time.

    Attributes:
        line: where it is written.
        at: when; the latest evaluation until then counts.
        name: the label `alertname`.
        expected: sorted.
    """

    line: int
    at: int
    name: str
    expected: tuple[Firing, ...]


@dataclass(frozen=True)
class QueryCheck:
    """What an expression evaluates to at a time.

    Attributes:
        line: where it is written.
        at: when.
        expression: compiled.
        expected: sorted by labels.
    """

    line: int
    at: int
    expression: Expression
    expected: tuple[Sample, ...]


Check: TypeAlias = AlertCheck | QueryCheck


@dataclass(frozen=True)
class Scenario:
    """Series, and what the rules have to make of them.

    Attributes:
        name: for people, may be empty.
        line: where it is written.
        interval: between two samples of a series.
        series: no two of the same metric and labels.
        checks: in the order of the file.
    """

    name: str
    line: int
    interval: int
    series: tuple[InputSeries, ...]
    checks: tuple[Check, ...]

    @property
    def end(self) -> int:
        """The time of the last check."""
        return max((check.at for check in self.checks), default=0)


@dataclass(frozen=True)
class RuleTests:
    """A file of tests.

    Attributes:
        path: of the file.
        groups: the rules that it tests.
        interval: between two evaluations.
        scenarios: each begins with engine and history empty.
    """

    path: Path
    groups: tuple[Group, ...]
    interval: int
    scenarios: tuple[Scenario, ...]


@dataclass(frozen=True)
class Difference:
    """Where the engine does not do what a test expects.

    Attributes:
        line: of the test.
        what: was checked.
        expected: a line for each alert or sample.
        found: the same; or why there is nothing.
    """

    line: int
    what: str
    expected: tuple[str, ...]
    found: tuple[str, ...]

    def __str__(self) -> str:
        rows = [f"{self.line}: {self.what}"]
        for heading, lines in (("expected", self.expected), ("found", self.found)):
            for i, line in enumerate(lines or ("nothing",)):
                rows.append(f"    {heading + ':' if i == 0 else '':<10}{line}")
        return "\n".join(rows)
