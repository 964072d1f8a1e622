"""Which rows can be counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import LONGEST_LATENCY_MS
from mlguard_sidecar.wire.reasons import Reason, Refused

if TYPE_CHECKING:
    from mlguard_sidecar.wire.rows import Rows

FUTURE_SECONDS = 300.0
"""How far a sender's clock may be ahead."""


def checked(rows: Rows, now: float, oldest: float) -> tuple[Rows, list[Refused]]:
    """Keep the rows that can be counted, and say why not of the others.

    Args:
        rows: as they came.
        now: epoch seconds.
        oldest: the earliest time that is still kept, epoch seconds.
    """
    with np.errstate(invalid="ignore"):
        faults = [
            (np.isnan(rows.times), Reason.BAD_TIMESTAMP, "timestamp is not RFC 3339"),
            (rows.times < oldest, Reason.TOO_OLD, "timestamp is older than the retention"),
            (
                rows.times > now + FUTURE_SECONDS,
                Reason.IN_FUTURE,
                "timestamp is more than 5 minutes ahead of this machine's clock",
            ),
            (
                (rows.latency_ms < 0) | (rows.latency_ms > LONGEST_LATENCY_MS),
                Reason.BAD_LATENCY,
                f"latency_ms must lie between 0 and {LONGEST_LATENCY_MS:.0e}",
            ),
            (
                (rows.scores < 0) | (rows.scores > 1),
                Reason.BAD_PROBA,
                "y_proba must lie between 0 and 1",
            ),
        ]
    refused: list[Refused] = []
    good = None
    for fault, reason, text in faults:
        if fault.any():
            if good is None:
                good = np.ones(len(rows), dtype=bool)
            refused.append(Refused(reason, text, int((good & fault).sum())))
            good &= ~fault
    if good is None:
        return rows, []
    return rows.taken(np.flatnonzero(good)), [r for r in refused if r.rows]
