"""Selectors: which series of a metric an expression reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.matchers import Matcher
    from mlguard_rules.promql.values import Labels


@dataclass(frozen=True)
class Selector:
    """Series of one metric.

    Attributes:
        metric: name of the metric.
        matchers: conditions on labels other than the name, all of which must hold.
    """

    metric: str
    matchers: tuple[Matcher, ...] = ()
    _pairs: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _others: tuple[tuple[str, Callable[[str], bool]], ...] = field(
        init=False, repr=False, compare=False
    )
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact = [m for m in self.matchers if m.operator == "=" and m.value]
        others = tuple((m.label, m.predicate) for m in self.matchers if m not in exact)
        object.__setattr__(self, "_pairs", tuple((m.label, m.value) for m in exact))
        object.__setattr__(self, "_others", others)
        object.__setattr__(self, "_hash", hash((self.metric, self.matchers)))

    def __hash__(self) -> int:
        return self._hash

    def matches(self, labels: Labels) -> bool:
        """Return whether a series of the metric is selected, given its labels."""
        for pair in self._pairs:
            if pair not in labels:
                return False
        if self._others:
            values = dict(labels)
            for label, predicate in self._others:
                if not predicate(values.get(label, "")):
                    return False
        return True

    def labels_when_absent(self) -> Labels:
        """Return the labels of absent() of this selector.

        They are those on which the only matcher is an equality; functions.go,
        createLabelsForAbsentFunction, whose result depends on the order of the matchers.
        """
        found: dict[str, str] = {}
        seen: set[str] = set()
        for matcher in self.matchers:
            if matcher.operator == "=" and matcher.label not in seen:
                seen.add(matcher.label)
                found[matcher.label] = matcher.value
            else:
                found.pop(matcher.label, None)
        return tuple(sorted((name, value) for name, value in found.items() if value))
