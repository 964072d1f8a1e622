"""Label matchers, as in PromQL and Alertmanager: `severity="critical"`, `feature=~"age|sex"`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from mlguard_rules.promql import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str] | None:
    """None for one that is refused, which may be stored from a time when it was not."""
    try:
        return compile_pattern(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Matcher:
    """A condition on one label; a label that is not there is an empty text.

    Attributes:
        label: its name.
        operator: `=`, `!=`, `=~` or `!~`.
        value: a text, or a regular expression that must match the whole value.
    """

    label: str
    operator: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a matcher; its value may stand in double quotes.

        Raises:
            ValueError: what is expected.
        """
        found = _MATCHER.fullmatch(text)
        if not found:
            raise ValueError(f'expected a matcher such as severity="critical", found {text!r}')
        label, operator, value = found.groups()
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = re.sub(r"\\(.)", r"\1", value[1:-1]) if operator in "!=" else value[1:-1]
        if operator in ("=~", "!~"):
            compile_pattern(value)
        return cls(label, operator, value)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the condition holds."""
        value = labels.get(self.label, "")
        if self.operator in ("=", "!="):
            return (value == self.value) is (self.operator == "=")
        pattern = _pattern(self.value)
        return pattern is not None and bool(pattern.fullmatch(value)) is (self.operator == "=~")

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.label}{self.operator}"{escaped if self.operator in "!=" else self.value}"'


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether every condition holds."""
    return all(matcher.matches(labels) for matcher in matchers)
