"""The limit of the samples that are kept for ranges and offsets."""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlguard_rules.promql.series import SeriesBuffer
    from mlguard_rules.promql.values import Labels, Samples

_USUAL_LENGTHS = 8
_USUAL_AT_LEAST = 24 * 60 * 60 * 1000
"""The usual number of series is a mean over 8 lengths of the buffer, and over a day or more."""

log = logging.getLogger(__name__)


class Budget:
    """Which buffers are emptied if there are too many samples, and when they start again.

    It is the buffer that exceeds its usual size by most, so that a burst of one metric costs no
    other its samples. If even the usual sizes are too many, it is one that was emptied before, if
    that suffices, else the largest.

    Args:
        max_samples: that all buffers may have together.
    """

    def __init__(self, max_samples: int) -> None:
        self.max_samples = max_samples
        self._warned = False
        self._spacing = 0  # between the last two snapshots, milliseconds
        self._step = 0  # the longer of the last two of these distances
        self._times: array[int] = array("q")  # of the snapshots of the longest buffer

    def begin(self, buffers: Iterable[SeriesBuffer], before: int | None, now: int) -> None:
        """Note the time of a snapshot; log once if the series will have too many samples in time.

        Args:
            buffers: without the samples of the snapshot.
            before: the time of the last snapshot, None if there is none.
            now: its time, epoch milliseconds.
        """
        del self._times[bisect_left(self._times, now) :]
        self._times.append(now)
        longest = max((buffer.length for buffer in buffers), default=0)
        del self._times[: bisect_left(self._times, now - longest)]
        # the longer of two distances, as settings that are read again cause one short distance
        last, self._spacing = self._spacing, now - before if before is not None else 0
        self._step = max(last, self._spacing)
        if before is None or self._step <= 0 or self._warned:
            return
        counts = {buffer: len(buffer.series) * self._snapshots_of(buffer) for buffer in buffers}
        if sum(counts.values()) <= self.max_samples:
            return
        largest = max(counts, key=counts.__getitem__)
        log.warning(
            "ranges and offsets will need %d samples, %d of them for the %d series of %s;"
            " %d are kept, and rules that need more will not be evaluated",
            *(sum(counts.values()), counts[largest], len(largest.series)),
            *(largest.selector.metric, self.max_samples),
        )
        self._warned = True

    def enforce(self, counts: dict[SeriesBuffer, int], now: int) -> None:
        """Empty buffers until the others have few enough samples.

        Args:
            counts: the samples of each buffer; those that are emptied are deleted.
            now: epoch milliseconds.
        """
        while (over := sum(counts.values()) - self.max_samples) > 0:
            usual = {buffer: self._usual(buffer, now) for buffer in counts}
            if sum(usual.values()) <= self.max_samples:
                found = max(counts, key=lambda buffer: counts[buffer] - usual[buffer])
            else:
                again = [b for b, n in counts.items() if b.since is not None and n >= over]
                found = max(again or counts, key=counts.__getitem__)
            found.overflow()
            del counts[found]

    def learn(self, buffers: Iterable[SeriesBuffer]) -> None:
        """Note how many series buffers have, each with the mean over its time."""
        for buffer in buffers:
            if buffer.live or buffer.seen:
                over = max(_USUAL_LENGTHS * buffer.length, _USUAL_AT_LEAST)
                buffer.seen = min(buffer.seen + 1, over // max(self._step, 1) + 1)
                buffer.usual += (buffer.live - buffer.usual) / buffer.seen

    def restart(
        self, counts: dict[SeriesBuffer, int], emptied: Iterable[tuple[SeriesBuffer, Samples]]
    ) -> list[SeriesBuffer]:
        """Return the emptied buffers whose series will fit beside the samples of the others.

        Args:
            counts: the samples of the other buffers.
            emptied: the other ones, with the current samples of their metrics.
        """
        if self._step <= 0:
            return []
        room = self.max_samples - sum(
            count if buffer.since is None else max(count, buffer.live * self._snapshots_of(buffer))
            for buffer, count in counts.items()
        )
        fitting = []
        for buffer, samples in emptied:
            each = self._snapshots_of(buffer)
            allowed = max(room, 0) // each
            matching = (labels for labels, _ in samples if buffer.selector.matches(labels))
            number = _count(matching, allowed + 1)
            if number <= allowed:
                room -= number * each
                fitting.append(buffer)
        return fitting

    def copy(self) -> Budget:
        """Return a budget for other buffers, with the known times of snapshots."""
        other = Budget(self.max_samples)
        other._spacing, other._step, other._times = self._spacing, self._step, self._times[:]
        return other

    def _snapshots_of(self, buffer: SeriesBuffer) -> int:
        """Return the number of snapshots over the length of a buffer."""
        return buffer.length // self._step + 1

    def _usual(self, buffer: SeriesBuffer, now: int) -> float:
        """Return the samples of a buffer by now if it always has its usual number of series."""
        begin = max(now - buffer.length, buffer.since or 0)
        return buffer.usual * (len(self._times) - bisect_left(self._times, begin))


def _count(labels: Iterable[Labels], most: int) -> int:
    return sum(1 for _ in islice(labels, most))
