"""Sending over the event socket."""

from __future__ import annotations

import select
import socket
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

import msgspec

from mlguard.protocol import PROTOCOL_VERSION, configured_socket, default_sockets, is_trusted
from mlguard_sidecar.sending.batches import NumberedBatch, batches, position_of, seq_of
from mlguard_sidecar.sending.lines import Digests, SendError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlguard_sidecar.sending.lines import LineStream, NumberedLine
    from mlguard_sidecar.sending.patience import Patience
    from mlguard_sidecar.sending.summary import Summary

_MAX_UNACKED_BYTES = 4 << 20
_IO_SECONDS = 20.0
_MAX_VERSIONS = 100


def find_socket() -> Path:
    """Return the event socket of the environment, or the first of the default paths that exists.

    Raises:
        SendError: there is none.
    """
    named = configured_socket()
    if named is not None:
        return named
    paths = list(default_sockets())
    for path in paths:
        try:
            if is_trusted(path.parent) and path.exists():
                return path
        except OSError:  # a folder that may not be searched
            continue
    text = "no event socket found; start the sidecar, or name it with --socket, or use --url"
    raise SendError(f"{text} (looked for {', '.join(map(str, paths))})")


class SocketTransport:
    """Sends numbered batches, and keeps each until it is acknowledged.

    The number of a batch is the position at which it ends, and a part of the digest of all lines up
    to there. The last number that the sidecar has of a file hence says how far the file was sent,
    and whether it is still the same up to there.

    Args:
        path: the event socket.
        patience: how long to wait for the sidecar.
        summary: what became of the events is added to it.
    """

    def __init__(self, path: Path, patience: Patience, summary: Summary) -> None:
        self._path = path
        self._patience = patience
        self._summary = summary
        self._client = ""
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._unacked: deque[NumberedBatch] = deque()
        self._unacked_bytes = 0
        self._faults: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        self._was_reached = False

    def resume(self, stream: LineStream) -> int:
        """Return how many lines of a stream the sidecar has.

        Raises:
            SendError: the sidecar cannot be reached, or refuses.
        """
        digests = Digests(stream)
        first = digests.at(1) if stream.is_repeatable else stream.salt
        if first is None:
            return 0
        if self._path.exists() and not self._path.is_socket():
            raise SendError(f"{self._path}: not a socket; name the event socket of the sidecar")
        for version in range(_MAX_VERSIONS):
            self._disconnect()
            self._client = f"send-{first.hex()[:32]}-{version}"
            last = self._hello_patiently()
            position = position_of(last)
            if last == 0:
                return 0
            digest = digests.at(position)
            if digest is not None and seq_of(position, digest) == last:
                return position
        text = f"{_MAX_VERSIONS} other files that begin in the same way were sent this week"
        raise SendError(f"{stream.name}: {text}; use --again, which does not ask what was sent")

    def send(self, lines: Sequence[NumberedLine]) -> None:
        """Send lines, and wait while too many are not acknowledged.

        Raises:
            SendError: the sidecar cannot be reached, or refuses.
        """
        for batch in batches(lines):
            self._summary.sent += batch.rows
            self._unacked.append(batch)
            self._unacked_bytes += len(batch.line)
            self._attempt(batch)
            self._wait(_MAX_UNACKED_BYTES)

    def finish(self) -> None:
        """Wait until all is acknowledged.

        Raises:
            SendError: the sidecar cannot be reached, or refuses.
        """
        self._wait(0)
        self._disconnect()

    def _attempt(self, batch: NumberedBatch) -> None:
        try:
            self._write(batch.line)
            self._read(0.0)
        except OSError as error:
            self._reconnect(error)

    def _wait(self, most: int) -> None:
        """Read replies until at most so many bytes are not acknowledged."""
        while self._unacked_bytes > most:
            try:
                self._read(_IO_SECONDS)
            except OSError as error:
                self._reconnect(error)

    # the connection

    def _reconnect(self, error: OSError) -> None:
        """Say hello again, and send again what is not acknowledged."""
        while True:
            self._retry(error)
            try:
                self._forget(self._hello())
                self._faults.clear()
                for batch in self._unacked:
                    self._write(batch.line)
                return
            except OSError as another:
                error = another

    def _hello_patiently(self) -> int:
        while True:
            try:
                last = self._hello()
            except FileNotFoundError as error:
                if not self._was_reached:
                    text = "no such event socket; is the sidecar running? Another: --socket, --url"
                    raise SendError(f"{self._path}: {text}") from error
                self._retry(error)
            except PermissionError as error:
                text = "no right to connect; see socket.mode of the sidecar"
                raise SendError(f"{self._path}: {text}") from error
            except OSError as error:
                self._retry(error)
            else:
                self._patience.answered()
                return last

    def _retry(self, error: OSError) -> None:
        self._disconnect()
        if self._patience.is_over():
            raise self._gave_up(error) from error
        self._patience.pause(_text(error))

    def _gave_up(self, error: OSError) -> SendError:
        text = f"the sidecar did not answer for {self._patience.seconds:g} s ({_text(error)})"
        return SendError(f"{self._path}: {text}; run the command again to go on")

    def _hello(self) -> int:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_IO_SECONDS)
        self._buffer = b""
        try:
            self._socket.connect(str(self._path))
        except OSError as error:
            if "too long" in str(error):
                raise SendError(f"{self._path}: {error}") from error
            raise
        self._was_reached = True
        hello = {"hello": {"client": self._client, "version": PROTOCOL_VERSION}}
        self._write(msgspec.json.encode(hello))
        last = None
        while last is None:
            for reply in self._replies(_IO_SECONDS):
                if "hello" in reply:
                    last = int(reply["hello"]["last_seq"])
                elif reply.get("error", {}).get("reason") == "bad_hello":
                    raise SendError(f"{self._path}: the sidecar refuses: {reply['error']}")
        return last

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _write(self, line: bytes) -> None:
        if self._socket is None:
            raise ConnectionError("not connected")
        self._socket.sendall(line + b"\n")

    # replies

    def _read(self, seconds: float) -> None:
        for reply in self._replies(seconds):
            if "ack" in reply:
                self._patience.answered()
                self._forget(reply["ack"])
            elif "error" in reply or "warning" in reply:
                fault = reply.get("error") or reply["warning"]
                if fault.get("seq") is None:
                    self._note(fault)
                else:  # until it is acknowledged, it may be sent and answered again
                    self._faults[fault["seq"]].append(fault)

    def _note(self, fault: dict[str, Any]) -> None:
        """Add a rejection or a warning to the summary."""
        if "rows" in fault:
            self._summary.refuse(fault["reason"], fault["message"], fault["rows"])
        else:
            self._summary.warn(fault["reason"], fault["message"], fault["values"])

    def _replies(self, seconds: float) -> list[dict[str, Any]]:
        """Return the replies that have come; wait for one at most so many seconds."""
        if self._socket is None:
            raise ConnectionError("not connected")
        if not select.select([self._socket], [], [], seconds)[0]:
            if seconds:
                raise TimeoutError("no reply")
            return []
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the sidecar closed the connection")
        *whole, self._buffer = (self._buffer + data).split(b"\n")
        try:
            return [msgspec.json.decode(line, type=dict[str, Any]) for line in whole]
        except msgspec.MsgspecError as error:
            raise SendError(f"{self._path}: what answers is not an ML Guard") from error

    def _forget(self, seq: int) -> None:
        while self._unacked and self._unacked[0].seq <= seq:
            batch = self._unacked.popleft()
            self._unacked_bytes -= len(batch.line)
            for fault in self._faults.pop(batch.seq, ()):
                self._note(fault)


def _text(error: OSError) -> str:
    return error.strerror or str(error)
