"""Timestamps of the host, converted to epoch seconds."""

import re
from datetime import datetime, timedelta, timezone
from math import isfinite
from typing import Any

_RFC_3339 = re.compile(
    r"""(\d{4})-(\d\d)-(\d\d) [Tt\ ]
    (?: (\d\d):(\d\d):([0-5]\d|60) | (\d\d)(\d\d)([0-5]\d|60) )
    (?: [.,](\d+) )?
    (?: [Zz] | ([+-])([01]\d|2[0-3]) (?: :([0-5]\d)(?::([0-5]\d))? | ([0-5]\d)([0-5]\d)? )? )?""",
    re.ASCII | re.VERBOSE,
)


def epoch_seconds(value: Any) -> float:
    """Return a timestamp as epoch seconds.

    Args:
        value: epoch seconds of any numeric type, a datetime or numpy.datetime64, or RFC 3339
            string; without an offset it is in UTC. As `datetime.fromisoformat` does, a string may
            have an offset without a colon (`+0900`, `+09`) and a comma before its fraction.

    Raises:
        ValueError: it is not finite, or a string that is not RFC 3339.
        TypeError: it is none of these. Foreign types may raise any other exception.
    """
    if isinstance(value, str):
        seconds = _from_string(value)
    elif isinstance(value, datetime):
        seconds = _from_datetime(value)
    elif isinstance(value, bool):
        raise TypeError("a bool is not a timestamp")
    elif _is_datetime64(value):
        # item() would return nanoseconds as a bare integer.
        seconds = _from_datetime(value.astype("datetime64[us]").item())
    else:
        seconds = float(value)
    if not isfinite(seconds):
        raise ValueError("the timestamp is not finite")
    return seconds


def is_naive(value: Any) -> bool:
    """Return whether a valid timestamp is a date and time without an offset."""
    if isinstance(value, str):
        return not value[17:].strip("0123456789.,")
    if isinstance(value, datetime):
        return value.tzinfo is None
    return _is_datetime64(value)


def _is_datetime64(value: Any) -> bool:
    return getattr(getattr(value, "dtype", None), "kind", "") == "M"


def _from_datetime(value: datetime) -> float:
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    return value.timestamp()


def _from_string(text: str) -> float:
    if text[10:11] in {"T", "t", " "} and text[13:17:3] == "::":
        try:  # reads most, and fast
            return _from_datetime(datetime.fromisoformat(text))
        except ValueError:
            pass  # a leap second, or what Python 3.10 does not read
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError("the timestamp is not RFC 3339")
    year, month, day, *clock = (int(each or 0) for each in match.groups()[:9])
    hour, minute, second = (
        extended or basic for extended, basic in zip(clock[:3], clock[3:], strict=True)
    )
    # Epoch seconds have no leap seconds: second 60 is the first of the next minute.
    start = datetime(year, month, day, hour, minute, tzinfo=timezone.utc)
    fraction, sign, *offset = match.groups()[9:]
    seconds = start.timestamp() + second + float(f"0.{fraction or 0}")
    if sign:
        hours, *minutes = (int(each or 0) for each in offset)
        ahead = timedelta(
            hours=hours, minutes=minutes[0] or minutes[2], seconds=minutes[1] or minutes[3]
        ).total_seconds()
        seconds -= ahead if sign == "+" else -ahead
    return seconds
