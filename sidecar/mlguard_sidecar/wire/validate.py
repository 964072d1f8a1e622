"""Validation of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import MAX_LATENCY_MS
from mlguard_sidecar.wire.errors import Reason, RejectedError

if TYPE_CHECKING:
    from mlguard_sidecar.wire.rows import Rows

FUTURE_SECONDS = 300.0
"""Maximum time of an event ahead of the sidecar's clock, in seconds."""


def validate(rows: Rows, now: float, oldest: float) -> tuple[Rows, list[RejectedError]]:
    """Return the valid rows, and the rejections of all others.

    Args:
        rows: any rows.
        now: epoch seconds.
        oldest: earliest valid time, epoch seconds.
    """
    times, latency, scores = rows.times, rows.latency_ms, rows.scores
    if not len(rows):
        return rows, []
    # NaN is an invalid time, but a missing latency or score
    if (
        times.min() >= oldest
        and times.max() <= now + FUTURE_SECONDS
        and not np.fmin.reduce(latency) < 0
        and not np.fmax.reduce(latency) > MAX_LATENCY_MS
        and not np.fmin.reduce(scores) < 0
        and not np.fmax.reduce(scores) > 1
    ):
        return rows, []
    with np.errstate(invalid="ignore"):
        faults = [
            (np.isnan(times), Reason.BAD_TIMESTAMP, "timestamp is not RFC 3339"),
            (times < oldest, Reason.TOO_OLD, "timestamp is older than the retention"),
            (
                times > now + FUTURE_SECONDS,
                Reason.IN_FUTURE,
                "timestamp is more than 5 minutes ahead of this machine's clock",
            ),
            (
                (latency < 0) | (latency > MAX_LATENCY_MS),
                Reason.BAD_LATENCY,
                f"latency_ms must lie between 0 and {MAX_LATENCY_MS:.0e}",
            ),
            (
                (scores < 0) | (scores > 1),
                Reason.BAD_PROBA,
                "y_proba must lie between 0 and 1",
            ),
        ]
    rejected = []
    left = np.ones(len(rows), dtype=bool)
    for fault, reason, text in faults:
        found = np.flatnonzero(left & fault)
        if len(found):
            rejected.append(RejectedError(reason, text, found.tolist()))
            left &= ~fault
    return rows.taken(np.flatnonzero(left)), rejected
