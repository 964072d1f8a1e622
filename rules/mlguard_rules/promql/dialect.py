"""Syntax that promql-parser accepts and Prometheus 2.42 does not.

The parser knows later versions of the language. A rule file has to work in both engines.
"""

from __future__ import annotations

import re

from mlguard_rules.errors import UnsupportedError

MAX_OPERATORS = 200
"""Parser and evaluator recurse; a longer expression could exhaust the stack of the process."""

_STRING_OR_COMMENT = re.compile(
    r""" "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` | \#[^\n]* """, re.VERBOSE | re.DOTALL
)
_OPERATOR = re.compile(r"[-+*/%^(\[{]|[=!<>]=?|\b(?:and|or|unless)\b", re.IGNORECASE)
_DURATION = re.compile(r"(?<![\w:.])\d+(?:ms|[smhdwy])", re.IGNORECASE)
_RANGE = re.compile(r"\[[^\]]*\]")
_BARE_RANGE = re.compile(r"\[\s*[\d.]+\s*\]")
_QUOTED_NAME = re.compile(r'[{,(]\s*""\s*(?:[,})]|[=!]+~?\s*"")|""\s*[=!]')


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
        UnsupportedError: a duration as a number, a number as a duration, a quoted name, or a raw
            string with a backslash, which the parser takes for an escape.
    """
    if any(s.startswith("`") and "\\" in s for s in _STRING_OR_COMMENT.findall(text)):
        raise UnsupportedError("a backslash in a raw string is not supported")
    bare = _bare(text)
    if _BARE_RANGE.search(bare):
        raise UnsupportedError("a range needs a unit, as in [5m]")
    if _DURATION.search(_RANGE.sub("", bare)):
        raise UnsupportedError("a duration is not a number in Prometheus 2.42")
    if _QUOTED_NAME.search(bare):
        raise UnsupportedError("quoted names are not known to Prometheus 2.42")


def _bare(text: str) -> str:
    """Return the text without comments, and with empty strings."""
    return _STRING_OR_COMMENT.sub(lambda m: "" if m.group().startswith("#") else '""', text)
