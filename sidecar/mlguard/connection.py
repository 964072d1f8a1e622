"""The connection to the sidecar: lines out, replies in."""

import json
import socket
import time
import uuid
from pathlib import Path
from typing import Any

from mlguard.access import (
    explain_connect_error,
    explain_unsearchable,
    explain_untrusted,
)
from mlguard.protocol import (
    MAX_LINE_BYTES,
    PROTOCOL_VERSION,
    configured_socket,
    default_sockets,
    is_trusted,
)

HELLO_SECONDS = 2.0
SEND_SECONDS = 5.0


def find_socket() -> Path:
    """Return the path of the sidecar's socket.

    It is the one that the environment names, else the first default that exists, even in a folder
    that this process may not write to. Of the defaults, one in a folder of another user (other
    than root) is ignored: who names a path trusts its folder.

    Raises:
        FileNotFoundError: the environment names none, and no default exists.
    """
    named = configured_socket()
    if named is not None:
        return named
    defaults = list(default_sockets())
    reasons = []
    for path in defaults:
        try:
            path.stat()
        except PermissionError:  # noqa: PERF203 - a few paths
            reasons.append(explain_unsearchable(path))
        except OSError:
            continue
        else:
            if is_trusted(path.parent):
                return path
            reasons.append(explain_untrusted(path))
    none = f"no socket at {', '.join(map(str, defaults))}"
    raise FileNotFoundError("; ".join([none, *reasons]))


class Connection:
    """At most one connection at a time, with the same client ID until `renew_client`.

    Every method may raise OSError; the connection is then unusable and has to be closed.

    Attributes:
        client: the ID under which the sidecar remembers sequence numbers.
    """

    def __init__(self) -> None:
        self.renew_client()
        self._socket: socket.socket | None = None
        self._partial_line = b""

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._socket is not None

    def renew_client(self) -> None:
        """Use a new client ID, and so new sequence numbers, from the next connection on."""
        self.client = str(uuid.uuid4())

    def fileno(self) -> int | None:
        """Return the file descriptor; None if there is no connection."""
        return self._socket.fileno() if self._socket else None

    def open(self, path: Path) -> int:
        """Connect and say hello; return the last sequence number that the sidecar committed."""
        # Kept before it is connected, so that a fork meanwhile finds the descriptor to close.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._partial_line = b""
        self._socket.settimeout(HELLO_SECONDS)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            raise explain_connect_error(path, error) from error
        hello = {"hello": {"client": self.client, "version": PROTOCOL_VERSION}}
        self.send(json.dumps(hello).encode() + b"\n")
        deadline = time.monotonic() + HELLO_SECONDS
        while (remaining := deadline - time.monotonic()) > 0:
            for reply in self._read(remaining):
                if "error" in reply:
                    raise ConnectionAbortedError(f"the sidecar refused hello: {reply['error']}")
                answer = reply.get("hello")
                if isinstance(answer, dict) and isinstance(answer.get("last_seq"), int):
                    return int(answer["last_seq"])
        raise TimeoutError("no answer to hello")

    def send(self, line: bytes) -> None:
        """Send a line, within `SEND_SECONDS`."""
        connected = self._connected()
        connected.settimeout(SEND_SECONDS)
        connected.sendall(line)

    def replies(self) -> list[dict[str, Any]]:
        """Return the replies that have arrived, without waiting."""
        try:
            return self._read(0)
        except BlockingIOError:
            return []

    def close(self) -> None:
        """Close the connection, if there is one.

        It is not shut down first: in a forked child the parent still uses it.
        """
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read(self, seconds: float) -> list[dict[str, Any]]:
        connected = self._connected()
        connected.settimeout(seconds)
        received = connected.recv(65_536)
        if not received:
            raise ConnectionResetError("the sidecar closed the connection")
        *lines, self._partial_line = (self._partial_line + received).split(b"\n")
        if len(self._partial_line) > MAX_LINE_BYTES:
            raise ConnectionAbortedError(f"a reply of more than {MAX_LINE_BYTES} bytes")
        return [reply for reply in map(_decode, lines) if reply]

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionError("not connected")
        return self._socket


def _decode(line: bytes) -> dict[str, Any]:
    """Return a reply; an empty one if the line is not a JSON object."""
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return reply if isinstance(reply, dict) else {}
