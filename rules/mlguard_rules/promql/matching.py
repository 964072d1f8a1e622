"""Operators between two vectors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from mlguard_rules.promql.nodes import Moment, VectorNode
from mlguard_rules.promql.values import (
    NAME,
    EvaluationError,
    Labels,
    Vector,
    dropped,
    kept,
    text_of,
    unique,
    without_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.promql.arithmetic import Binary, Comparison


@dataclass(frozen=True)
class Signature:
    """Which labels must be equal for two elements to match.

    Attributes:
        labels: names given with on or ignoring.
        on: these labels, rather than all but these and the name of the metric.
    """

    labels: frozenset[str] = frozenset()
    on: bool = False

    def key(self) -> Callable[[Labels], Labels]:
        """Gives the labels of an element that must be equal."""
        if self.on:
            return lambda labels: kept(labels, self.labels)
        if not self.labels:
            return without_name
        names = self.labels | {NAME}
        return lambda labels: dropped(labels, names)


class Many(Enum):
    """The side on which several elements may match one of the other side."""

    NEITHER = "neither"
    LEFT = "left"
    RIGHT = "right"


class Mode(Enum):
    """What becomes of the result of an operator."""

    ARITHMETIC = "arithmetic"
    FILTER = "filter"
    BOOL = "bool"


@dataclass(frozen=True)
class Matched(VectorNode):
    """Arithmetic or a comparison between the elements of two vectors that match.

    Attributes:
        operator: of left and right.
        mode: whether it is the value, a condition on the left value, or a condition as 0 or 1.
        left: one vector.
        right: the other.
        signature: what has to be equal.
        many: the side named by group_left or group_right.
        included: labels that a result has from the other side.
    """

    operator: Binary | Comparison
    mode: Mode
    left: VectorNode
    right: VectorNode
    signature: Signature
    many: Many
    included: tuple[str, ...] = ()

    def vector(self, moment: Moment) -> Vector:
        """The results; engine.go, VectorBinop.

        Raises:
            EvaluationError: elements match that must not.
        """
        left, right = self.left.vector(moment), self.right.vector(moment)
        if not left or not right:
            return {}
        swapped = self.many is Many.RIGHT
        several, single = (right, left) if swapped else (left, right)
        key = self.signature.key()
        partners = self._partners(single, key)
        results: list[tuple[Labels, float]] = []
        matched: set[Labels | tuple[Labels, Labels]] = set()
        for labels, value in several.items():
            signature = key(labels)
            partner = partners.get(signature)
            if partner is None:
                continue
            x, y = (partner[1], value) if swapped else (value, partner[1])
            result = self._value(x, y)
            if result is None:
                continue
            named = self._labels(labels, partner[0])
            self._mark(matched, signature, named)
            results.append((named, result))
        return unique(results)

    def _partners(
        self, single: Vector, key: Callable[[Labels], Labels]
    ) -> dict[Labels, tuple[Labels, float]]:
        found: dict[Labels, tuple[Labels, float]] = {}
        for labels, value in single.items():
            signature = key(labels)
            if signature in found:
                side = "left" if self.many is Many.RIGHT else "right"
                raise EvaluationError(
                    f"found duplicate series for the match group {text_of(signature)} on the "
                    f"{side} hand-side of the operation: {text_of(found[signature][0])} and "
                    f"{text_of(labels)}"
                )
            found[signature] = (labels, value)
        return found

    def _value(self, x: float, y: float) -> float | None:
        result = self.operator(x, y)
        if self.mode is Mode.FILTER:
            return x if result else None
        return float(result)

    def _labels(self, labels: Labels, partner: Labels) -> Labels:
        """Labels of a result (engine.go, resultMetric)."""
        if self.mode is Mode.ARITHMETIC:
            labels = without_name(labels)
        if self.many is Many.NEITHER:
            if self.signature.on:
                labels = kept(labels, self.signature.labels)
            elif self.signature.labels:
                labels = dropped(labels, self.signature.labels)
        if self.included:
            values, theirs = dict(labels), dict(partner)
            for name in self.included:
                values[name] = theirs.get(name, "")
            labels = tuple(sorted((name, value) for name, value in values.items() if value))
        return without_name(labels) if self.mode is Mode.BOOL else labels

    def _mark(
        self, matched: set[Labels | tuple[Labels, Labels]], signature: Labels, named: Labels
    ) -> None:
        mark = signature if self.many is Many.NEITHER else (signature, named)
        if mark in matched:
            hint = (
                "many-to-one matching must be explicit (group_left/group_right)"
                if self.many is Many.NEITHER
                else "grouping labels must ensure unique matches"
            )
            raise EvaluationError(f"multiple matches for labels {text_of(signature)}: {hint}")
        matched.add(mark)


@dataclass(frozen=True)
class SetOperation(VectorNode):
    """The operators and, or, unless.

    Attributes:
        operator: which one.
        left: one vector.
        right: the other.
        signature: what has to be equal.
    """

    operator: str
    left: VectorNode
    right: VectorNode
    signature: Signature

    def vector(self, moment: Moment) -> Vector:
        """Elements of the left side, for `or` also of the right, unchanged.

        Raises:
            EvaluationError: `or` gives two elements the same labels.
        """
        left, right = self.left.vector(moment), self.right.vector(moment)
        key = self.signature.key()
        if self.operator == "or":
            known = {key(labels) for labels in left}
            added = [(labels, v) for labels, v in right.items() if key(labels) not in known]
            return unique([*left.items(), *added])
        known = {key(labels) for labels in right}
        wanted = self.operator == "and"
        return {labels: v for labels, v in left.items() if (key(labels) in known) == wanted}
