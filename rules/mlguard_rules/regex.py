"""Regular expressions of label matchers: RE2's syntax, run by Python's `re`.

The two share most of their syntax. Syntax that only one of them has, or that has another meaning in
the other, is refused. Unlike RE2, `re` backtracks. Patterns that could take exponential time, which
are repetitions of repetitions or of alternatives, are refused too.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mlguard_rules.errors import UnsupportedError

_MAX_REPETITIONS = 1000  # RE2's own limit
_MAX_UNBOUNDED = 3
"""Unbounded repetitions in a row; each multiplies the time by the length of the text."""

_MAX_OPTIONS = 8
"""Optional parts; each doubles the time."""

_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}

_TOKEN = re.compile(
    r"""
    (?P<flags>\(\?[is]+\))
  | (?P<group>\((?:\?P<[A-Za-z_]\w*>|\?[is]*:|(?!\?)))
  | (?P<class>\\[dwsDWS])
  | (?P<end>\$|\\z)
  | (?P<escape>\\(?:[afnrtvA]|x[0-9A-Fa-f]{2}|[^\w\s]))
  | \[(?P<set>\^?\]?(?:\\.|[^\]\\])*)\]
  | (?P<repeat>[*+?]|\{[0-9]+(?:,[0-9]*)?\})
  | (?P<brace>\{)
  | (?P<plain>[^\\\[({*+?$])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)

_SET_ITEM = re.compile(
    r"\\(?P<class>[dws])|(?P<other>\\(?:[afnrtv]|x[0-9A-Fa-f]{2}|[^\w\s])|[^\\\[])",
    re.DOTALL | re.ASCII,
)

_DOUBLED = re.compile(r"--|&&|~~|\|\|")  # operators of sets in other dialects


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern for `fullmatch`, as Prometheus anchors its matchers.

    Raises:
        UnsupportedError: the pattern is wrong, or differs in meaning between the two syntaxes.
    """
    parts: list[str] = []
    at, before = 0, ""
    effort = _Effort()
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        part = None if token is None else _translate(str(token.lastgroup), token, before)
        if token is None or part is None:
            raise UnsupportedError(f"the regular expression {pattern!r} is outside the subset")
        parts.append(part)
        if not effort.allows(str(token.lastgroup), token.group()):
            raise UnsupportedError(
                f"the regular expression {pattern!r} could take too long:"
                " it repeats repetitions or alternatives, or has too many repetitions"
            )
        at, before = token.end(), "" if token.lastgroup != "repeat" else before + "r"
    try:
        return re.compile("".join(parts))
    except (re.error, OverflowError, RecursionError) as error:
        raise UnsupportedError(f"the regular expression {pattern!r} is wrong: {error}") from None


class _Effort:
    """The cost of backtracking, followed token by token."""

    def __init__(self) -> None:
        self._groups = [False]  # for each open group: does it hold a repetition or alternatives
        self._closed = False  # the same for the group that was just closed
        self._repetitions = self._options = 0

    def allows(self, kind: str, text: str) -> bool:
        """Return whether the pattern is cheap to match up to this token."""
        closed, self._closed = self._closed, False
        if kind == "group":
            self._groups.append(False)
        elif text == ")" and kind == "plain" and len(self._groups) > 1:
            self._closed = self._groups.pop()
            self._groups[-1] |= self._closed
        elif text == "|" and kind == "plain":
            self._groups[-1] = True
            if len(self._groups) == 1:
                self._repetitions = self._options = 0
        elif kind == "repeat" and text in ("?", "{0,1}"):
            self._options += 1
            self._groups[-1] = True
            return self._options <= _MAX_OPTIONS
        elif kind == "repeat" and not (text.startswith("{") and "," not in text):
            self._groups[-1] = True
            self._repetitions += 1
            return not closed and self._repetitions <= _MAX_UNBOUNDED
        elif kind == "repeat":  # an exact count
            return not closed or text in ("{0}", "{1}")
        return True


def _translate(kind: str, token: re.Match[str], before: str) -> str | None:
    """Return a token in Python's syntax, None if it has no equivalent.

    Args:
        kind: group name of the token in `_TOKEN`.
        token: the match.
        before: one `r` for each repetition directly before the token.
    """
    text = token.group()
    match kind:
        case "class":
            negated = "^" if text[1].isupper() else ""
            return f"[{negated}{_CLASSES[text[1].lower()]}]"
        case "end":
            return r"\Z"
        case "brace":
            return r"\{"
        case "set":
            return _set(token["set"])
        case "repeat":
            lazy = before == "r" and text == "?"
            counts = [int(count) for count in re.findall("[0-9]+", text)]
            allowed = (lazy or not before) and max(counts, default=0) <= _MAX_REPETITIONS
            return text if allowed else None
    return text


def _set(inside: str) -> str | None:
    start = "^" if inside.startswith("^") else ""
    inside = inside.removeprefix("^")
    if _DOUBLED.search(inside):
        return None
    parts: list[str] = []
    at = 0
    while at < len(inside):
        item = _SET_ITEM.match(inside, at)
        if item is None:
            return None
        parts.append(_CLASSES[item["class"]] if item["class"] else item["other"])
        at = item.end()
    return f"[{start}{''.join(parts)}]"
