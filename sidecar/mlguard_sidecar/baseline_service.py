"""Replacement of a model's baseline on request: put, promoted, or learnt again."""

from __future__ import annotations

import asyncio
import calendar
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlguard_sidecar.baseline import MAX_OUTSIDE_SHARE, promote, read_file, with_quality
from mlguard_sidecar.models import (
    BaselineRefusedError,
    Chosen,
    Origin,
    UnknownModelError,
    check_may_give,
    give,
    learn_again,
)
from mlguard_sidecar.statistics import difference
from mlguard_sidecar.wire import is_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.committer import Committer
    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.models import ModelRegistry, ModelView
    from mlguard_sidecar.settings import CurrentSettings
    from mlguard_sidecar.statistics import ColumnDifference
    from mlguard_sidecar.store import Store
    from mlguard_sidecar.wire import ModelKey

_COMMIT_SECONDS = 8.0


class UnsuitableError(BaselineRefusedError):
    """What was asked for cannot become a baseline; the text says why, in one line."""


@dataclass(frozen=True)
class Replacement:
    """Replacement of a baseline, done or only looked at.

    Attributes:
        before: the baseline that is replaced; None if there was none.
        after: the one that replaces it.
        columns: difference of each column; empty if there was none before.
        refused: why it is not replaced, None if it can be.
        not_stored: why it does not survive a restart yet; None if it does.
    """

    before: Baseline | None
    after: Baseline
    columns: Sequence[ColumnDifference]
    refused: str | None = None
    not_stored: str | None = None


class BaselineService:
    """Replaces baselines on request; a replacement counts from the next event.

    Args:
        registry: holds the models.
        committer: stores what has changed.
        store: has the days of each model.
        settings: the current settings.
        clock: epoch seconds.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        committer: Committer,
        store: Store,
        settings: CurrentSettings,
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._committer = committer
        self._store = store
        self._settings = settings
        self._clock = clock

    def relearn(self, key: ModelKey) -> int:
        """Learn the baseline of a model again; return from how many events.

        Raises:
            BaselineRefusedError: there is no such model, a file rules, or nothing is learnt.
        """
        events = learn_again(self._registry, key)
        self._committer.notify()
        return events

    async def put(self, key: ModelKey, data: bytes) -> Replacement:
        """Use a baseline file; a model without events begins with it.

        Raises:
            ValueError: the file is damaged.
            UnsuitableError: no model can have this name.
            BaselineRefusedError: a file rules, or there is no place for another model.
        """
        if not all(map(is_name, key)):
            raise UnsuitableError("expected names of 1 to 128 printable characters")
        check_may_give(self._registry, key)
        baseline = await asyncio.to_thread(read_file, data)
        return await self._give(key, Chosen(baseline, Origin.PUT))

    async def promote(
        self, key: ModelKey, *, window: str | None, day: str | None, dry_run: bool
    ) -> Replacement:
        """Make a window, or a UTC day, the baseline of a model.

        Args:
            key: key of the model.
            window: label of a feature window, such as `24h`.
            day: the day instead, such as `2026-03-16`.
            dry_run: whether to change nothing, and say what would be.

        Raises:
            UnknownModelError: there is no such model.
            UnsuitableError: there is no such window or day, it has too few values, or too many
                outside the baseline.
            BaselineRefusedError: there is no baseline yet, or a file rules.
        """
        await self._committer.commit()  # so that the last second counts
        view, name = self._registry.views.get(key), "/".join(key)
        if view is None:
            raise UnknownModelError(f"found no model {name}")
        check_may_give(self._registry, key)
        current = view.schema.baseline
        if current is None:
            raise BaselineRefusedError(f"{name} has no baseline yet: {self._how_to_get_one(view)}")
        if window is not None:
            where, counted, pane = f"window {window}", current, _of_window(view, window)
        else:
            where = f"day {day}"
            counted, pane = await self._of_day(key, day or "")
        settings = self._settings.now.of(key)
        learning = settings.accumulation.learning
        done = await asyncio.to_thread(  # many columns take longer than an acknowledgement may wait
            promote,
            counted,
            pane,
            created=self._clock(),
            default=learning.binning,
            binnings=learning.binnings,
        )
        found = done.baseline
        if current.quality is not None:  # the truths of its data are as true as before
            found = with_quality(found, current.quality)
        enough, most = settings.drift.min_samples, _most_values(found)
        refused = None
        if most < enough:
            refused = (
                f"the {where} has {most} values in the bins of baseline {counted.id},"
                f" expected at least {enough}, drift.min_samples"
            )
        elif done.outside:
            named = ", ".join(f"{n} ({share:.0%})" for n, share in sorted(done.outside.items()))
            refused = (
                f"more than {MAX_OUTSIDE_SHARE:.0%} of {named} lies outside the baseline, where its"
                " bins are wide; learn it again instead: mlguard baseline relearn"
            )
        if dry_run:
            columns = await asyncio.to_thread(difference, current, found, settings.drift)
            return Replacement(current, found, columns, refused)
        if refused is not None:
            raise UnsuitableError(refused)
        now = self._registry.accumulator(key)  # it knows of a change before its commit
        if now is None or now.schema.baseline is not current:
            raise BaselineRefusedError(f"the baseline of {name} was replaced meanwhile; look again")
        return await self._give(key, Chosen(found, Origin.PROMOTED))

    def _how_to_get_one(self, view: ModelView) -> str:
        put = "PUT .../baseline uses a file of mlguard baseline build"
        events = self._settings.now.of(view.key).accumulation.events
        if not events:
            return f"baseline.events is 0, so that none is learnt; {put}"
        missing = max(events - view.schema.learned, 1)
        return f"it is learnt from the next {missing:,} events with features or predictions; {put}"

    async def _of_day(self, key: ModelKey, day: str) -> tuple[Baseline, Pane]:
        """Return the panes of a day in the bins that have most of its values, and the baseline."""
        try:
            start = calendar.timegm(time.strptime(day, "%Y-%m-%d"))
        except ValueError as error:
            raise UnsuitableError(f"day: found {day!r}, expected YYYY-MM-DD") from error
        panes = await self._store.days.feature_panes(key, start)
        if not panes:
            raise UnsuitableError(f"day {day}: no events with a baseline are stored of it")
        return max(panes, key=lambda pair: int(pair[1].counts.sum()))

    async def _give(self, key: ModelKey, given: Chosen) -> Replacement:
        number = self._registry.delta_number
        before = give(self._registry, key, given)
        columns: Sequence[ColumnDifference] = ()
        if before is not None:
            drift = self._settings.now.of(key).drift
            columns = await asyncio.to_thread(difference, before, given.baseline, drift)
        done = Replacement(before, given.baseline, columns)
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                faulty = await self._committer.wait_for(number)
        except TimeoutError:
            if self._committer.is_failing:
                return replace(done, not_stored="the database refuses commits; see the log")
            return replace(done, not_stored=f"the commit takes over {_COMMIT_SECONDS:.0f} s")
        if key in faulty:
            why = "its commit had an error, which is in the log; the next event stores it"
            return replace(done, not_stored=why)
        return done


def _of_window(view: ModelView, label: str) -> Pane:
    window = view.feature_windows.get(label)
    if window is None:
        known = ", ".join(view.feature_windows)
        raise UnsuitableError(f"window: found {label!r}, expected one of {known}")
    return window.pane


def _most_values(baseline: Baseline) -> int:
    return max((int(part.psi_baseline.sum()) for part in baseline.columns), default=0)
