"""Removal of secrets from what a receiver answers."""

from __future__ import annotations

import re
from base64 import b64encode
from urllib.parse import quote, quote_plus, unquote, unquote_plus

_MAX_TEXT = 120
_MIN_SECRET = 4
_WINDOW = 8
_TOKEN = re.compile(r"(?=\S*[A-Za-z])(?=\S*\d)[\w+/=.~%-]{16,}")
"""Word that may be a token, whosever it is."""

_MASK = "***"


class Cleaner:
    """Makes a receiver's text short and printable, without anything of its URL.

    A word is masked if it has a part of the URL, as it stands there, encoded, or in base64 as
    protocols send user and password; or if it looks like a token.

    Args:
        url: URL of the receiver.
    """

    def __init__(self, url: str) -> None:
        rest = url.partition("://")[2]
        parts = [part for part in re.split(r"[/:@?&=#]+", rest) if part]
        user, _, password = rest.partition("@")[0].rpartition("/")[2].partition(":")
        pairs = [
            unquote(text)
            for text in (user, password, f"{user}:{password}", f"\0{user}\0{password}")
        ]
        known = {form for part in parts for form in _forms(part)}
        known |= {
            b64encode(text.encode()).decode().rstrip("=") for text in pairs if text.strip("\0:")
        }
        self._long = {text.lower() for text in known if len(text) >= _MIN_SECRET}
        self._short = {text.lower() for text in known if 0 < len(text) < _MIN_SECRET}

    def __call__(self, text: str) -> str:
        """Return a text for a log."""
        printable = "".join(c if c.isprintable() else " " for c in text)
        words = [self._masked(word) for word in printable.split()]
        line = " ".join(words)
        return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 3] + "..."

    def _masked(self, word: str) -> str:
        small = word.lower()
        windows = (small[i : i + _WINDOW] for i in range(max(len(small) - _WINDOW + 1, 0)))
        is_secret = (
            any(secret in small for secret in self._long)
            or any(small.strip(".,:;'\"()<>") == secret for secret in self._short)
            or any(window in secret for window in windows for secret in self._long)
            or _TOKEN.search(word) is not None
        )
        return _MASK if is_secret else word


def _forms(part: str) -> set[str]:
    """Return a part of a URL as it stands there, decoded and encoded."""
    decoded = {part, unquote(part), unquote_plus(part)}
    encoded = {form(text) for text in decoded for form in (quote, quote_plus)}
    return decoded | encoded | {quote(text, safe="") for text in decoded}
