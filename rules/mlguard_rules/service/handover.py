"""Hands alerts to an exporter's relay, or to an Alertmanager."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlguard_rules.alert import Alert
    from mlguard_rules.notify.config import HandoverConfig
    from mlguard_rules.promql import Labels

RESEND_SECONDS = 60.0
"""How often what did not change is handed over again, as the other side forgets."""

_SECONDS = 10.0

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

    async def _send(self, alerts: Iterable[Alert]) -> bool:
        body = [_told(alert) for alert in alerts]
        url = self._config.url.rstrip("/") + "/api/v2/alerts"
        try:
            timeout = aiohttp.ClientTimeout(total=_SECONDS)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, json=body, headers=self._headers()) as answer,
            ):
                why = "" if answer.status < 300 else f"HTTP {answer.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            why = type(error).__name__ if not str(error) else str(error)
        if why and not self._failing:
            log.warning("the relay does not take alerts, trying on: %s", why)
        elif self._failing and not why:
            log.info("the relay takes alerts again")
        self._failing = bool(why)
        return not why

    def _headers(self) -> dict[str, str]:
        token = self._config.token
        if self._config.token_file is not None:  # read anew, as tokens are rotated
            token = Path(self._config.token_file).read_text(encoding="utf-8").strip()
        return {"Authorization": f"Bearer {token}"} if token else {}


def _told(alert: Alert) -> dict[str, Any]:
    """As Alertmanager's API takes it; one that fires names no end, so that no clock matters."""
    told: dict[str, Any] = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _moment(alert.starts_at),
    }
    if alert.ends_at is not None:
        told["endsAt"] = _moment(alert.ends_at)
    if alert.source:
        told["generatorURL"] = alert.source
    return told


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
