"""Timestamps of all the forms that a host may give, as seconds since the epoch."""

import re
from datetime import datetime, timedelta, timezone
from math import isfinite
from typing import Any

_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))?"
)


def epoch_seconds(value: Any) -> float:
    """Return a timestamp as epoch seconds.

    Args:
        value: epoch seconds of any numeric type, a datetime or numpy.datetime64, or RFC 3339
            text; without a zone it is taken as UTC.

    Raises:
        ValueError: text that is not RFC 3339, or not finite.
        TypeError: none of these. (Strange types may raise what they like.)
    """
    if isinstance(value, str):
        seconds = _from_text(value)
    elif isinstance(value, datetime):
        seconds = _from_datetime(value)
    elif isinstance(value, bool):
        raise TypeError("a bool is no timestamp")
    elif getattr(getattr(value, "dtype", None), "kind", "") == "M":
        # Nanoseconds would come out of item() as a bare integer.
        seconds = _from_datetime(value.astype("datetime64[us]").item())
    else:
        seconds = float(value)
    if not isfinite(seconds):
        raise ValueError("a timestamp is not finite")
    return seconds


def _from_datetime(value: datetime) -> float:
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    return value.timestamp()


def _from_text(text: str) -> float:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError("a timestamp's text is not RFC 3339")
    *fields, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, fields)
    # A leap second has no place in epoch seconds: it is the next minute's first.
    moment = datetime(year, month, day, hour, minute, tzinfo=timezone.utc)
    seconds = moment.timestamp() + second + float(fraction or 0)
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes)).total_seconds()
        seconds -= offset if sign == "+" else -offset
    return seconds
