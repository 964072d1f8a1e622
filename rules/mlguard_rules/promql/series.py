"""Samples that are kept for ranges and offsets; times are epoch milliseconds."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from mlguard_rules.promql.ranges import RangeWindow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlguard_rules.promql.selector import Selector
    from mlguard_rules.promql.values import Labels

LOOKBACK = 5 * 60 * 1000
"""Milliseconds for which the latest samples are visible (Prometheus --query.lookback-delta)."""


class Series:
    """The samples of one series, in ascending order of time.

    Args:
        recorded: whether a rule records it, so that no snapshot ends it.
    """

    __slots__ = ("ends", "recorded", "times", "values")

    def __init__(self, *, recorded: bool = False) -> None:
        self.times: array[int] = array("q")
        self.values: array[float] = array("d")
        self.ends: array[int] = array("q")  # when it was stale, until its next sample
        self.recorded = recorded

    def add(self, at: int, value: float) -> None:
        """Add a sample, unless there is one at this time or later."""
        if not self.times or self.times[-1] < at:
            self.times.append(at)
            self.values.append(value)

    def end(self, at: int) -> None:
        """End the series, unless it has a sample at this time or later, or has ended before."""
        last = self.times[-1]
        if last < at and not (self.ends and self.ends[-1] > last):
            self.ends.append(at)

    def is_live(self, at: int) -> bool:
        """Return whether it has a sample at this time, or is recorded and has not ended."""
        last = self.times[-1]
        return last >= at or (self.recorded and not (self.ends and self.ends[-1] > last))

    def drop_before(self, at: int) -> None:
        """Delete older samples."""
        count = bisect_left(self.times, at)
        del self.times[:count], self.values[:count]
        del self.ends[: bisect_left(self.ends, at)]

    def drop_from(self, at: int) -> None:
        """Delete samples that are not older, and ends that are later."""
        if self.times and self.times[-1] >= at:
            count = bisect_left(self.times, at)
            del self.times[count:], self.values[count:]
        del self.ends[bisect_right(self.ends, at) :]

    def window(self, start: int, end: int, at: int) -> RangeWindow | None:
        """Return the samples from start to end, both included; None if there is none."""
        first, behind = bisect_left(self.times, start), bisect_right(self.times, end)
        if first >= behind:
            return None
        times, values = self.times[first:behind], self.values[first:behind]
        return RangeWindow(start, end, times.tolist(), values.tolist(), at)

    def visible(self, at: int) -> tuple[int, float] | None:
        """Return the sample that is visible at a time, with its own time; None if there is none."""
        i = bisect_right(self.times, at) - 1
        if i < 0 or at - self.times[i] > LOOKBACK:
            return None
        ended = bisect_right(self.ends, at) - 1
        if ended >= 0 and self.ends[ended] > self.times[i]:
            return None
        return self.times[i], self.values[i]

    def copy(self) -> Series:
        """Return a copy."""
        other = Series(recorded=self.recorded)
        other.times, other.values, other.ends = self.times[:], self.values[:], self.ends[:]
        return other


class SeriesBuffer:
    """The samples of one selector over the longest time that an expression reads.

    Args:
        selector: of the series.
        length: of that time, milliseconds.

    Attributes:
        overflowed: whether it was emptied, as its samples were too many, and keeps none.
        since: when it started again after that, epoch milliseconds; None if it never was.
        live: the number of its series in the latest snapshot.
        usual: the mean of that number, over a long time.
        seen: the number of snapshots in that mean.
    """

    def __init__(self, selector: Selector, length: int) -> None:
        self.selector = selector
        self.length = length
        self.series: dict[Labels, Series] = {}
        self.overflowed = False
        self.since: int | None = None
        self.live = 0
        self.usual = 0.0
        self.seen = 0

    def add(self, at: int, samples: Iterable[tuple[Labels, float]], *, recorded: bool) -> None:
        """Add the samples of the metric that the selector matches."""
        if self.overflowed:
            return
        series, matches = self.series, self.selector.matches
        for labels, value in samples:
            known = series.get(labels)
            if known is None:
                if not matches(labels):
                    continue
                known = series[labels] = Series(recorded=recorded)
            known.add(at, value)

    def end_recorded(self, at: int) -> None:
        """End the recorded series that have no sample at this time."""
        for one in self.series.values():
            if one.recorded:
                one.end(at)

    def trim(self, at: int, *, ends: bool) -> int:
        """Delete samples before the time that ends here; return the number of those that stay.

        Args:
            at: epoch milliseconds.
            ends: whether series end that are not recorded and have no sample at this time.
        """
        horizon = at - self.length
        gone = [labels for labels, one in self.series.items() if one.times[-1] < horizon]
        for labels in gone:
            del self.series[labels]
        count = live = 0
        for one in self.series.values():
            times = one.times
            if one.is_live(at):
                live += 1
            if ends and times[-1] < at and not one.recorded:
                one.end(at)
            if times[0] < horizon:
                one.drop_before(horizon)
            count += len(times)
        self.live = live
        return count

    def overflow(self) -> None:
        """Delete all samples, and keep none until it is started again."""
        self.series = {}
        self.overflowed = True

    def restart(self, at: int) -> None:
        """Keep samples from a time on."""
        self.overflowed, self.since = False, at

    def drop_from(self, at: int) -> None:
        """Delete samples at this time or later."""
        if self.since is not None:
            self.since = min(self.since, at)
        for one in self.series.values():
            one.drop_from(at)
        self.series = {labels: one for labels, one in self.series.items() if one.times}

    def take_over(self, other: SeriesBuffer) -> None:
        """Take over what is known of the same selector, but for its series."""
        self.overflowed, self.since = other.overflowed, other.since
        self.live, self.usual, self.seen = other.live, other.usual, other.seen

    def copy_from(self, other: SeriesBuffer) -> None:
        """Copy series of another selector on the same metric, if they match and are longer."""
        for labels, theirs in other.series.items():
            ours = self.series.get(labels)
            longer = ours is None or theirs.times[0] < ours.times[0]
            if longer and self.selector.matches(labels):
                self.series[labels] = theirs.copy()
