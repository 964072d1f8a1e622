"""Unix sockets: created, replaced if stale, and created again if deleted."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import stat
from typing import TYPE_CHECKING

from mlguard_common.web import BindError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


CHECK_SECONDS = 2.0
"""Seconds between two checks of the socket file."""

_ACCEPTED_A_TURN = 100  # accepted before any of them is read or closed
_WAITING = 1024  # length of the kernel's queue


log = logging.getLogger(__name__)


class SocketListener:
    """Listener on a Unix socket, whose file other processes may delete.

    Args:
        path: the socket file.
        mode: permission bits of the file.
        is_named: whether the path was configured; see `bind_socket`.
        listen: starts to accept on a bound socket, and returns a function that stops it.
        on_recreated: called after a deleted file was created again.
    """

    def __init__(
        self,
        path: Path,
        mode: int,
        *,
        is_named: bool,
        listen: Callable[[socket.socket], Awaitable[Callable[[], Awaitable[None]]]],
        on_recreated: Callable[[], None],
    ) -> None:
        self._path = path
        self._mode = mode
        self._is_named = is_named
        self._listen = listen
        self._on_recreated = on_recreated
        self._inode: int | None = None
        self._stop: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        """Create the file and listen.

        Raises:
            BindError: the path is in use, or cannot be used.
        """
        bound = bind_socket(self._path, self._mode, is_named=self._is_named)
        self._inode = self._path.stat().st_ino if self._path.exists() else None
        self._stop = await self._listen(bound)

    async def run(self) -> None:
        """Create the file again whenever it was deleted, until cancelled."""
        failing = False
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if self._is_there():
                continue
            stop = self._stop
            try:
                await self.start()
            except BindError as error:
                if not failing:
                    log.error("the socket file is gone: %s", error)  # noqa: TRY400
                failing = True
                continue
            failing = False
            log.warning("%s was deleted, and is created again", self._path)
            self._on_recreated()
            if stop is not None:
                await stop()

    def _is_there(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    async def stop(self) -> None:
        """Stop accepting connections."""
        if self._stop is not None:
            await self._stop()

    def remove(self) -> None:
        """Remove the file, unless it belongs to another process by now."""
        if self._inode is not None and self._is_there():
            self._path.unlink(missing_ok=True)


def bind_socket(path: Path, mode: int, *, is_named: bool) -> socket.socket:
    """Return a Unix stream socket bound to a path.

    A file that a killed process left there is replaced if no process answers on it.

    Args:
        path: the socket file; its folder is created if necessary.
        mode: permission bits of the file.
        is_named: whether the path was configured. Who names a path trusts the owner of its
            folder, who may replace the file; the folder of a default path has to be this user's
            or root's.

    Raises:
        BindError: the path is in use, or cannot be used.
    """
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        owner = path.parent.stat().st_uid
        if not is_named and owner not in (0, os.geteuid()):
            raise BindError(
                f"{path.parent} belongs to user {owner}, and neither to root nor to user"
                f" {os.geteuid()}; to use it all the same, name {path} with --socket"
            )
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
        if isinstance(error, PermissionError):
            what = f"{what}{_rights(path.parent)}"
        raise BindError(f"{path} cannot be listened on: {what}") from error
    bound.setblocking(False)
    return bound


def _rights(folder: Path) -> str:
    """Return who may use a folder, and who wants to; nothing if it cannot be looked at."""
    try:
        found = folder.stat()
    except OSError:
        return ""
    return (
        f"; {folder} has mode {stat.S_IMODE(found.st_mode):04o}, owner {found.st_uid} and group"
        f" {found.st_gid}, and this process is user {os.geteuid()} of group {os.getegid()}"
    )


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError as error:
            return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
        return True


async def accept_connections(
    bound: socket.socket, protocol: Callable[[], asyncio.Protocol]
) -> Callable[[], Awaitable[None]]:
    """Accept connections; return a function that stops it and keeps the open ones."""
    server = await asyncio.get_running_loop().create_unix_server(
        protocol, sock=bound, backlog=_ACCEPTED_A_TURN
    )
    bound.listen(_WAITING)  # asyncio uses one number for both

    async def stop() -> None:
        server.close()

    return stop
