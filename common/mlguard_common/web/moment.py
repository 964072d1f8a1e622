"""Times as answers tell them."""

from __future__ import annotations

from datetime import UTC, datetime

_FIRST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def moment(seconds: float) -> str:
    """Epoch seconds in RFC 3339; what a date cannot tell becomes the nearest that it can."""
    told = min(max(_FIRST, seconds), _LAST)  # in this order, NaN becomes the first
    return datetime.fromtimestamp(told, UTC).isoformat(timespec="milliseconds")
