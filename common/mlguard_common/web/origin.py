"""Where a request comes from."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web


def is_from_here(request: web.Request) -> bool:
    """Whether a request comes from this machine, over loopback or a Unix socket.

    No header counts, as anybody can send any; behind a proxy on this machine, all come from here.
    """
    remote = request.remote
    if remote is None:  # the connection has ended, and nobody knows whose it was
        return False
    # a peer on a Unix socket has no name
    return not remote or ipaddress.ip_address(remote.partition("%")[0]).is_loopback
