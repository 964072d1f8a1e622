"""Binary operators between two vectors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from mlguard_rules.errors import EvaluationError
from mlguard_rules.promql.nodes import EvalContext, VectorNode
from mlguard_rules.promql.values import (
    NAME,
    Labels,
    Vector,
    drop_labels,
    format_labels,
    keep_labels,
    vector_of,
    without_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.promql.arithmetic import Binary, Comparison


@dataclass(frozen=True)
class Signature:
    """The labels that must be equal for two elements to match.

    Attributes:
        labels: names after on or ignoring.
        on: match on these labels; else on all but these and the name of the metric.
    """

    labels: frozenset[str] = frozenset()
    on: bool = False

    def key(self) -> Callable[[Labels], Labels]:
        """Return a function from the labels of an element to those that must be equal."""
        if self.on:
            names = self.labels
            return lambda labels: tuple([pair for pair in labels if pair[0] in names])
        if not self.labels:
            return without_name
        names = self.labels | {NAME}
        return lambda labels: tuple([pair for pair in labels if pair[0] not in names])


class Cardinality(Enum):
    """How many elements of the left side may match how many of the right side."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"


class Mode(Enum):
    """The use of the result of an operator."""

    ARITHMETIC = "arithmetic"
    FILTER = "filter"
    BOOL = "bool"


@dataclass(frozen=True)
class BinaryOperation(VectorNode):
    """Arithmetic or a comparison between the matching elements of two vectors.

    Attributes:
        operator: of left and right.
        mode: whether the result is the value, a filter of the left side, or 0 or 1.
        left: left side.
        right: right side.
        signature: labels that must be equal.
        cardinality: by group_left or group_right.
        included: labels that results take from the side of which one element matches.
    """

    operator: Binary | Comparison
    mode: Mode
    left: VectorNode
    right: VectorNode
    signature: Signature
    cardinality: Cardinality
    included: tuple[str, ...] = ()

    def vector(self, context: EvalContext) -> Vector:
        """Return the results (engine.go, VectorBinop).

        Raises:
            EvaluationError: more elements match than the cardinality allows.
        """
        left, right = self.left.vector(context), self.right.vector(context)
        if not left or not right:
            return {}
        swapped = self.cardinality is Cardinality.ONE_TO_MANY
        several, single = (right, left) if swapped else (left, right)
        key, operator, filters = self.signature.key(), self.operator, self.mode is Mode.FILTER
        partners = self._partners(single, key)
        keeps_labels = self._keeps_labels
        results: list[tuple[Labels, float]] = []
        matched: set[Labels | tuple[Labels, Labels]] = set()
        for labels, value in several.items():
            signature = key(labels)
            partner = partners.get(signature)
            if partner is None:
                continue
            x, y = (partner[1], value) if swapped else (value, partner[1])
            result = operator(x, y)
            if filters and not result:
                continue
            result = x if filters else float(result)
            if keeps_labels:  # which are unique then, so that nothing matches twice
                results.append((labels, result))
            else:
                named = self._labels(labels, partner[0])
                self._mark(matched, signature, named)
                results.append((named, result))
        return vector_of(results)

    @property
    def _keeps_labels(self) -> bool:
        """Whether the results have the labels of the elements of the side of many."""
        return (
            self.mode is Mode.FILTER
            and self.cardinality is not Cardinality.ONE_TO_ONE
            and not self.included
        )

    def _partners(
        self, single: Vector, key: Callable[[Labels], Labels]
    ) -> dict[Labels, tuple[Labels, float]]:
        found: dict[Labels, tuple[Labels, float]] = {}
        for labels, value in single.items():
            signature = key(labels)
            if signature in found:
                side = "left" if self.cardinality is Cardinality.ONE_TO_MANY else "right"
                raise EvaluationError(
                    f"found duplicate series for the match group {format_labels(signature)} on the "
                    f"{side} hand-side of the operation: {format_labels(found[signature][0])} and "
                    f"{format_labels(labels)}"
                )
            found[signature] = (labels, value)
        return found

    def _labels(self, labels: Labels, partner: Labels) -> Labels:
        """Return the labels of a result (engine.go, resultMetric)."""
        if self.mode is Mode.ARITHMETIC:
            labels = without_name(labels)
        if self.cardinality is Cardinality.ONE_TO_ONE:
            if self.signature.on:
                labels = keep_labels(labels, self.signature.labels)
            elif self.signature.labels:
                labels = drop_labels(labels, self.signature.labels)
        if self.included:
            values, theirs = dict(labels), dict(partner)
            for name in self.included:
                values[name] = theirs.get(name, "")
            labels = tuple(sorted((name, value) for name, value in values.items() if value))
        return without_name(labels) if self.mode is Mode.BOOL else labels

    def _mark(
        self, matched: set[Labels | tuple[Labels, Labels]], signature: Labels, named: Labels
    ) -> None:
        mark = signature if self.cardinality is Cardinality.ONE_TO_ONE else (signature, named)
        if mark in matched:
            hint = (
                "many-to-one matching must be explicit (group_left/group_right)"
                if self.cardinality is Cardinality.ONE_TO_ONE
                else "grouping labels must ensure unique matches"
            )
            raise EvaluationError(f"multiple matches for labels {format_labels(signature)}: {hint}")
        matched.add(mark)


@dataclass(frozen=True)
class SetOperation(VectorNode):
    """The operators and, or, unless.

    Attributes:
        operator: its name.
        left: left side.
        right: right side.
        signature: labels that must be equal.
    """

    operator: str
    left: VectorNode
    right: VectorNode
    signature: Signature

    def vector(self, context: EvalContext) -> Vector:
        """Return elements of the left side, for `or` also of the right side, unchanged.

        Raises:
            EvaluationError: `or` gives two elements the same labels.
        """
        left, right = self.left.vector(context), self.right.vector(context)
        key = self.signature.key()
        if self.operator == "or":
            known = {key(labels) for labels in left}
            added = [(labels, v) for labels, v in right.items() if key(labels) not in known]
            return vector_of([*left.items(), *added])
        known = {key(labels) for labels in right}
        wanted = self.operator == "and"
        return {labels: v for labels, v in left.items() if (key(labels) in known) == wanted}
