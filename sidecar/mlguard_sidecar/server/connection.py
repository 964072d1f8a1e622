"""One connection on the event socket: lines in, acknowledgements out."""

from __future__ import annotations

import asyncio
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
    is_name,
)

if TYPE_CHECKING:
    from mlguard_sidecar.server.hub import Hub

PROTOCOL_VERSION = 1
SOURCE = "socket"
_LONGEST_CLIENT = 64
_MOST_UNFINISHED = 16 << 20  # bytes
_BAD_LINES_A_TURN = 500


class Connection(asyncio.Protocol):
    """Reads lines, hands events to the engine, and answers clients that said hello."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._engine = hub.engine
        self._parts: list[bytes] = []
        self._size = 0
        self._overlong = False
        self._bad_block = b""
        self._client: str | None = None
        self._taken = 0
        self._ended = False
        self._writable = True
        self._owed_ack = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server's
        self._transport = transport
        transport.set_write_buffer_limits(high=65_536)
        if not self._hub.admit(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take the lines that are whole; keep the rest."""
        first = data.find(b"\n") + 1
        if first and (self._overlong or self._size + first > LINE_LIMIT):
            if not self._overlong:
                self._refuse_overlong()
            self._forget_parts()
            self._overlong = False
            data = data[first:]
        end = data.rfind(b"\n") + 1
        if end:
            block = b"".join([*self._parts, data[:end]])
            self._forget_parts()
            self._hub.silent.pop(self, None)
            self._read(block)
            data = data[end:]
        if data and not self._overlong:
            self._parts.append(data)
            self._size += len(data)
            self._hub.unfinished += len(data)
            if self._size >= LINE_LIMIT:
                self.give_line_up()
            elif self._hub.unfinished > _MOST_UNFINISHED:
                max(self._hub.connections, key=lambda c: c.unfinished).give_line_up()

    def eof_received(self) -> bool:
        """Take what is left without a line feed; stay while the client waits for its answer."""
        self._read_bad_block(None)
        rest = b"".join(self._parts)
        self._forget_parts()
        if rest.strip():
            self._read_last(rest)
        self._ended = True
        return self._client is not None and self._taken > self._engine.durable.get(self._client, 0)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the connection, having taken what it left."""
        if not self._ended:
            self.eof_received()
        self._hub.forget(self)
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

    # what the hub asks, and other connections

    @property
    def unfinished(self) -> int:
        """Bytes of the line that waits for its end."""
        return self._size

    def give_line_up(self) -> None:
        """Refuse the line that waits for its end, and pass over what is to come of it."""
        self._refuse_overlong()
        self._forget_parts()
        self._overlong = True

    def acknowledge(self, seq: int) -> None:
        """Say that everything up to a batch is committed; later, where the client reads slowly."""
        if self._writable:
            self._owed_ack = 0
            self._write({"ack": seq})
            if self._ended and seq >= self._taken:
                asyncio.get_running_loop().call_soon(self._transport.close)
        else:
            self._owed_ack = max(self._owed_ack, seq)

    def stop_reading(self) -> None:
        """Take nothing new."""
        if not self._transport.is_closing():
            self._transport.pause_reading()
        self._read_bad_block(None)

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def close(self) -> None:
        """Close, once what was written is sent; at once where the client does not read."""
        if self._writable:
            self._transport.close()
        else:
            self._transport.abort()

    # lines

    def _read(self, block: bytes) -> None:
        self._engine.expect(len(block))
        lines = decode_block(block)
        if lines is not None:
            self._take(lines)
        else:
            self._bad_block += block
            self._read_bad_block(_BAD_LINES_A_TURN)

    def _read_bad_block(self, most: int | None) -> None:
        """Read a block with a bad line in it line by line; so many, then the others have a turn."""
        if not self._bad_block:
            return
        *rows, self._bad_block = self._bad_block.split(b"\n", -1 if most is None else most)
        lines = []
        for raw in rows:
            if raw.strip():
                try:
                    lines.append(decode_line(raw))
                except Refused as refusal:
                    self._take(lines)  # before it there may have been a hello
                    lines = []
                    self._refuse(refusal)
        self._take(lines)
        if self._bad_block and not self._transport.is_closing():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        self._read_bad_block(_BAD_LINES_A_TURN)
        if not self._bad_block and not self._transport.is_closing() and not self._hub.draining:
            self._transport.resume_reading()

    def _forget_parts(self) -> None:
        self._hub.unfinished -= self._size
        self._parts, self._size = [], 0

    def _read_last(self, raw: bytes) -> None:
        """A last line without a line feed counts if it is whole."""
        try:
            line = decode_line(raw)
        except Refused:
            self._refuse(Refused(Reason.INCOMPLETE_LINE, "the connection ended within a line"))
            self._hub.wake()
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
        elif line.project_id is not None:
            return False
        elif line.hello is not None:
            self._greet(line.hello.client, line.hello.version)
        elif line.stats is not None:
            if line.stats.dropped:
                self._engine.report_dropped(line.stats.dropped, SOURCE)
        else:
            return False
        return True

    def _take_batch(self, line: Line) -> None:
        self._tell(self._engine.take_batch(line, SOURCE, self._client), line.seq)
        if self._client is not None and line.seq is not None:
            self._taken = max(self._taken, line.seq)
            durable = self._engine.durable.get(self._client, 0)
            if line.seq <= durable:
                self.acknowledge(durable)

    def _greet(self, client: str, version: int) -> None:
        wrong = None
        if version != PROTOCOL_VERSION:
            wrong = f"version {version}, expected {PROTOCOL_VERSION}"
        elif not is_name(client, _LONGEST_CLIENT):
            wrong = f"client must be 1 to {_LONGEST_CLIENT} printable characters"
        elif self._client not in (None, client):
            wrong = "this connection said hello with another client"
        if not self._writable:
            self.abort()  # it asks again and again, and reads no answer
        elif wrong is not None:
            self._write(_error("bad_hello", wrong))
        else:
            self._client = client
            self._hub.by_client[client].add(self)
            self._write({"hello": {"last_seq": self._engine.durable.get(client, 0)}})

    def _refuse_overlong(self) -> None:
        self._refuse(Refused(Reason.LINE_TOO_LONG, f"a line of over {LINE_LIMIT} bytes"))
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
