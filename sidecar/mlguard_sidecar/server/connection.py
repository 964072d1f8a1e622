"""One connection on the event socket: lines in, acknowledgements out."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from mlguard_sidecar.exposition import metrics
from mlguard_sidecar.wire import (
    LINE_LIMIT,
    Line,
    Reason,
    Refused,
    decode_block,
    decode_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlguard_sidecar.engine import Engine
    from mlguard_sidecar.exposition import Own

PROTOCOL_VERSION = 1
SOURCE = "socket"
_LONGEST_CLIENT = 64


class Hub:
    """All connections, and what they share."""

    def __init__(
        self, engine: Engine, own: Own, limit: Callable[[], int], wake: Callable[[], None]
    ) -> None:
        self.engine = engine
        self.own = own
        self.limit = limit
        self.wake = wake
        self.connections: set[Connection] = set()
        self.by_client: defaultdict[str, set[Connection]] = defaultdict(set)

    def acknowledge(self, sequences: Mapping[str, int]) -> None:
        """Tell clients what is committed."""
        for client, last_seq in sequences.items():
            for connection in self.by_client.get(client, ()):
                connection.acknowledge(last_seq)

    def stop_reading(self) -> None:
        """Take nothing new, on any connection."""
        for connection in self.connections:
            connection.stop_reading()

    def close(self) -> None:
        """Close every connection once what was written to it is sent."""
        for connection in list(self.connections):
            connection.close()


class Connection(asyncio.Protocol):
    """Reads lines, hands events to the engine, and answers clients that said hello."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._engine = hub.engine
        self._parts: list[bytes] = []
        self._size = 0
        self._overlong = False
        self._client: str | None = None
        self._writable = True
        self._owed_ack = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server's
        self._transport = transport
        transport.set_write_buffer_limits(high=65_536)
        if len(self._hub.connections) >= self._hub.limit():
            self._hub.own.count(metrics.CONNECTIONS_REFUSED)
            transport.abort()
            return
        self._hub.connections.add(self)
        self._hub.own.connections = len(self._hub.connections)

    def data_received(self, data: bytes) -> None:
        """Take the lines that are whole; keep the rest."""
        first = data.find(b"\n") + 1
        if first and (self._overlong or self._size + first > LINE_LIMIT):
            if not self._overlong:
                self._refuse_overlong()
            self._parts, self._size, self._overlong = [], 0, False
            data = data[first:]
        end = data.rfind(b"\n") + 1
        if end:
            block = b"".join([*self._parts, data[:end]])
            self._parts, self._size = [], 0
            self._read(block)
            data = data[end:]
        if data and not self._overlong:
            self._parts.append(data)
            self._size += len(data)
            if self._size >= LINE_LIMIT:  # without its line feed
                self._refuse_overlong()
                self._parts, self._size, self._overlong = [], 0, True

    def eof_received(self) -> bool:
        """Take what is left without a line feed."""
        rest = b"".join(self._parts)
        self._parts, self._size = [], 0
        if rest.strip():
            self._read_last(rest)
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the connection, having taken what it left."""
        if self not in self._hub.connections:
            return
        self.eof_received()
        self._hub.connections.discard(self)
        self._hub.own.connections = len(self._hub.connections)
        if self._client is not None:
            fellows = self._hub.by_client[self._client]
            fellows.discard(self)
            if not fellows:
                del self._hub.by_client[self._client]

    def pause_writing(self) -> None:
        """Owe what cannot be told now."""
        self._writable = False

    def resume_writing(self) -> None:
        """Tell what is owed."""
        self._writable = True
        if self._owed_ack:
            self.acknowledge(self._owed_ack)

    # what the hub asks

    def acknowledge(self, seq: int) -> None:
        """Say that everything up to a batch is committed; later, where the client reads slowly."""
        if self._writable:
            self._owed_ack = 0
            self._write({"ack": seq})
        else:
            self._owed_ack = max(self._owed_ack, seq)

    def stop_reading(self) -> None:
        """Take nothing new."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def close(self) -> None:
        """Close, once what was written is sent; at once where the client does not read."""
        if self._writable:
            self._transport.close()
        else:
            self._transport.abort()

    # lines

    def _read(self, block: bytes) -> None:
        lines = decode_block(block)
        if lines is None:
            lines = []
            for raw in block.split(b"\n"):
                if raw.strip():
                    try:
                        lines.append(decode_line(raw))
                    except Refused as refusal:
                        self._refuse(refusal)
        self._take(lines)

    def _read_last(self, raw: bytes) -> None:
        """A last line without a line feed counts if it is whole."""
        try:
            line = decode_line(raw)
        except Refused:
            self._refuse(Refused(Reason.INCOMPLETE_LINE, "the connection ended within a line"))
        else:
            self._take([line])

    def _take(self, lines: list[Line]) -> None:
        # one pass in C for what most connections send: nothing but events
        events = [ln for ln in lines if ln.project_id is not None and ln.columns is None]
        if len(events) < len(lines):
            events = [line for line in lines if not self._take_special(line)]
        if events:
            self._tell(self._engine.take_events(events, SOURCE))
        self._hub.wake()

    def _take_special(self, line: Line) -> bool:
        """Take what is no event; whether it was that."""
        if line.columns is not None:
            self._take_batch(line)
        elif line.hello is not None:
            self._greet(line.hello.client, line.hello.version)
        elif line.stats is not None:
            if line.stats.dropped > 0:
                self._engine.report_dropped(min(line.stats.dropped, 1 << 53), SOURCE)
        else:
            return False
        return True

    def _take_batch(self, line: Line) -> None:
        self._tell(self._engine.take_batch(line, SOURCE, self._client), line.seq)
        if self._client is not None and line.seq is not None:
            durable = self._engine.durable.get(self._client, 0)
            if line.seq <= durable:
                self.acknowledge(durable)

    def _greet(self, client: str, version: int) -> None:
        if version != PROTOCOL_VERSION:
            self._write(_error("bad_hello", f"version {version}, expected {PROTOCOL_VERSION}"))
            return
        if not (0 < len(client) <= _LONGEST_CLIENT and client.isprintable()):
            text = f"client must be 1 to {_LONGEST_CLIENT} printable characters"
            self._write(_error("bad_hello", text))
            return
        if self._client is None:
            self._client = client
            self._hub.by_client[client].add(self)
        self._write({"hello": {"last_seq": self._engine.durable.get(self._client, 0)}})

    def _refuse_overlong(self) -> None:
        self._refuse(Refused(Reason.LINE_TOO_LONG, f"a line is longer than {LINE_LIMIT} bytes"))
        self._hub.wake()

    def _refuse(self, refusal: Refused) -> None:
        self._engine.reject(refusal, SOURCE)
        self._tell([refusal])

    def _tell(self, refused: list[Refused], seq: int | None = None) -> None:
        if self._client is None:
            return
        for refusal in refused:
            if not self._writable:
                self._hub.own.count(metrics.REPLIES_DROPPED)
                continue
            reply = _error(refusal.reason, str(refusal))
            reply["error"]["rows"] = refusal.rows
            if seq is not None:
                reply["error"]["seq"] = seq
            self._write(reply)

    def _write(self, reply: dict[str, Any]) -> None:
        if not self._transport.is_closing():
            self._transport.write(msgspec.json.encode(reply) + b"\n")


def _error(reason: str, message: str) -> dict[str, Any]:
    return {"error": {"reason": reason, "message": message[:300]}}
