"""The alerts of both daemons, read from their APIs."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import msgspec

from mlguard_demo.configuration import RULES_INTERVAL_SECONDS
from mlguard_demo.errors import DemoError

EXPECTED = ("MLGuardFeatureDrift", "MLGuardCostSpike")
"""Alerts that fire at the end of the year: one of the sidecar, and one of the exporter."""

_FIRING_SECONDS = 5.0
_POLL_SECONDS = 0.2
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True)
class Alert:
    """A firing alert: its name, severity and one sentence."""

    name: str
    severity: str
    summary: str


class _Alert(msgspec.Struct):
    labels: dict[str, str]
    annotations: dict[str, str]
    state: str


class _Alerts(msgspec.Struct):
    alerts: list[_Alert]


class _Answer(msgspec.Struct):
    data: _Alerts


_decoder = msgspec.json.Decoder(_Answer)


async def fetch_firing(http: aiohttp.ClientSession, urls: Sequence[str]) -> list[Alert]:
    """Return the firing alerts of the daemons at `urls`, the most severe first.

    Of alerts with the same name and sentence, only the most severe is returned.

    Raises:
        DemoError: one of them does not answer, or not as expected.
    """
    found: dict[tuple[str, str], Alert] = {}
    for url in urls:
        try:
            async with http.get(f"{url}/api/v1/alerts") as response:
                response.raise_for_status()
                answer = _decoder.decode(await response.read())
        except (aiohttp.ClientError, msgspec.MsgspecError) as error:
            raise DemoError(f"{url} does not answer: {error}") from error
        for each in answer.data.alerts:
            if each.state == "firing":
                alert = Alert(
                    each.labels.get("alertname", ""),
                    each.labels.get("severity", ""),
                    each.annotations.get("summary", ""),
                )
                key = alert.name, alert.summary
                if key not in found or _rank(alert) < _rank(found[key]):
                    found[key] = alert
    return sorted(found.values(), key=lambda alert: (_rank(alert), alert.name, alert.summary))


async def await_firing(http: aiohttp.ClientSession, urls: Sequence[str]) -> list[Alert]:
    """Return the firing alerts once they include the `EXPECTED` ones, or after 5 s.

    Waits for the next evaluation of the rules, so that they are those of the last flights.

    Raises:
        DemoError: one of the daemons does not answer.
    """
    await asyncio.sleep(RULES_INTERVAL_SECONDS + _POLL_SECONDS)
    deadline = time.monotonic() + _FIRING_SECONDS
    while True:
        alerts = await fetch_firing(http, urls)
        complete = {alert.name for alert in alerts}.issuperset(EXPECTED)
        if complete or time.monotonic() > deadline:
            return alerts
        await asyncio.sleep(_POLL_SECONDS)


def _rank(alert: Alert) -> int:
    return _SEVERITIES.index(alert.severity) if alert.severity in _SEVERITIES else len(_SEVERITIES)
