"""Regular expressions of label matchers: RE2's syntax, run by Python's `re`.

The two share most of their syntax. What only one of them has, or what means something else in the
other, is refused rather than guessed. Unlike RE2, `re` can take exponential time for nested
repetitions; the patterns come from the rules of the operator, never from the data.
"""

from __future__ import annotations

import re

from mlguard_rules.promql.values import UnsupportedError

_MOST_REPETITIONS = 1000  # RE2's own limit

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


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern for `fullmatch`, as Prometheus anchors its matchers.

    Raises:
        UnsupportedError: the pattern is wrong, or does not mean the same in both languages.
    """
    parts: list[str] = []
    at, before = 0, ""
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        part = None if token is None else _translate(str(token.lastgroup), token, before)
        if token is None or part is None:
            raise UnsupportedError(f"the regular expression {pattern!r} is outside the subset")
        parts.append(part)
        at, before = token.end(), "" if token.lastgroup != "repeat" else before + "r"
    try:
        return re.compile("".join(parts))
    except (re.error, OverflowError, RecursionError) as error:
        raise UnsupportedError(f"the regular expression {pattern!r} is wrong: {error}") from None


def _translate(kind: str, token: re.Match[str], before: str) -> str | None:
    """Python's spelling of a token behind so many repetitions, None if it has none."""
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
            allowed = (lazy or not before) and max(counts, default=0) <= _MOST_REPETITIONS
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
