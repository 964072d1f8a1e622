"""Test scenarios; times are milliseconds since the first evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from mlguard_rules.promql import Expression, Labels
    from mlguard_rules.rulefile import RuleGroup

Firing: TypeAlias = "tuple[Labels, Labels]"
"""Labels and annotations of a firing alert, each sorted by name."""

Sample: TypeAlias = "tuple[Labels, float]"
"""Labels, with `__name__` if there is one, and the value."""


@dataclass(frozen=True)
class InputSeries:
    """The values of a series.

    Attributes:
        metric: its name.
        labels: without the name.
        values: one for each interval; None is no sample, `Stale` ends the series.
    """

    metric: str
    labels: Labels
    values: tuple[float | Stale | None, ...]


class Stale:
    """The end of a series: it is not visible until its next value."""


STALE = Stale()


@dataclass(frozen=True)
class AlertCheck:
    """The alerts of a name that fire at a time.

    Attributes:
        line: where it is written.
        at: of the check; the latest evaluation until then counts.
        name: the label `alertname`.
        expected: sorted.
    """

    line: int
    at: int
    name: str
    expected: tuple[Firing, ...]


@dataclass(frozen=True)
class QueryCheck:
    """The result of an expression at a time.

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
    """Series, and checks of what the rules make of them.

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
        scenarios: each starts without samples and alerts.
    """

    path: Path
    groups: tuple[RuleGroup, ...]
    interval: int
    scenarios: tuple[Scenario, ...]


@dataclass(frozen=True)
class Difference:
    """A failed check.

    Attributes:
        line: of the test.
        what: what was checked.
        expected: a line for each alert or sample.
        found: the same, or the reason why there is nothing.
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
