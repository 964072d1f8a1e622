"""The year's flights, asked of the model server at the pace of a year in a minute or so."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import aiohttp
import msgspec
import numpy as np

from mlguard_sidecar.demo.errors import DemoError
from mlguard_sidecar.demo.flights import YEAR_HOURS, Flights, hour_spans

_IN_FLIGHT = 4
UNKNOWN = -1


class _Said(msgspec.Struct):
    late: int


class _Answer(msgspec.Struct):
    predictions: list[_Said]


class Replay:
    """One passage through the year.

    Attributes:
        hour: The hour of 2013 that has been reached.
        answered: How many flights the model server has answered for.
        predicted: What it said of each flight: 1 late, 0 not, `UNKNOWN` not asked yet.
        behind: Seconds by which the replay lags behind the pace asked for.
    """

    def __init__(self, flights: Flights, url: str, seconds: float) -> None:
        self.flights = flights
        self.seconds = seconds
        self.hour = 0.0
        self.answered = 0
        self.behind = 0.0
        self.predicted = np.full(len(flights), UNKNOWN, np.int8)
        self._url = url
        self._start = self._end = time.monotonic()
        self._running = False

    @property
    def took(self) -> float:
        """Seconds that the replay has run."""
        return (time.monotonic() if self._running else self._end) - self._start

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Ask for all flights, one request an hour of departures, at most four at a time.

        Raises:
            DemoError: The model server refused a request or went away.
        """
        spans = iter(hour_spans(self.flights.hours))
        self._start, self._running = time.monotonic(), True
        try:
            await asyncio.gather(*(self._work(session, spans) for _ in range(_IN_FLIGHT)))
            self.hour = YEAR_HOURS
        finally:
            self._end, self._running = time.monotonic(), False

    async def _work(self, session: aiohttp.ClientSession, spans: Iterator[tuple[int, int]]) -> None:
        decoder = msgspec.json.Decoder(_Answer)
        for start, stop in spans:
            part = self.flights.part(start, stop)
            hour = float(part.hours[0])
            wait = hour / YEAR_HOURS * self.seconds - (time.monotonic() - self._start)
            self.behind = max(0.0, -wait)
            if wait > 0:
                await asyncio.sleep(wait)
            self.hour = max(self.hour, hour)
            answer = decoder.decode(await self._ask(session, part))
            self.predicted[start:stop] = [said.late for said in answer.predictions]
            self.answered += stop - start

    async def _ask(self, session: aiohttp.ClientSession, part: Flights) -> bytes:
        body = msgspec.json.encode({"instances": part.instances()})
        try:
            async with session.post(self._url, data=body) as response:
                text = await response.read()
        except aiohttp.ClientError as error:
            raise DemoError(f"the model server does not answer: {error}") from error
        if response.status != 200:
            said = text.decode(errors="replace")
            with suppress(msgspec.MsgspecError):
                said = msgspec.json.decode(text, type=dict[str, str]).get("error", said)
            raise DemoError(f"the model server refused: {said}")
        return text
