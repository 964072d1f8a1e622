"""The replay with its audience: figures are fetched and drawn while the year goes by."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from rich.console import Console
from rich.live import Live

from mlguard_sidecar.demo.course import Reading
from mlguard_sidecar.demo.figures import Figures, fetch
from mlguard_sidecar.demo.place import Windows
from mlguard_sidecar.demo.replay import Replay
from mlguard_sidecar.demo.screen import View, draw, line, signs_for

_FRAME_SECONDS = 0.4
_LINE_SECONDS = 5.0
_SETTLE_SECONDS = 10.0


@dataclass
class Audience:
    """Watches one sidecar for one console.

    Attributes:
        console: Where to draw: a live table on a terminal, else a line every 5 s.
        session: The HTTP client.
        url: The sidecar's address.
        windows: Which of its windows are shown.
        means: The baseline's mean of each numeric feature.
        folder: Where the sidecar's data lies.
        readings: What the sidecar said in the present passage through the year.
    """

    console: Console
    session: aiohttp.ClientSession
    url: str
    windows: Windows
    means: Mapping[str, float]
    folder: str
    readings: list[Reading] = field(default_factory=list)

    async def watch(self, replay: Replay) -> None:
        """Run the replay and show it until it is over."""
        self.readings = []
        running = asyncio.create_task(replay.run(self.session))
        try:
            if self.console.is_terminal:
                await self._live(replay, running)
            else:
                await self._lines(replay, running)
            await running
        finally:
            running.cancel()

    async def settled(self, expected: int) -> Figures:
        """Return the sidecar's figures once all flights are accounted for, at most 10 s on."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            figures = await self._fetch()
            accounted = figures.inferences + figures.dropped
            if accounted >= expected or time.monotonic() > deadline:
                return figures
            await asyncio.sleep(0.1)

    async def _live(self, replay: Replay, running: asyncio.Task[None]) -> None:
        signs = signs_for(self.console)
        with Live(console=self.console, auto_refresh=False) as live:
            while True:
                await self._read(replay)
                live.update(draw(self._view(replay), self.console.width, signs), refresh=True)
                if running.done():
                    return
                await asyncio.wait({running}, timeout=_FRAME_SECONDS)

    async def _lines(self, replay: Replay, running: asyncio.Task[None]) -> None:
        due = time.monotonic() + _LINE_SECONDS
        while True:
            await self._read(replay)
            if running.done() or time.monotonic() >= due:
                due += _LINE_SECONDS
                self.console.print(line(self._view(replay)), soft_wrap=True)
            if running.done():
                return
            await asyncio.wait({running}, timeout=_FRAME_SECONDS)

    async def _read(self, replay: Replay) -> None:
        hour = replay.hour
        self.readings.append(Reading(hour=hour, figures=await self._fetch()))

    async def _fetch(self) -> Figures:
        return await fetch(self.session, self.url, self.windows)

    def _view(self, replay: Replay) -> View:
        days = round(self.windows.features / replay.seconds * 365)
        return View(
            hour=replay.hour,
            answered=replay.answered,
            took=replay.took,
            behind=replay.behind,
            readings=self.readings,
            means=self.means,
            url=self.url,
            window=f"{self.windows.features} s ({days} days of flights)",
            folder=self.folder,
        )
