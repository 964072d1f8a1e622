"""The connection to the sidecar: lines out, replies in; and waiting for it."""

import json
import select
import socket
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

HELLO_SECONDS = 2.0
SEND_SECONDS = 5.0
REPLY_LIMIT = 1_048_576


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


class Link:
    """At most one connection, opened again under the same client's name until it is renamed.

    Every method may raise OSError, after which the connection is useless: close it.
    """

    def __init__(self) -> None:
        self.rename()
        self._socket: socket.socket | None = None
        self._partial = b""

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._socket is not None

    def rename(self) -> None:
        """Be another client from the next connection on, with numbers of its own."""
        self.client = str(uuid.uuid4())

    def fileno(self) -> int | None:
        """Return the connection's descriptor to wait for."""
        return self._socket.fileno() if self._socket else None

    def open(self, path: Path) -> int:
        """Connect and say hello; return the last number that the sidecar has of this client."""
        # Held at once, so that a fork meanwhile finds the descriptor to close.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._partial = b""
        self._socket.settimeout(HELLO_SECONDS)
        self._socket.connect(str(path))
        self.send(json.dumps({"hello": {"client": self.client, "version": 1}}).encode() + b"\n")
        deadline = time.monotonic() + HELLO_SECONDS
        while (remaining := deadline - time.monotonic()) > 0:
            for reply in self._read(remaining):
                hello = reply.get("hello")
                if isinstance(hello, dict) and isinstance(hello.get("last_seq"), int):
                    return int(hello["last_seq"])
        raise TimeoutError("no answer to hello")

    def send(self, line: bytes) -> None:
        """Send a line, within a time limit."""
        self._connected().settimeout(SEND_SECONDS)
        self._connected().sendall(line)

    def replies(self) -> list[dict[str, Any]]:
        """Return what has arrived; do not wait for it."""
        try:
            return self._read(0)
        except BlockingIOError:
            return []

    def close(self) -> None:
        """Drop the connection and what arrived of an unfinished line.

        It is not shut down first: in a forked child it is still the parent's.
        """
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read(self, seconds: float) -> list[dict[str, Any]]:
        connected = self._connected()
        connected.settimeout(seconds)
        arrived = connected.recv(65_536)
        if not arrived:
            raise ConnectionResetError("the sidecar closed the connection")
        *lines, self._partial = (self._partial + arrived).split(b"\n")
        if len(self._partial) > REPLY_LIMIT:
            raise ConnectionAbortedError("a reply without end")
        return [reply for reply in map(_decoded, lines) if reply]

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionError("not connected")
        return self._socket


def _decoded(line: bytes) -> dict[str, Any]:
    """Return a reply; empty if it is none that this version knows."""
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return reply if isinstance(reply, dict) else {}
