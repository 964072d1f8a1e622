"""Routes that every daemon has: metrics, health and reload."""

from __future__ import annotations

import asyncio
import gzip
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from aiohttp import web
from prometheus_client.exposition import gzip_accepted
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import CollectorRegistry

from mlguard_common.exposition import (
    TEXT_CONTENT_TYPE,
    accepts_only_openmetrics,
    text_chunks,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_common.metrics import Collector

_SLICE_SECONDS = 0.002
"""Seconds of rendering after which other tasks get a turn."""


class Host(Protocol):
    """Daemon, as the handlers use it."""

    @property
    def collectors(self) -> Sequence[Collector]:
        """Sources of the metrics, in the order of exposition."""

    def not_ready(self) -> str | None:
        """Return why the daemon is not ready, None if it is."""

    def reload(self) -> str | None:
        """Reload the configuration; return the error in it, None if it is in use."""


def routes(host: Host) -> list[web.RouteDef]:
    """Return the routes."""

    async def metrics(request: web.Request) -> web.Response:
        headers = {"Content-Type": TEXT_CONTENT_TYPE, "Vary": "Accept, Accept-Encoding"}
        if accepts_only_openmetrics(",".join(request.headers.getall("Accept", []))):
            body = _openmetrics(host.collectors)
            headers["Content-Type"] = openmetrics.CONTENT_TYPE_LATEST
        else:
            body = await _text(host.collectors)
        if gzip_accepted(request.headers.get("Accept-Encoding", "")):
            # in a thread: zlib releases the interpreter for the event loop
            body = await asyncio.to_thread(gzip.compress, body, 5)
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reason = host.not_ready()
        if reason:
            return web.Response(status=503, text=f"{reason}\n")
        return web.Response(text="ready\n")

    async def reload(_: web.Request) -> web.Response:
        error = host.reload()
        if error:
            return web.Response(status=400, text=f"{error}\n")
        return web.Response(text="reloaded\n")

    return [
        web.get("/metrics", metrics),
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.post("/-/reload", reload),
    ]


async def _text(collectors: Sequence[Collector]) -> bytes:
    """Render all families in the text format, with turns for other tasks in between."""
    parts = []
    begin = perf_counter()
    for collector in collectors:
        for chunk in chain.from_iterable(map(text_chunks, collector.collect())):
            parts.append(chunk)
            if perf_counter() - begin > _SLICE_SECONDS:
                await asyncio.sleep(0)
                begin = perf_counter()
    return "".join(parts).encode()


def _openmetrics(collectors: Sequence[Collector]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        registry.register(collector)
    rendered: bytes = openmetrics.generate_latest(registry)
    return rendered
