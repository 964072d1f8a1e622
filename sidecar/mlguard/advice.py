"""Texts of warnings: what was found, what it looks like, and what to do."""

import time
from collections.abc import Sequence
from typing import Any

_HOUR = 3_600.0
_QUARTER = 900.0
_OFFSET_TOLERANCE = 120.0
"""Seconds by which a time that is off by a time zone's offset may be older than now."""
_MAX_OFFSET = 26 * _HOUR
"""The largest difference of two time zones: UTC+14 and UTC-12."""
_YEAR_2000 = 946_684_800.0

_USE_UTC = "write datetime.now(timezone.utc) or time.time()"
_TIME_REASONS = frozenset({"in_future", "too_old"})
_BY_REASON = {
    "in_future": f"{_USE_UTC}, and check both clocks",
    "too_old": f"{_USE_UTC}; events older than retention.days of the sidecar are not counted",
    "bad_timestamp": "log epoch seconds, a datetime, or RFC 3339",
    "bad_latency": "log latency_ms in milliseconds, 0 or more",
    "bad_proba": "log y_proba as a probability from 0 to 1",
}
_OTHERWISE = "see Rejected lines and events in the manual of the sidecar"

_BY_TYPE = {
    "datetime": "a time is neither a number nor a category: log what the model sees of it, such as"
    " an age in days or the hour",
    "timedelta": "a duration is not a number: log its total_seconds()",
    "sequence": "it has many values: log each as a feature of its own",
    "scores": "it has many values: log the largest, or a mapping of classes to probabilities",
    "bytes": "bytes are not text: decode them",
}
_GROUPS = {
    **dict.fromkeys(
        ("datetime", "date", "time", "datetime64", "Timestamp", "Period", "struct_time"), "datetime"
    ),
    **dict.fromkeys(("timedelta", "timedelta64", "Timedelta"), "timedelta"),
    **dict.fromkeys(
        ("list", "tuple", "dict", "set", "frozenset", "ndarray", "Tensor", "Series", "array"),
        "sequence",
    ),
    **dict.fromkeys(("bytes", "bytearray", "memoryview"), "bytes"),
}


def explain_rejection(reason: str, message: str, times: Sequence[float], now: float) -> str:
    """Return a warning about events that the sidecar does not count.

    Args:
        reason: the sidecar's.
        message: likewise.
        times: timestamps of the events and perhaps of others, in epoch seconds.
        now: epoch seconds.
    """
    cause = ""
    if reason in _TIME_REASONS and times:
        cause = guess_cause(max(times) if reason == "in_future" else min(times), now)
    parts = [f"the sidecar does not count events: {reason}: {message}", cause]
    return "; ".join(filter(None, [*parts, _BY_REASON.get(reason, _OTHERWISE)]))


def explain_invalid_values(reason: str, message: str, values: int | None) -> str:
    """Return a warning about values that the sidecar counts as invalid; their events count."""
    what = "values" if values is None else f"{values} values"
    return "; ".join(
        filter(
            None,
            [f"the sidecar counts {what} as invalid: {reason}: {message}", _BY_REASON.get(reason)],
        )
    )


def explain_missing_value(what: str, value: Any, error: str) -> str:
    """Return a warning about a value that cannot be sent.

    Args:
        what: its column.
        value: the value.
        error: why it cannot be sent.
    """
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    group = _GROUPS.get(kind.__name__)
    if group is None:
        return f"a value of {what}, of type {name}, is sent as missing: {error}"
    advised = _BY_TYPE["scores" if what == "y_proba" and group == "sequence" else group]
    unwatched = f"{what} is not watched: its values of type {name} are sent as missing"
    return f"{unwatched}, as {advised}"


def explain_left_out(found: int, first: str, limit: int) -> str:
    """Return a warning about events with too many features.

    Args:
        found: how many features there are.
        first: name of the first that is left out.
        limit: how many are sent.
    """
    return (
        f"{found} features, expected at most {limit}: the first {limit} of each event are sent,"
        f" and those from {first!r:.200} on are left out; log those that matter most"
    )


def explain_local_time(offset: float) -> str:
    """Return a warning about naive timestamps that are off by the host's offset, in seconds."""
    effect = (
        "so that the sidecar does not count these events"
        if offset > 0
        else "so that these events count too early"
    )
    return (
        f"timestamps without an offset are {_distance(offset)} now, which is this host's offset"
        f" from UTC ({_utc(offset)}); without an offset they mean UTC, {effect};"
        " write datetime.now(timezone.utc) instead of datetime.now()"
    )


def guess_cause(seconds: float, now: float) -> str:
    """Return what a time that is far from now looks like; an empty text if like nothing known.

    Args:
        seconds: the time, in epoch seconds.
        now: likewise.
    """
    for factor, unit in ((1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")):
        if _is_plausible(seconds / factor, now):
            return f"{seconds:.0f} looks like epoch {unit}: divide it by {factor:,.0f}"
    if _is_plausible(seconds * 1_000, now):
        return f"{seconds:.0f} looks like epoch seconds divided by 1,000: do not divide them"
    ahead = round((seconds - now) / _QUARTER) * _QUARTER
    if not _HOUR <= abs(ahead) <= _MAX_OFFSET or not is_near(seconds, now + ahead):
        return ""
    off = f"the time is {_distance(ahead)} now"
    own = host_offset(now)
    if own and ahead == own:
        named = f"{off}, which is this host's offset from UTC ({_utc(own)})"
        return f"{named}: it looks like local time sent as UTC"
    if own and ahead == -own:
        named = f"{off}, the reverse of this host's offset from UTC ({_utc(own)})"
        return f"{named}: it looks like datetime.utcnow().timestamp(), which reads UTC as local"
    return f"{off}: it looks like the local time of {_utc(ahead)} sent as UTC"


def is_near(seconds: float, other: float) -> bool:
    """Return whether two times are the same but for the time that events wait to be sent."""
    return abs(seconds - other) < _OFFSET_TOLERANCE


def host_offset(now: float) -> float:
    """Return the offset of this host's local time from UTC, in seconds."""
    return float(time.localtime(now).tm_gmtoff)


def _is_plausible(seconds: float, now: float) -> bool:
    return _YEAR_2000 < seconds < now + 24 * _HOUR


def _distance(seconds: float) -> str:
    hours = f"{abs(seconds) / _HOUR:g}"
    return f"{hours} hour{'' if hours == '1' else 's'} {'ahead of' if seconds > 0 else 'behind'}"


def _utc(offset: float) -> str:
    minutes = round(abs(offset) / 60)
    return f"UTC{'+' if offset >= 0 else '-'}{minutes // 60:02}:{minutes % 60:02}"
