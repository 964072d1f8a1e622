"""Label matchers of selectors, silences and routes: `severity="critical"`, `feature=~"age|sex"`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from mlguard_rules.errors import MatcherError
from mlguard_rules.regex import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")


@lru_cache(maxsize=1024)
def _predicate(operator: str, value: str) -> Callable[[str], bool]:
    if operator == "=":
        return value.__eq__
    if operator == "!=":
        return value.__ne__
    full_match = compile_pattern(value).fullmatch
    if operator == "=~":
        return lambda text: full_match(text) is not None
    return lambda text: full_match(text) is None


@dataclass(frozen=True)
class Matcher:
    """A condition on the value of a label; an absent label has an empty value.

    Attributes:
        label: name of the label.
        operator: `=`, `!=`, `=~` or `!~`.
        value: a text, or a regular expression that must match the whole value of the label.

    Raises:
        UnsupportedError: the regular expression cannot be used.
    """

    label: str
    operator: str
    value: str

    def __post_init__(self) -> None:
        _predicate(self.operator, self.value)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a matcher of a silence or a route; its value may be in double quotes.

        Raises:
            MatcherError: it cannot be parsed; the text says what is expected.
            UnsupportedError: its regular expression cannot be used.
        """
        found = _MATCHER.fullmatch(text)
        if not found:
            raise MatcherError(f'expected a matcher such as severity="critical", found {text!r}')
        label, operator, value = found.groups()
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = _ESCAPED.sub(r"\1", value[1:-1]) if operator in "!=" else value[1:-1]
        return cls(label, operator, value)

    @property
    def predicate(self) -> Callable[[str], bool]:
        """The condition, as a function of the label's value."""
        return _predicate(self.operator, self.value)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the condition holds for these labels."""
        return self.predicate(labels.get(self.label, ""))

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.label}{self.operator}"{escaped if self.operator in "!=" else self.value}"'


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Return whether every matcher matches the labels."""
    return all(matcher.matches(labels) for matcher in matchers)
