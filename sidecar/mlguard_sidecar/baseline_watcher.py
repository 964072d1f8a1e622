"""Task that takes up changed baseline files."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mlguard_sidecar import telemetry as t

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_sidecar.baseline_files import BaselineFiles
    from mlguard_sidecar.settings import CurrentSettings
    from mlguard_sidecar.telemetry import Telemetry

WATCH_SECONDS = 10.0
"""Seconds between two looks at the files; one that is gone is missed after two."""

log = logging.getLogger(__name__)


class BaselineWatcher:
    """Looks at the files of the current settings, and replaces these when one has changed.

    Args:
        settings: the current settings.
        telemetry: counts files that cannot be used.
        on_change: called after the settings have changed.
    """

    def __init__(
        self, settings: CurrentSettings, telemetry: Telemetry, on_change: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._on_change = on_change
        self._reported: set[tuple[str, str, tuple[int, ...] | None]] = set()

    async def run(self) -> None:
        """Look every ten seconds, until cancelled."""
        self._report(self._settings.now.files)
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self.look()
            except Exception:  # a bug in it must not end the counting of events
                log.exception("baseline files cannot be looked at")
                self._telemetry.count(t.BASELINE_FILE_ERRORS)

    async def look(self) -> None:
        """Look once."""
        settings = self._settings.now
        found = await asyncio.to_thread(settings.look, settings.files)
        if self._settings.now is not settings:  # a reload came first, and has looked itself
            return
        self._report(found)
        if found.shows_the_same(settings.files):
            settings.files = found  # the same object, as statistics are kept by it
        else:
            self._settings.now = settings.with_files(found)
            self._on_change()

    def _report(self, files: BaselineFiles) -> None:
        """Log and count what is wrong with files, once until it changes."""
        errors = files.errors()
        for _, text, _ in sorted(errors - self._reported, key=lambda error: error[:2]):
            log.error("%s; what was in use stays in use", text)
            self._telemetry.count(t.BASELINE_FILE_ERRORS)
        self._reported = errors
