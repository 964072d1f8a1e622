"""Printing the sidecar's statistics while the year is replayed."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from rich.console import Console
from rich.live import Live

from mlguard_demo.history import HistoryPoint
from mlguard_demo.receiver import Receiver
from mlguard_demo.rendering import View, render_line, render_table, symbols_for
from mlguard_demo.replay import Replay
from mlguard_demo.snapshot import Snapshot, fetch_snapshot
from mlguard_demo.workspace import Windows

_FRAME_SECONDS = 0.4
_LINE_SECONDS = 5.0
_SETTLE_SECONDS = 10.0
_SETTLE_POLL_SECONDS = 0.1


@dataclass
class Monitor:
    """Reads one sidecar and prints to one console.

    Attributes:
        console: a terminal shows a live table, anything else gets a line every 5 s.
        http: HTTP client.
        urls: addresses of the sidecar and the exporter.
        receiver: of the notifications of both daemons.
        windows: which of its windows are shown.
        baseline_means: mean of each numeric feature in the baseline.
        folder: the working folder.
        history: the snapshots of the present replay.
        notified: how many notifications have been printed, where there is no live table.
    """

    console: Console
    http: aiohttp.ClientSession
    urls: tuple[str, str]
    receiver: Receiver
    windows: Windows
    baseline_means: Mapping[str, float]
    folder: str
    history: list[HistoryPoint] = field(default_factory=list)
    notified: int = 0

    async def run(self, replay: Replay) -> None:
        """Run the replay, and print until it ends."""
        self.history = []
        running = asyncio.create_task(replay.run(self.http))
        try:
            if self.console.is_terminal:
                await self._show_table(replay, running)
            else:
                await self._print_lines(replay, running)
            await running
        finally:
            running.cancel()

    async def final_snapshot(self, expected: int) -> Snapshot:
        """Return the first snapshot in which all flights are counted or dropped; wait up to 10 s.

        Args:
            expected: how many flights there are.
        """
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            snapshot = await self._fetch()
            if snapshot.inferences + snapshot.dropped >= expected or time.monotonic() > deadline:
                return snapshot
            await asyncio.sleep(_SETTLE_POLL_SECONDS)

    async def _show_table(self, replay: Replay, running: asyncio.Task[None]) -> None:
        symbols = symbols_for(self.console)
        with Live(console=self.console, auto_refresh=False) as live:
            while True:
                await self._record(replay)
                table = render_table(self._view(replay), self.console.width, symbols)
                live.update(table, refresh=True)
                if running.done():
                    return
                await asyncio.wait({running}, timeout=_FRAME_SECONDS)

    async def _print_lines(self, replay: Replay, running: asyncio.Task[None]) -> None:
        due = time.monotonic() + _LINE_SECONDS
        while True:
            await self._record(replay)
            for notification in self.receiver.notifications[self.notified :]:
                self.console.print(f"{'':11}  {notification.title}", soft_wrap=True)
                self.notified += 1
            if running.done() or time.monotonic() >= due:
                due += _LINE_SECONDS
                self.console.print(render_line(self._view(replay)), soft_wrap=True)
            if running.done():
                return
            await asyncio.wait({running}, timeout=_FRAME_SECONDS)

    async def _record(self, replay: Replay) -> None:
        hour = replay.hour
        self.history.append(HistoryPoint(hour, await self._fetch()))

    async def _fetch(self) -> Snapshot:
        return await fetch_snapshot(self.http, self.urls[0], self.windows)

    def _view(self, replay: Replay) -> View:
        days = round(self.windows.features / replay.seconds * 365)
        return View(
            hour=replay.hour,
            answered=replay.answered,
            elapsed=replay.elapsed,
            behind=replay.behind,
            history=self.history,
            baseline_means=self.baseline_means,
            urls=self.urls,
            window=f"{self.windows.features} s ({days} days of flights)",
            folder=self.folder,
            notification=self.receiver.latest_title,
        )
