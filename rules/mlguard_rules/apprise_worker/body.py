"""The text of a notification, fitted to a receiver."""

from __future__ import annotations

import re

_LINK = re.compile(r"\[[^]]*\]\(([^)]*)\)")
_FOOTER = ("What to do: ", "Figures: ")
_CUT = "..."


def shorten(body: str, max_length: int) -> str:
    """Return a text without the last of its alerts if it is too long.

    What to do stays, where there is room. The result is never longer than `max_length`.
    """
    if len(body) <= max_length:
        return body
    paragraphs = body.split("\n\n")
    footer = [p for p in paragraphs if p.startswith(_FOOTER)]
    head = [p for p in paragraphs if p not in footer]
    while len(head) > 1 and len("\n\n".join([*head, _CUT, *footer])) > max_length:
        head.pop()
    whole = "\n\n".join([*head, _CUT, *footer])
    if len(whole) <= max_length:
        return whole
    rest = "".join(f"\n\n{part}" for part in (_CUT, *footer))
    if len(rest) > max_length // 2:  # the alert itself tells more
        rest = _CUT
    room = max(max_length - len(rest), 0)
    # no half of a markup, which would change what follows
    first = without_markup(head[0]) if head else ""
    return (first[:room] + rest)[: max(max_length, 0)]


def without_markup(body: str) -> str:
    """Return a text without markup, for a receiver that refuses it."""
    return _LINK.sub(r"\1", body.replace("**", "").replace("`", ""))
