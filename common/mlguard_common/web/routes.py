"""The paths of figures and health."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from mlguard_common.samples import CONTENT_TYPE
from mlguard_common.web.origin import is_from_here


class Host(Protocol):
    """What the handlers ask of the daemon.

    Attributes:
        index: text of the first page.
    """

    index: str

    def exposition(self) -> bytes:
        """The figures, in the text format."""

    def not_ready(self) -> str | None:
        """Why the daemon is not ready, None where it is."""

    def reload(self) -> str | None:
        """Use the changed configuration; what is wrong with it, None where it is in use."""


def routes(host: Host) -> list[web.RouteDef]:
    """The paths of figures and health."""

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=host.index)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=host.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reason = host.not_ready()
        if reason:
            return web.Response(status=503, text=f"{reason}\n")
        return web.Response(text="ready\n")

    async def reload(request: web.Request) -> web.Response:
        if not is_from_here(request):
            return web.Response(status=403, text="reloaded from this machine alone\n")
        error = host.reload()
        if error:
            return web.Response(status=400, text=f"{error}\n")
        return web.Response(text="reloaded\n")

    return [
        web.get("/", index),
        web.get("/metrics", metrics),
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.post("/-/reload", reload),
    ]
