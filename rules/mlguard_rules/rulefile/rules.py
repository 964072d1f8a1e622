"""Rules as they are evaluated."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mlguard_rules.errors import UnsupportedError
from mlguard_rules.promql import compile_expression

if TYPE_CHECKING:
    from mlguard_rules.promql import Expression
    from mlguard_rules.templates import Template


@dataclass(frozen=True)
class RecordingRule:
    """A rule that records the result of an expression under a new name.

    Attributes:
        name: of the recorded metric.
        expression: to evaluate.
        labels: set on every result; a label with an empty value is removed.
        location: `file:line`.
    """

    name: str
    expression: Expression
    labels: tuple[tuple[str, str], ...]
    location: str

    @property
    def metrics(self) -> frozenset[str]:
        """Names of the samples that it reads."""
        return self.expression.metrics


@dataclass(frozen=True)
class AlertRule:
    """A rule whose results are alerts.

    Attributes:
        id: the same after a restart, and after any change but to file name, group, name or labels.
        name: the label `alertname`.
        expression: to evaluate; each result is an alert.
        for_seconds: how long an alert is pending before it fires.
        keep_firing_seconds: how long an alert keeps firing after its condition has ended.
        labels: label -> its template.
        annotations: annotation -> its template.
        location: `file:line`.
    """

    id: str
    name: str
    expression: Expression
    for_seconds: float
    keep_firing_seconds: float
    labels: tuple[tuple[str, Template], ...]
    annotations: tuple[tuple[str, Template], ...]
    location: str

    @cached_property
    def metrics(self) -> frozenset[str]:
        """Names of the samples that it and its templates read, except as labels name them."""
        names = self.expression.metrics
        for _, template in (*self.labels, *self.annotations):
            for text in template.queries():
                with contextlib.suppress(UnsupportedError):
                    names |= compile_expression(text).metrics
        return names


@dataclass(frozen=True)
class RuleGroup:
    """Rules that are evaluated one after the other.

    Attributes:
        name: unique in its file.
        rules: in the order of the file.
    """

    name: str
    rules: tuple[RecordingRule | AlertRule, ...]
