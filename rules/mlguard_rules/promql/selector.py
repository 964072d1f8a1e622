"""Which series of a metric an expression reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlguard_rules.promql.regex import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.promql.values import Labels


@dataclass(frozen=True)
class Matcher:
    """A condition on the value of a label; a label that is absent has an empty value.

    Attributes:
        label: the label's name.
        operator: one of = != =~ !~.
        value: a string, or a regular expression that must match all of the label's value.

    Raises:
        UnsupportedError: the regular expression cannot be used.
    """

    label: str
    operator: str
    value: str
    test: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "test", _test(self.operator, self.value))


def _test(operator: str, value: str) -> Callable[[str], bool]:
    if operator == "=":
        return value.__eq__
    if operator == "!=":
        return value.__ne__
    full_match = compile_pattern(value).fullmatch
    if operator == "=~":
        return lambda text: full_match(text) is not None
    return lambda text: full_match(text) is None


@dataclass(frozen=True)
class Selector:
    """Series of one metric.

    Attributes:
        metric: the metric's name.
        matchers: conditions on its labels, all of which must hold.
    """

    metric: str
    matchers: tuple[Matcher, ...] = ()
    _pairs: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _others: tuple[Matcher, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact = [m for m in self.matchers if m.operator == "=" and m.value]
        others = tuple(m for m in self.matchers if m not in exact)
        object.__setattr__(self, "_pairs", tuple((m.label, m.value) for m in exact))
        object.__setattr__(self, "_others", others)

    def matches(self, labels: Labels) -> bool:
        """Whether a series of the metric, its labels without the name, is one of these."""
        for pair in self._pairs:
            if pair not in labels:
                return False
        if self._others:
            values = dict(labels)
            for matcher in self._others:
                if not matcher.test(values.get(matcher.label, "")):
                    return False
        return True

    def labels_when_absent(self) -> Labels:
        """What is known of a series that is not there.

        The labels that exactly one equality asks for; functions.go,
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
