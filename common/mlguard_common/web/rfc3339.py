"""Times in RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime

_FIRST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def rfc3339(seconds: float) -> str:
    """Return epoch seconds in RFC 3339, limited to the years 1 to 9999."""
    bounded = min(max(_FIRST, seconds), _LAST)  # in this order, NaN becomes the first date
    return datetime.fromtimestamp(bounded, UTC).isoformat(timespec="milliseconds")
