"""Inferences of a day by owner, from a sidecar or from a Prometheus."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from mlguard_exporter.spend.calendar import start_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from mlguard_exporter.report.answers import Owner

_TIMEOUT_SECONDS = 3
_KEPT_SECONDS = 300.0
_DAY_SECONDS = 86_400
_HISTORY_DAYS = 4
_QUERY = "sum by (project, model, model_endpoint) (increase(mlguard_inferences_total[1d]))"

log = logging.getLogger(__name__)


class InferenceSource:
    """Reads how often each model was used on a day, and keeps the answer for a while.

    Args:
        clock: epoch seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: tuple[str, date, float, dict[Owner, float] | None] | None = None
        self._lock = asyncio.Lock()

    async def of_day(self, url: str | None, day: date) -> dict[Owner, float] | None:
        """Return the inferences of a UTC day by owner; None where they cannot be read.

        Args:
            url: address of a sidecar or a Prometheus; None for none.
            day: the day.
        """
        if url is None:
            return None
        async with self._lock:  # who comes meanwhile waits for the same answer
            return await self._of_day(url, day)

    async def _of_day(self, url: str, day: date) -> dict[Owner, float] | None:
        now = self._clock()
        if self._kept is not None:
            known_url, known_day, when, found = self._kept
            if (known_url, known_day) == (url, day) and 0 <= now - when < _KEPT_SECONDS:
                return found
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                found = await _read(url.rstrip("/"), day)
        except (TimeoutError, aiohttp.ClientError, ValueError, LookupError, TypeError) as error:
            reason = str(error) or f"no answer within {_TIMEOUT_SECONDS} s"
            log.warning("inferences cannot be read from cost.inferences_url: %s", reason)
            found = None
        self._kept = (url, day, now, found)
        return found


async def _read(url: str, day: date) -> dict[Owner, float]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/api/v1/models") as response:
            if response.status == 200:
                models = (await response.json())["models"]
                return {
                    owner: n
                    for model in models
                    for owner, n in [await _of_model(session, url, model, day)]
                }
        query = {"query": _QUERY, "time": str(start_of(day) + _DAY_SECONDS)}
        async with session.get(f"{url}/api/v1/query", params=query) as response:
            response.raise_for_status()
            found = (await response.json())["data"]["result"]
    counts = {_owner(each["metric"], "model_endpoint"): float(each["value"][1]) for each in found}
    return {owner: n for owner, n in counts.items() if math.isfinite(n)}


async def _of_model(
    session: aiohttp.ClientSession, url: str, model: dict[str, Any], day: date
) -> tuple[Owner, float]:
    owner = _owner(model, "endpoint")
    path = "/".join(quote(name, safe="") for name in owner)
    address = f"{url}/api/v1/models/{path}/history?days={_HISTORY_DAYS}"
    async with session.get(URL(address, encoded=True)) as response:  # .. may be a name
        if response.status == 404:  # erased since it was listed
            return owner, 0
        response.raise_for_status()
        days = (await response.json())["days"]
    return owner, sum(each["inferences"] for each in days if each["day"] == day.isoformat())


def _owner(labels: dict[str, Any], endpoint: str) -> Owner:
    return str(labels["project"]), str(labels["model"]), str(labels[endpoint])
