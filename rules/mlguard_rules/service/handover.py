"""Hands alerts to an exporter's relay, or to an Alertmanager."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import aiohttp

from mlguard_common.config import ConfigError
from mlguard_common.web import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_rules.alert import Alert
    from mlguard_rules.notify.config import HandoverConfig
    from mlguard_rules.promql import Labels

RESEND_SECONDS = 60.0
"""How often what did not change is handed over again, as the other side forgets."""

_SECONDS = 10.0
_AT_ONCE = 1000
"""Alerts in one request, which must stay below what the other side takes."""

_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "it does not answer in time"),
    (aiohttp.ClientConnectorDNSError, "its name is not known"),
    (aiohttp.ClientSSLError, "no TLS connection could be made"),
    (aiohttp.ClientConnectorError, "no connection could be made"),
    (aiohttp.ClientConnectionError, "the connection broke"),
    (ValueError, "its address or the token cannot be sent"),
    (aiohttp.ClientError, "its answer is no HTTP"),
)
"""What may go wrong, in words; the first that fits is told."""

log = logging.getLogger(__name__)


class Handover:
    """Posts alerts to `/api/v2/alerts` of one address."""

    def __init__(self, config: HandoverConfig) -> None:
        self._config = config
        self._failing = False
        self._taken_at = 0.0
        self._taken: list[tuple[Labels, float, float | None]] = []

    async def offer(self, alerts: Sequence[Alert], now: float) -> bool | None:
        """Hand alerts over where that is news or long ago; whether they were taken, None else.

        Args:
            alerts: that fire, and that were resolved of late.
            now: epoch seconds.
        """
        lives = [(alert.labels, alert.starts_at, alert.ends_at) for alert in alerts]
        if not lives or (lives == self._taken and 0 <= now - self._taken_at < RESEND_SECONDS):
            return None
        taken = await self._send(alerts)
        if taken:
            self._taken, self._taken_at = lives, now
        return taken

    async def _send(self, alerts: Sequence[Alert]) -> bool:
        why = await self._refused(alerts)
        if why and not self._failing:
            log.warning("the relay does not take alerts, trying on: %s", why)
        elif self._failing and not why:
            log.info("the relay takes alerts again")
        self._failing = bool(why)
        return not why

    async def _refused(self, alerts: Sequence[Alert]) -> str:
        """Hand over; why not all were taken, empty where they were.

        The text of a failure may hold the address or the token, and is not told.
        """
        url = self._config.url.rstrip("/") + "/api/v2/alerts"
        try:
            token = self._config.read_token()
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            timeout = aiohttp.ClientTimeout(total=_SECONDS)
            async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
                for i in range(0, len(alerts), _AT_ONCE):
                    body = [_told(alert) for alert in alerts[i : i + _AT_ONCE]]
                    # a redirected POST may come as a GET, which takes nothing
                    async with session.post(url, json=body, allow_redirects=False) as answer:
                        if not 200 <= answer.status < 300:
                            return f"HTTP {answer.status}"
        except ConfigError as error:
            return str(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return next((text for kind, text in _KINDS if isinstance(error, kind)), "it failed")
        return ""


def _told(alert: Alert) -> dict[str, Any]:
    """As Alertmanager's API takes it; one that fires names no end, so that no clock matters."""
    told: dict[str, Any] = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.starts_at),
    }
    if alert.ends_at is not None:
        told["endsAt"] = rfc3339(alert.ends_at)
    if alert.source:
        told["generatorURL"] = alert.source
    return told
