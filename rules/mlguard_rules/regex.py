"""Regular expressions of Prometheus and Alertmanager: RE2's syntax, anchored at both ends.

They are matched by RE2 itself, which takes time linear in the text, whatever the pattern.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from mlguard_rules.errors import PatternError

_MAX_MEMORY = 1 << 20
"""Bytes that a compiled pattern and its cache of states may take."""

_RAW_BYTE = re.compile(r"(?:[^\\]|\\[^C])*?\\C", re.DOTALL)  # known to RE2, not to Go
_NAMED = re.compile(  # (?<name>...), known to RE2, not to Go before 1.22; what hides it goes first
    r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|(?P<named>\(\?<)", re.DOTALL
)
_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>\w+)\}|(?P<bare>\w+))")


def _options(*, groups: bool) -> Any:
    options = re2.Options()
    options.never_capture = not groups
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    return options


class Pattern:
    """A compiled regular expression that must match a whole text.

    Args:
        source: the expression.

    Raises:
        PatternError: it is wrong; the text gives the reason.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        # without groups, and on bytes, it is four times as fast
        self._full_match = _compiled(source, groups=False).fullmatch

    def matches(self, text: str) -> bool:
        """Return whether it matches the whole text."""
        return self._full_match(text.encode(errors="replace")) is not None

    def expand(self, replacement: str, text: str) -> str | None:
        """Return the replacement with `$1`, `${1}` and `${name}` filled in; None without a match.

        A group that is unknown or did not match is empty, and `$$` is a dollar (Go's Expand).
        """
        found = _compiled(self.source, groups=True).fullmatch(text)
        return None if found is None else _expanded(replacement, found)


@lru_cache(maxsize=1024)
def compile_pattern(source: str) -> Pattern:
    """Return a compiled pattern.

    Raises:
        PatternError: it is wrong; the text gives the reason.
    """
    return Pattern(source)


def search(source: str, text: str) -> bool:
    """Return whether a pattern matches any part of a text.

    Raises:
        PatternError: the pattern is wrong.
    """
    return _compiled(source, groups=True, anchored=False).search(text) is not None


def replace_all(source: str, replacement: str, text: str) -> str:
    """Return a text with every match of a pattern replaced, as of `Pattern.expand`.

    Raises:
        PatternError: the pattern is wrong.
    """
    compiled = _compiled(source, groups=True, anchored=False)
    return str(compiled.sub(lambda found: _expanded(replacement, found), text))


def _expanded(replacement: str, found: Any) -> str:
    groups = {str(i): value for i, value in enumerate((found.group(), *found.groups()))}
    groups |= {name: found.group(i) for name, i in found.re.groupindex.items()}

    def filled(reference: re.Match[str]) -> str:
        if reference["dollar"]:
            return "$"
        name: str = reference["braced"] or reference["bare"]
        end = next((i for i, char in enumerate(name) if not _is_in_name(char)), len(name))
        if end == 0 or (reference["braced"] and end < len(name)):
            return reference[0]
        return (groups.get(name[:end]) or "") + name[end:]

    return _REFERENCE.sub(filled, replacement)


def _is_in_name(char: str) -> bool:
    return char.isalpha() or char.isdecimal() or char == "_"


@lru_cache(maxsize=1024)
def _compiled(source: str, *, groups: bool, anchored: bool = True) -> Any:
    if _RAW_BYTE.match(source):
        raise PatternError(source, r"invalid escape sequence \C")
    if any(found["named"] for found in _NAMED.finditer(source)):
        raise PatternError(source, "invalid perl operator (?<; a named group is (?P<name>...)")
    try:
        return re2.compile(f"^(?:{source})$" if anchored else source, _options(groups=groups))
    except re2.error as error:
        reason = _reason(source, error)
    except UnicodeEncodeError:
        reason = "it is not Unicode"
    raise PatternError(source, reason)


def _reason(source: str, error: Any) -> str:
    """Return why a pattern is refused, without any part of it."""
    try:
        re2.compile(source, _options(groups=True))
    except re2.error as found:
        error = found
    text = error.args[0] if error.args else b""
    described = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return described.partition(": ")[0]  # behind it is a part of the pattern
