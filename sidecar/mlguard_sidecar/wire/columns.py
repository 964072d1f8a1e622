"""Columns of times, latencies and scores as arrays."""

from __future__ import annotations

import math
from array import array
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MAX_TIMESTAMP_LENGTH = 40


def times(stamps: Sequence[float | str | None], now: float) -> NDArray[np.float64]:
    """Return epoch seconds; NaN for an invalid timestamp.

    Args:
        stamps: epoch seconds or RFC 3339 times; None for now.
        now: epoch seconds.
    """
    try:
        return np.frombuffer(array("d", stamps))  # type: ignore[type-var]
    except TypeError:  # not all are numbers
        pass
    if set(map(type, stamps)) <= {str}:
        epoch_of = {text: epoch_seconds(text) for text in set(cast("Sequence[str]", stamps))}
        return np.array([epoch_of[text] for text in stamps], dtype=np.float64)  # type: ignore[index]
    return np.array(
        [now if s is None else epoch_seconds(s) if isinstance(s, str) else s for s in stamps],
        dtype=np.float64,
    )


def epoch_seconds(text: str) -> float:
    """Return epoch seconds of an RFC 3339 time, in UTC without an offset; NaN if invalid."""
    return _parsed(text) if len(text) <= _MAX_TIMESTAMP_LENGTH else math.nan


@lru_cache(maxsize=8192)
def _parsed(text: str) -> float:
    if len(text) < 19 or text[10] not in "Tt ":
        return math.nan
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    """Return numbers, NaN for those that are None."""
    try:  # fast, and succeeds only if all values are numbers
        return np.frombuffer(array("d", values))  # type: ignore[type-var]
    except TypeError:
        return np.array(values, dtype=np.float64)  # None becomes NaN


def scores(values: Sequence[float | dict[str, float] | None]) -> NDArray[np.float64]:
    """Return probabilities, the largest where there is one for each class; NaN if missing."""
    try:
        return floats(cast("Sequence[float | None]", values))
    except TypeError:  # probabilities of classes
        flat = [(max(v.values()) if v else None) if isinstance(v, dict) else v for v in values]
        return floats(flat)
