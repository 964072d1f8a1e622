"""Splits templates into texts and actions, and actions into tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mlguard_rules.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = " \t\r\n"
_ACTION = re.compile(
    r"""\{\{(?P<left>-(?=\s))?
    (?: \s*(?P<comment>/\*.*?\*/)
      | (?P<action>(?:"(?:[^"\\\n]|\\.)*"|`[^`]*`|[^"`])*?) )
    \s*(?P<right>(?<=\s)-)?\}\}""",
    re.VERBOSE | re.DOTALL,
)
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
    | (?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))
    | (?P<variable>\$\w*)
    | (?P<field>\.\w+)
    | (?P<name>\w+)
    | (?P<mark>:=|[|(),=.])
    )(?P<space>\s*)""",
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"""\\(?: ([abfnrtv\\"]) | x([0-9a-fA-F]{2}) | u([0-9a-fA-F]{4}) | U([0-9a-fA-F]{8})
      | ([0-7]{3}) | (.?) )""",
    re.VERBOSE | re.DOTALL,
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Token(NamedTuple):
    """A part of an action.

    Attributes:
        kind: string, number, variable, field, name or mark.
        text: as it is written.
        spaced: whether space follows.
    """

    kind: str
    text: str
    spaced: bool


class Action(NamedTuple):
    """What stands between `{{` and `}}`."""

    source: str
    tokens: tuple[Token, ...]


def split(source: str) -> Iterator[str | Action]:
    """Yield the texts and actions of a template, without comments and trimmed space.

    Raises:
        TemplateError: an action does not end, or has a part that is not known.
    """
    end, trim = 0, False
    for found in _ACTION.finditer(source):
        text = source[end : found.start()]
        text = text.lstrip(_SPACE) if trim else text
        yield from _if_any(text.rstrip(_SPACE) if found["left"] else text)
        end, trim = found.end(), bool(found["right"])
        if not found["comment"]:
            action = found["action"].strip()
            yield Action(action, _tokens(action))
    rest = source[end:]
    if "{{" in rest:
        raise TemplateError("a {{ without its }}, or a text in it without its closing quote")
    yield from _if_any(rest.lstrip(_SPACE) if trim else rest)


def _if_any(text: str) -> Iterator[str]:
    if text:
        yield text


def _tokens(action: str) -> tuple[Token, ...]:
    tokens, at = [], 0
    while at < len(action):
        found = _TOKEN.match(action, at)
        if not found:
            raise TemplateError(f"unexpected {action[at:].strip()[0]!r} in {{{{ {action} }}}}")
        kind = next(name for name, text in found.groupdict().items() if text is not None)
        tokens.append(Token(kind, found[kind], bool(found["space"])))
        at = found.end()
    return tuple(tokens)


def unquote(literal: str) -> str:
    """Return the text of a string literal.

    Raises:
        TemplateError: it has an escape that Go does not know.
    """
    if literal.startswith("`"):
        return literal[1:-1]

    def character(found: re.Match[str]) -> str:
        simple, *codes, octal, unknown = found.groups()
        if simple:
            return _SIMPLE.get(simple, simple)
        code = int(octal, 8) if octal else int(next((c for c in codes if c), "-1"), 16)
        if unknown is not None or not 0 <= code < 0x110000:
            raise TemplateError(f"not a text: {literal}")
        return chr(code)

    return _ESCAPE.sub(character, literal[1:-1])
