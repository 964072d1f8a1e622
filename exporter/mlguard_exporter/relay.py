"""The relay: receives Alertmanager's webhook, and alerts posted as to an Alertmanager."""

from __future__ import annotations

import base64
import hashlib
import hmac
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec
from aiohttp import web

from mlguard_common.web import Operation
from mlguard_rules.alert import Alert
from mlguard_rules.service import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlguard_common.web import Access
    from mlguard_rules.promql import Labels
    from mlguard_rules.service import Alerting

_VERSION = "4"
_YEARS = range(1971, 9000)
"""The years that times of alerts may have."""

T = TypeVar("T")


class PostedAlert(msgspec.Struct):
    """An alert as Prometheus posts it to an Alertmanager."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: datetime | None = msgspec.field(default=None, name="startsAt")
    ends_at: datetime | None = msgspec.field(default=None, name="endsAt")
    generator_url: str = msgspec.field(default="", name="generatorURL")


class WebhookAlert(PostedAlert):
    """An alert in the body of a webhook."""

    status: str = "firing"


class Webhook(msgspec.Struct):
    """Body of an Alertmanager's webhook."""

    version: str
    group_key: str = msgspec.field(name="groupKey")
    alerts: list[WebhookAlert]
    omitted: int = msgspec.field(default=0, name="truncatedAlerts")


class Credentials:
    """Who may post alerts.

    Args:
        token: bearer token, None if there is none.
        username: for basic authentication.
        password: for basic authentication, None if there is none.
        access: decides if there is neither token nor password.
    """

    def __init__(
        self, token: str | None, username: str, password: str | None, access: Access
    ) -> None:
        self._access = access
        self._allowed = []
        if token is not None:
            self._allowed.append(f"Bearer {token}".encode())
        if password is not None:
            pair = base64.b64encode(f"{username}:{password}".encode()).decode()
            self._allowed.append(f"Basic {pair}".encode())

    def check(self, request: web.Request) -> None:
        """Check the credentials of a request; if none are configured, the rules of access.

        Raises:
            HTTPUnauthorized: the credentials are wrong or missing.
            HTTPForbidden: the origin is foreign, or none are configured and access is denied.
        """
        self._access.check_origin(request)
        if self._allowed:
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            # all are compared, so that the time taken reveals nothing
            if not sum(hmac.compare_digest(given, allowed) for allowed in self._allowed):
                raise web.HTTPUnauthorized(
                    text="wrong token or password\n", headers={"WWW-Authenticate": "Bearer"}
                )
            return
        self._access.check(request)


RELAY_PATHS = ("/api/v1/alertmanager", "/api/v2/alerts")
"""Paths that check their requests themselves, as Alertmanager sends no X-API-Key."""


def relay_operations(
    alerting: Alerting, credentials: Callable[[], Credentials], clock: Callable[[], float]
) -> list[Operation]:
    """Return the operations by which alerts are posted."""

    async def webhook(request: web.Request) -> web.Response:
        credentials().check(request)
        hook = _decoded(await request.read(), Webhook)
        if hook.version != _VERSION:
            raise web.HTTPBadRequest(
                text=f"found version {hook.version!r}, expected {_VERSION!r}\n"
            )
        alerts = [_webhook_alert(alert, clock()) for alert in hook.alerts]
        states = sorted((a.labels, a.active_at, not a.is_resolved) for a in alerts)
        digest = hashlib.sha256(msgspec.json.encode([hook.group_key, states])).hexdigest()[:32]
        try:
            await alerting.notify(alerts, digest, hook.omitted)
        except (sqlite3.Error, OSError, BusyError) as error:
            raise _try_again() from error
        return web.Response(text="accepted\n")

    async def post(request: web.Request) -> web.Response:
        credentials().check(request)
        posted = _decoded(await request.read(), list[PostedAlert])
        try:
            await alerting.receive([_posted(alert, clock()) for alert in posted])
        except (sqlite3.Error, OSError) as error:
            raise _try_again() from error
        return web.json_response({})

    webhook_path, post_path = RELAY_PATHS
    return [
        Operation(
            "POST",
            webhook_path,
            webhook,
            "Notify of the alerts of an Alertmanager's webhook.",
            answer=str,
            answer_type="text/plain",
            body=Webhook,
            errors=(400, 503),
        ),
        Operation(
            "POST",
            post_path,
            post,
            "Take alerts as an Alertmanager does.",
            answer=dict[str, str],
            body=list[PostedAlert],
            errors=(400, 503),
        ),
    ]


def _try_again() -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(text="try again later\n")


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except RecursionError as error:
        raise web.HTTPBadRequest(text="nested too deeply\n") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from error


def _labels(found: Mapping[str, str]) -> Labels:
    return tuple(sorted((name, value) for name, value in found.items() if value))


def _seconds(time: datetime | None) -> float | None:
    """Return epoch seconds; Go's zero time stands for no time."""
    if time is None or time.year == 1:
        return None
    if time.year not in _YEARS:
        raise web.HTTPBadRequest(
            text=f"found the year {time.year}, expected one from {_YEARS[0]} to {_YEARS[-1]}\n"
        )
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _alert(posted: PostedAlert, ends_at: float | None, now: float) -> Alert:
    labels = _labels(posted.labels)
    if not labels:
        raise web.HTTPBadRequest(text="an alert without labels\n")
    starts_at = _seconds(posted.starts_at)
    alert = Alert(
        labels,
        tuple(sorted(posted.annotations.items())),
        now if starts_at is None else starts_at,
        generator_url=posted.generator_url,
    )
    return alert if ends_at is None else alert.resolved(ends_at)


def _webhook_alert(posted: WebhookAlert, now: float) -> Alert:
    ends_at = _seconds(posted.ends_at)
    if posted.status == "resolved":
        return _alert(posted, now if ends_at is None else ends_at, now)
    return _alert(posted, None, now)


def _posted(posted: PostedAlert, now: float) -> tuple[Alert, float | None]:
    ends_at = _seconds(posted.ends_at)
    if ends_at is not None and ends_at <= now:
        return _alert(posted, ends_at, now), None
    return _alert(posted, None, now), ends_at
