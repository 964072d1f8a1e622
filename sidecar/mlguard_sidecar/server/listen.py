"""The Unix socket file: made, taken over from the dead, never from the living."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING

from mlguard_common.web import BindError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_ACCEPTED_A_TURN = 100  # before any of them is read or closed
_WAITING = 1024  # in the kernel


def bind_socket(path: Path, mode: int) -> socket.socket:
    """A Unix stream socket bound to a path.

    A file that a killed process left there is removed once nobody answers on it.

    Args:
        path: its folder is made if need be.
        mode: permission bits of the socket file.

    Raises:
        BindError: it is in use, or cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if os.geteuid() not in (0, path.parent.stat().st_uid) and path.parent.stat().st_uid:
            raise BindError(f"{path.parent} belongs to another user; name another with --socket")
        if path.is_socket():
            if _answers(path):
                raise BindError(
                    f"{path} is in use by another process;"
                    " give this one a --socket in a folder of its own"
                )
            path.unlink()
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o777 & ~mode)
        try:
            bound.bind(str(path))
        finally:
            os.umask(mask)
    except OSError as error:
        what = "path is too long for a socket" if "too long" in str(error) else error.strerror
        raise BindError(f"{path} cannot be listened on: {what}") from error
    bound.setblocking(False)
    return bound


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError as error:
            return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
        return True


async def serve_socket(
    bound: socket.socket, protocol: Callable[[], asyncio.Protocol]
) -> asyncio.Server:
    """Accept connections."""
    server = await asyncio.get_running_loop().create_unix_server(
        protocol, sock=bound, backlog=_ACCEPTED_A_TURN
    )
    bound.listen(_WAITING)  # asyncio takes one number for both
    return server
