"""Rules as they are evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mlguard_rules.promql import Expression
    from mlguard_rules.templates import Template


class RuleFileError(ValueError):
    """A rule file cannot be used: `file:line: reason`."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}")


@dataclass(frozen=True)
class RecordingRule:
    """Keeps an expression's result under a name of its own.

    Attributes:
        name: of the metric.
        expression: what is evaluated.
        labels: set on every result; one that is empty is taken away.
    """

    name: str
    expression: Expression
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AlertRule:
    """Tells of what an expression finds.

    Attributes:
        id: the same after a restart and after a change of anything but group, name and labels.
        name: the label `alertname`.
        expression: every result is an alert.
        for_seconds: how long it must be found before it fires.
        keep_firing_seconds: how long it fires on when it is not found any more.
        labels: label -> its template.
        annotations: annotation -> its template.
        place: `file:line`.
    """

    id: str
    name: str
    expression: Expression
    for_seconds: float
    keep_firing_seconds: float
    labels: tuple[tuple[str, Template], ...]
    annotations: tuple[tuple[str, Template], ...]
    place: str


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated one after the other.

    Attributes:
        name: unique in its file.
        rules: in the order of the file.
    """

    name: str
    rules: tuple[RecordingRule | AlertRule, ...]
