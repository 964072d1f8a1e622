"""Waking the background thread from any other thread."""

import select
import socket
from contextlib import suppress
from typing import Any


class Waker:
    """A socket pair: any thread wakes, one thread waits.

    A wake costs one system call, takes no lock, and is never lost.

    Raises:
        OSError: the process has no file descriptors left.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def wake(self) -> None:
        """End the present wait, or the next one."""
        with suppress(OSError):  # full: a wake is pending; closed: nobody waits
            self._writer.send(b"!")

    def wait(self, connection: int | None, seconds: float | None) -> None:
        """Wait for a wake or for data on a connection.

        Args:
            connection: file descriptor of the connection, if there is one.
            seconds: time limit; None means none.
        """
        limit = None if seconds is None else max(0.0, seconds)
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._reader, select.POLLIN)
            if connection is not None:
                poll.register(connection, select.POLLIN)
            poll.poll(None if limit is None else limit * 1_000)
        else:  # eventlet takes poll away, and its select has no limit on descriptors
            watched: list[Any] = [self._reader]
            if connection is not None:
                watched.append(connection)
            select.select(watched, [], [], limit)
        with suppress(BlockingIOError):
            self._reader.recv(4_096)

    def close(self) -> None:
        """Close both sockets."""
        self._writer.close()
        self._reader.close()
