"""Waking a thread that waits for a socket as well."""

import select
import socket
from contextlib import suppress


class Bell:
    """Any thread rings; one thread waits, for the ring or for its connection to become readable.

    A ring costs a system call, takes no lock, and is never lost: it waits in a socket pair.
    """

    def __init__(self) -> None:
        """Raise OSError where the process has no file descriptors left."""
        self._hear, self._pull = socket.socketpair()
        self._hear.setblocking(False)
        self._pull.setblocking(False)

    def ring(self) -> None:
        """Wake who waits, or keep the next wait from waiting."""
        with suppress(OSError):  # full: it rings already; closed: nobody waits
            self._pull.send(b"!")

    def wait(self, connection: int | None, seconds: float | None) -> None:
        """Wait for a ring, for the connection's descriptor, or at most so long (None: ever)."""
        poll = select.poll()
        poll.register(self._hear, select.POLLIN)
        if connection is not None:
            poll.register(connection, select.POLLIN)
        poll.poll(None if seconds is None else max(0.0, seconds) * 1_000)
        with suppress(BlockingIOError):
            self._hear.recv(4_096)

    def close(self) -> None:
        """Let go of both ends."""
        self._pull.close()
        self._hear.close()
