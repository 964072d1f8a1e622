"""The flights of the year, sent to the model server in order."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import aiohttp
import msgspec
import numpy as np

from mlguard_demo.errors import DemoError
from mlguard_demo.flights import YEAR_HOURS, Flights, hour_spans
from mlguard_demo.messages import ErrorResponse, PredictRequest, PredictResponse

_CONCURRENT_REQUESTS = 4
NOT_PREDICTED = -1


class Replay:
    """One pass through the year.

    Args:
        flights: the flights of the year.
        url: where the model server answers.
        seconds: how long the pass should take.

    Attributes:
        hour: the hour of 2013 that has been reached.
        answered: how many flights the model server has predicted.
        predicted: the prediction for each flight: 1 late, 0 not late, or `NOT_PREDICTED`.
        behind: seconds by which the replay lags behind `seconds`.
    """

    def __init__(self, flights: Flights, url: str, seconds: float) -> None:
        self.flights = flights
        self.seconds = seconds
        self.hour = 0.0
        self.answered = 0
        self.behind = 0.0
        self.predicted = np.full(len(flights), NOT_PREDICTED, np.int8)
        self._url = url
        self._start = self._end = time.monotonic()
        self._running = False

    @property
    def elapsed(self) -> float:
        """Seconds that the replay has run."""
        return (time.monotonic() if self._running else self._end) - self._start

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Send all flights, one request for each hour with departures, at most four at a time.

        Raises:
            DemoError: the model server refused a request or does not answer.
        """
        spans = iter(hour_spans(self.flights.hours))
        self._start, self._running = time.monotonic(), True
        try:
            workers = (self._send_spans(http, spans) for _ in range(_CONCURRENT_REQUESTS))
            await asyncio.gather(*workers)
            self.hour = YEAR_HOURS
        finally:
            self._end, self._running = time.monotonic(), False

    async def _send_spans(
        self, http: aiohttp.ClientSession, spans: Iterator[tuple[int, int]]
    ) -> None:
        decoder = msgspec.json.Decoder(PredictResponse)
        for start, stop in spans:
            part = self.flights.part(start, stop)
            hour = float(part.hours[0])
            wait = hour / YEAR_HOURS * self.seconds - (time.monotonic() - self._start)
            self.behind = max(0.0, -wait)
            if wait > 0:
                await asyncio.sleep(wait)
            self.hour = max(self.hour, hour)
            response = decoder.decode(await self._post(http, part))
            self.predicted[start:stop] = [each.late for each in response.predictions]
            self.answered += stop - start

    async def _post(self, http: aiohttp.ClientSession, part: Flights) -> bytes:
        request = msgspec.json.encode(PredictRequest(part.instances()))
        try:
            async with http.post(self._url, data=request) as response:
                body = await response.read()
        except aiohttp.ClientError as error:
            raise DemoError(f"the model server does not answer: {error}") from error
        if response.status != 200:
            reason = body.decode(errors="replace")
            with suppress(msgspec.MsgspecError):
                reason = msgspec.json.decode(body, type=ErrorResponse).error
            raise DemoError(f"the model server refused a request: {reason}")
        return body
