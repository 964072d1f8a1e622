"""Forwards alerts to an exporter's relay, or to an Alertmanager."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import aiohttp

from mlguard_common.config import ConfigError
from mlguard_common.web import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlguard_rules.alert import Alert
    from mlguard_rules.notify import RelayConfig
    from mlguard_rules.promql import Labels

RESEND_SECONDS = 60.0
"""After which unchanged alerts are posted again, as the other side lets them expire."""

_TIMEOUT_SECONDS = 10.0
_MAX_ALERTS_PER_REQUEST = 1000
"""So that a request stays below the size limit of the other side."""

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "it does not answer in time"),
    (aiohttp.ClientConnectorDNSError, "its name is not known"),
    (aiohttp.ClientSSLError, "no TLS connection could be made"),
    (aiohttp.ClientConnectorError, "no connection could be made"),
    (aiohttp.ClientConnectionError, "the connection broke"),
    (ValueError, "its address or the token cannot be sent"),
    (aiohttp.ClientError, "its answer is no HTTP"),
)
"""Reasons of failures; the first that fits is logged."""

log = logging.getLogger(__name__)


class AlertForwarder:
    """Posts alerts to `/api/v2/alerts` of one address."""

    def __init__(self, config: RelayConfig) -> None:
        self._config = config
        self._failing = False
        self._accepted_at = 0.0
        self._accepted: list[tuple[Labels, float, float | None]] = []
        self._task: asyncio.Task[None] | None = None

    def start(self, alerts: Sequence[Alert], now: float, count: Callable[[str], None]) -> None:
        """Forward alerts in a task of its own, unless the last one is still running.

        Args:
            alerts: that fire or were resolved recently.
            now: epoch seconds.
            count: called with the outcome of an attempt, `sent` or `failed`.
        """

        async def forward() -> None:
            accepted = await self.forward(alerts, now)
            if accepted is not None:
                count("sent" if accepted else "failed")

        if self._task is None or self._task.done():
            self._task = asyncio.create_task(forward())

    async def forward(self, alerts: Sequence[Alert], now: float) -> bool | None:
        """Post alerts that changed, or were last posted long ago.

        Args:
            alerts: that fire or were resolved recently.
            now: epoch seconds.

        Returns:
            Whether they were accepted; None if nothing was posted.
        """
        states = [(alert.labels, alert.active_at, alert.resolved_at) for alert in alerts]
        is_recent = 0 <= now - self._accepted_at < RESEND_SECONDS
        if not states or (states == self._accepted and is_recent):
            return None
        reason = await self._post(alerts)
        if reason and not self._failing:
            log.warning("the relay does not accept alerts, retrying: %s", reason)
        elif self._failing and not reason:
            log.info("the relay accepts alerts again")
        self._failing = bool(reason)
        if not reason:
            self._accepted, self._accepted_at = states, now
        return not reason

    async def _post(self, alerts: Sequence[Alert]) -> str:
        """Post alerts; return why not all of them were accepted, empty if they were.

        The text of an exception may hold the address or the token, and is not returned.
        """
        url = self._config.url.rstrip("/") + "/api/v2/alerts"
        try:
            token = self._config.read_token()
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
            async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
                for i in range(0, len(alerts), _MAX_ALERTS_PER_REQUEST):
                    body = [_to_json(alert) for alert in alerts[i : i + _MAX_ALERTS_PER_REQUEST]]
                    # a redirected POST may become a GET, which posts nothing
                    async with session.post(url, json=body, allow_redirects=False) as answer:
                        if not 200 <= answer.status < 300:
                            return f"HTTP {answer.status}"
        except ConfigError as error:
            return str(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return next((text for kind, text in _REASONS if isinstance(error, kind)), "it failed")
        return ""


def _to_json(alert: Alert) -> dict[str, Any]:
    """Return an alert in Alertmanager's format; a firing one has no end, so no clocks compare."""
    body: dict[str, Any] = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.active_at),
    }
    if alert.resolved_at is not None:
        body["endsAt"] = rfc3339(alert.resolved_at)
    if alert.generator_url:
        body["generatorURL"] = alert.generator_url
    return body
