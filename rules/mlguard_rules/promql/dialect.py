"""Syntax that promql-parser accepts and Prometheus 2.42 does not.

The parser knows later versions of the language. A rule file has to work in both engines.
"""

from __future__ import annotations

import re

import promql_parser as ast

from mlguard_rules.errors import UnsupportedError

MAX_OPERATORS = 200
"""Parser and evaluator recurse; a longer expression could exhaust the stack of the process."""

_STRING_OR_COMMENT = re.compile(
    r""" "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` | \#[^\n]* """, re.VERBOSE | re.DOTALL
)
_PATTERN_OR_STRING = re.compile(
    rf"(?P<operator>[=!]~\s*)?(?P<string>{_STRING_OR_COMMENT.pattern})", re.VERBOSE | re.DOTALL
)
_OPERATOR = re.compile(r"[-+*/%^(\[{]|[=!<>]=?|\b(?:and|or|unless)\b", re.IGNORECASE)
_DURATION = re.compile(r"(?<![\w:.])\d+(?:ms|[smhdwy])", re.IGNORECASE)
_RANGE = re.compile(r"\[[^\]]*\]")
_BARE_RANGE = re.compile(r"\[\s*[\d.]+\s*[\]:]|\[[^\]]*:\s*[\d.]+\s*\]")
_OFFSET = re.compile(r"\boffset\s+-?\s*\w+", re.IGNORECASE)
_QUOTED_NAME = re.compile(
    r"""\{[^}]*[{,]\s*"" | \{\s*"" | ""\s*[=!]=?~?\s*""
      | \b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*"" """,
    re.VERBOSE | re.IGNORECASE,
)


def check_length(text: str) -> None:
    """Check that an expression is short enough to be parsed safely.

    Raises:
        UnsupportedError: more than 200 operators and brackets.
    """
    if len(_OPERATOR.findall(_bare(text))) > MAX_OPERATORS:
        raise UnsupportedError(f"more than {MAX_OPERATORS} operators and brackets")


def check_version(text: str) -> None:
    """Check that an expression which has been parsed has no syntax of later versions.

    Raises:
        UnsupportedError: a duration as a number, a number as a duration, or a quoted name.
    """
    bare = _OFFSET.sub("", _bare(text))
    if _BARE_RANGE.search(bare):
        raise UnsupportedError("a range needs a unit, as in [5m]")
    if _DURATION.search(_RANGE.sub("", bare)):
        raise UnsupportedError("a duration is not a number in Prometheus 2.42")
    if _QUOTED_NAME.search(bare):
        raise UnsupportedError("quoted names are not known to Prometheus 2.42")


def for_parser(text: str) -> tuple[str, tuple[str, ...]]:
    """Return an expression as the parser reads it rightly, and the patterns of its matchers.

    The parser sees escapes in raw strings, which are quoted here. It refuses regular expressions
    that RE2 knows and Rust does not: their places hold their numbers instead.

    Raises:
        UnsupportedError: a pattern is no string.
    """
    patterns: list[str] = []

    def replaced(found: re.Match[str]) -> str:
        string = _quoted(found["string"])
        if not found["operator"]:
            return string
        patterns.append(_value(string))
        return f'{found["operator"]}"{len(patterns) - 1}"'

    return _PATTERN_OR_STRING.sub(replaced, text), tuple(patterns)


def _value(string: str) -> str:
    """Return the text of a string literal."""
    try:
        selector = ast.parse(f"a{{b={string}}}")
    except ValueError as error:
        raise UnsupportedError(" ".join(str(error).split())) from None
    assert isinstance(selector, ast.VectorSelector)  # noqa: S101 - for the types
    return selector.matchers.matchers[0].value


def _quoted(part: str) -> str:
    if not part.startswith("`"):
        return part
    escaped = part[1:-1].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _bare(text: str) -> str:
    """Return the text without comments, and with empty strings."""
    return _STRING_OR_COMMENT.sub(lambda m: "" if m.group().startswith("#") else '""', text)
