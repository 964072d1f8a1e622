"""Refreshing of rolling windows as time passes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar import telemetry as t
from mlguard_sidecar.models import Window
from mlguard_sidecar.store import OUTCOMES, TRAFFIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlguard_sidecar.models import ModelRegistry, ModelView, Span
    from mlguard_sidecar.settings import CurrentSettings
    from mlguard_sidecar.store import Store
    from mlguard_sidecar.telemetry import Telemetry

log = logging.getLogger(__name__)


class WindowRefresher:
    """Task that moves the windows of all views with the time.

    Args:
        store: the database.
        registry: holds the views.
        settings: lengths of the windows.
        telemetry: counts errors.
        pane_seconds: width of the finest panes, by which windows move.
        clock: epoch seconds.
    """

    def __init__(
        self,
        store: Store,
        registry: ModelRegistry,
        settings: CurrentSettings,
        telemetry: Telemetry,
        pane_seconds: int,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._registry = registry
        self._settings = settings
        self._telemetry = telemetry
        self._pane_seconds = pane_seconds
        self._clock = clock
        self._pane = 0.0
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Move the windows at the end of each pane, and at once on request, until cancelled."""
        while True:
            rest = (self._pane + 1) * self._pane_seconds - self._clock()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._changed.wait()
            self._changed.clear()
            await self.move_all()

    def request(self) -> None:
        """Request that the windows follow changed settings at once."""
        self._changed.set()

    def check_clock(self) -> None:
        """Request that the windows move at once if the clock has jumped."""
        if self._clock() // self._pane_seconds != self._pane:
            self._changed.set()

    async def move_all(self) -> None:
        """Move the windows of all models to the current time."""
        self._pane = self._clock() // self._pane_seconds
        for view in list(self._registry.views.values()):
            async with self._store.lock:
                await self.update(view)

    async def read_all(self) -> None:
        """Read the windows of all models from the database."""
        for view in self._registry.views.values():
            view.is_stale = True
        await self.move_all()

    async def update(self, view: ModelView) -> None:
        """Move the windows of a model, or read windows and totals if the view is stale.

        The caller must hold the lock of the store.

        Args:
            view: view of the model.
        """
        settings, binning = self._settings.now, view.schema.binning
        known = ({}, {}) if view.is_stale else (view.traffic_windows, view.feature_windows)
        try:
            if view.is_stale:
                view.features = await self._store.read_total(view.key, binning)
            traffic = await self._windows(view, TRAFFIC, settings.traffic_spans, known[0])
            features = await self._windows(view, binning, settings.feature_spans, known[1])
            changed_outcomes = await self._update_outcomes(view)
        except (sqlite3.Error, OSError) as error:
            view.is_stale = True
            self._telemetry.count(t.STORE_ERRORS)
            log.error("a window cannot be read: %s", error)  # noqa: TRY400
            return
        changed = (
            view.is_stale
            or changed_outcomes
            or not (
                _show_the_same(view.traffic_windows, traffic)
                and _show_the_same(view.feature_windows, features)
            )
        )
        view.traffic_windows, view.feature_windows = traffic, features
        view.version += changed
        view.is_stale = False

    async def _update_outcomes(self, view: ModelView) -> bool:
        """Move the windows of outcomes; return whether they show something else."""
        outcomes, settings = view.outcomes, self._settings.now
        if not outcomes:
            return False
        known = {} if view.is_stale else outcomes.windows
        windows = await self._windows(view, OUTCOMES, settings.outcome_spans, known)
        days = Window.at(settings.outcome_days, self._clock(), self._pane_seconds)
        panes = await self._store.days.outcome_panes(view.key, days.start, days.end)
        changed = not _show_the_same(outcomes.windows, windows)
        outcomes.windows, outcomes.days = windows, days.with_panes(panes.items())
        return changed

    async def _windows(
        self, view: ModelView, binning: str, spans: Sequence[Span], known: Mapping[str, Window]
    ) -> dict[str, Window]:
        now = self._clock()
        windows = [Window.at(span, now, self._pane_seconds) for span in spans]
        before = [known[w.span.label] for w in windows if w.span.label in known]
        if len(before) == len(windows) and all(
            was.span == now.span for was, now in zip(before, windows, strict=True)
        ):
            found = await self._store.move_windows(view.key, binning, before, windows)
        else:
            found = await self._store.read_windows(view.key, binning, windows)
        return {window.span.label: window for window in found}


def _show_the_same(some: Mapping[str, Window], others: Mapping[str, Window]) -> bool:
    """Return whether windows show the same: a rate also depends on when they begin."""
    return some.keys() == others.keys() and all(
        np.array_equal(some[label].pane.counts, others[label].pane.counts)
        and np.array_equal(some[label].pane.moments, others[label].pane.moments)
        and some[label].span == others[label].span
        and (some[label].start == others[label].start or not others[label].pane.counts.any())
        for label in some
    )
