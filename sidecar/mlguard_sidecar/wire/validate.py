"""Validation of rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlguard_sidecar.histogram import MAX_LATENCY_MS
from mlguard_sidecar.histogram.values import as_scores
from mlguard_sidecar.wire.errors import InvalidValues, Reason, RejectedError

if TYPE_CHECKING:
    from mlguard_sidecar.wire.rows import Rows

FUTURE_SECONDS = 300.0
"""Maximum time of an event ahead of the sidecar's clock, in seconds."""

_HOUR = 3600.0
_OFFSETS_A_HOUR = 4
_MAX_OFFSET_HOURS = 14


class Valid(NamedTuple):
    """Result of a validation.

    Attributes:
        rows: the rows that count.
        rejected: rejections of all others.
        invalid: invalid values in the rows that count.
    """

    rows: Rows
    rejected: list[RejectedError]
    invalid: list[InvalidValues]


def validate(rows: Rows, now: float, oldest: float) -> Valid:
    """Reject rows at an impossible time, and mark impossible latencies and scores as invalid.

    Args:
        rows: any rows.
        now: epoch seconds.
        oldest: earliest valid time, epoch seconds.
    """
    times, latency, scores = rows.times, rows.latency_ms, rows.scores
    if not len(rows):
        return Valid(rows, [], [])
    rejected: list[RejectedError] = []
    # NaN is an invalid time, but a missing latency or score
    if not (times.min() >= oldest and times.max() <= now + FUTURE_SECONDS):
        rows, rejected = _at_possible_times(rows, now, oldest)
        latency, scores = rows.latency_ms, rows.scores
    invalid: list[InvalidValues] = []
    if (
        np.fmin.reduce(latency, initial=0) < 0
        or np.fmax.reduce(latency, initial=0) > MAX_LATENCY_MS
    ):
        wrong = (latency < 0) | (latency > MAX_LATENCY_MS)
        text = f"latency_ms: expected a number from 0 to {MAX_LATENCY_MS:.0e}"
        invalid.append(InvalidValues(Reason.BAD_LATENCY, text, int(wrong.sum())))
        rows = replace(rows, latency_ms=np.where(wrong, np.nan, latency))
    if np.fmin.reduce(scores, initial=0) < 0 or np.fmax.reduce(scores, initial=1) > 1:
        rows = replace(rows, scores=as_scores(scores))
        wrong_scores = int(np.isinf(rows.scores).sum())
        if wrong_scores:
            text = "y_proba: expected a number from 0 to 1"
            invalid.append(InvalidValues(Reason.BAD_PROBA, text, wrong_scores))
    return Valid(rows, rejected, invalid)


def _at_possible_times(rows: Rows, now: float, oldest: float) -> tuple[Rows, list[RejectedError]]:
    times = rows.times
    with np.errstate(invalid="ignore"):
        faults = [
            (np.isnan(times), Reason.BAD_TIMESTAMP, "timestamp is no RFC 3339 time and no number"),
            (times < oldest, Reason.TOO_OLD, "timestamp is older than the retention"),
            (
                times > now + FUTURE_SECONDS,
                Reason.IN_FUTURE,
                "timestamp is more than 5 minutes ahead of the sidecar's clock",
            ),
        ]
    rejected = []
    left = np.ones(len(rows), dtype=bool)
    for fault, reason, text in faults:
        found = np.flatnonzero(left & fault)
        if len(found):
            hint = _looks_like(float(times[found[0]]), now)
            rejected.append(RejectedError(reason, text + hint, found.tolist()))
            left &= ~fault
    return rows.taken(np.flatnonzero(left)), rejected


def _looks_like(time: float, now: float) -> str:
    """Return what an impossible time looks like, for a message; empty if it is not known."""
    if not math.isfinite(time):
        return ""
    for factor, unit in ((1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")):
        if abs(time / factor - now) < 400 * 24 * _HOUR:
            return f"; it looks like epoch {unit}, expected epoch seconds"
    ahead = time - now
    quarters = round(ahead / _HOUR * _OFFSETS_A_HOUR)
    hours = quarters / _OFFSETS_A_HOUR
    near = abs(ahead - hours * _HOUR) < FUTURE_SECONDS
    if near and 0 < abs(hours) <= _MAX_OFFSET_HOURS:
        return (
            f"; it is about {abs(hours):g} h {'ahead' if ahead > 0 else 'behind'}, as a local time"
            " without its UTC offset is; a time without an offset means UTC"
        )
    return ""
