"""Label matchers of selectors, silences and routes: `severity="critical"`, `feature=~"age|sex"`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from mlguard_rules.errors import MatcherError
from mlguard_rules.regex import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_SPACE = " \t\n\f\r"
_ANY_SPACE = f"{_SPACE}\v\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    chr(code) for code in range(0x2000, 0x200B)
)
_MATCHER = re.compile(
    rf"[{_SPACE}]*([a-zA-Z_:][a-zA-Z0-9_:]*)[{_SPACE}]*(=~|!~|!=|=)[{_SPACE}]*(.*?)[{_SPACE}]*",
    re.DOTALL,
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r'((?:[^"\\]|\\.)*\\?)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


@lru_cache(maxsize=1024)
def _predicate(operator: str, value: str) -> Callable[[str], bool]:
    if operator == "=":
        return value.__eq__
    if operator == "!=":
        return value.__ne__
    matches = compile_pattern(value).matches
    if operator == "=~":
        return matches
    return lambda text: not matches(text)


@dataclass(frozen=True)
class Matcher:
    """A condition on the value of a label; an absent label has an empty value.

    Attributes:
        label: name of the label.
        operator: `=`, `!=`, `=~` or `!~`.
        value: a text, or a regular expression that must match the whole value of the label.

    Raises:
        PatternError: the regular expression is wrong.
    """

    label: str
    operator: str
    value: str

    def __post_init__(self) -> None:
        _predicate(self.operator, self.value)

    @property
    def predicate(self) -> Callable[[str], bool]:
        """The condition, as a function of the label's value."""
        return _predicate(self.operator, self.value)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the condition holds for these labels."""
        return self.predicate(labels.get(self.label, ""))

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{self.operator}"{escaped}"'


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    r"""Parse the matchers of a silence or a route, as Alertmanager does.

    They are separated by commas, and may be in braces: `{severity="critical",team!="ml"}`. Double
    quotes around a value may be left out. In a value, quoted or not, `\"`, `\\` and `\n` are a
    quote, a backslash and the end of a line; other backslashes stand for themselves.

    Raises:
        MatcherError: a matcher cannot be parsed; the text says which, and what is expected.
        PatternError: a regular expression is wrong.
    """
    return tuple(_parse_one(part) for part in _split(text.removeprefix("{").removesuffix("}")))


def _split(text: str) -> list[str]:
    """Return the parts between the commas that are not in quotes (pkg/labels/parse.go)."""
    parts = [""]
    quoted = escaped = False
    for char in text:
        if char == ",":  # leaves `escaped` as it is, there too
            if not quoted:
                parts.append("")
                continue
        elif char == '"' and not escaped:
            quoted = not quoted
        else:
            escaped = char == "\\" and not escaped
        parts[-1] += char
    last = parts.pop().strip(_ANY_SPACE)
    return [*parts, last] if last else parts


def _parse_one(text: str) -> Matcher:
    found = _MATCHER.fullmatch(text)
    if not found:
        raise MatcherError(text, "there is no label with = != =~ or !~ behind it")
    label, operator, raw = found.groups()
    value = (_QUOTED if raw.startswith('"') else _BARE).fullmatch(raw)
    if not value:
        raise MatcherError(text, r'a " in a value is written \", or one is missing at its end')
    unescaped = _ESCAPED.sub(lambda escape: _ESCAPES.get(escape[1], escape[0]), value[1])
    return Matcher(label, operator, unescaped)


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Return whether every matcher matches the labels."""
    return all(matcher.matches(labels) for matcher in matchers)
