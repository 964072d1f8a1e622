"""Connection on the event socket: lines in, acknowledgements out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from mlguard.protocol import MAX_LINE_BYTES, PROTOCOL_VERSION
from mlguard_sidecar import telemetry as t
from mlguard_sidecar.wire import (
    Line,
    Reason,
    RejectedError,
    decode_block,
    decode_line,
    find_seq,
    is_name,
)

if TYPE_CHECKING:
    from mlguard_sidecar.ingest.connections import Connections
    from mlguard_sidecar.ingest.pipeline import Pipeline
    from mlguard_sidecar.ingest.receipt import Receipt
    from mlguard_sidecar.telemetry import Telemetry

SOURCE = "socket"
_MAX_CLIENT = 64
_BAD_LINES_A_TURN = 500


class Connection(asyncio.Protocol):
    """Protocol of one connection: reads lines, submits events, and answers clients."""

    def __init__(self, pipeline: Pipeline, connections: Connections, telemetry: Telemetry) -> None:
        self._pipeline = pipeline
        self._connections = connections
        self._telemetry = telemetry
        self._parts: list[bytes] = []
        self._size = 0
        self._overlong = False
        self._bad_block = b""
        self._client: str | None = None
        self._taken = 0
        self._ended = False
        self._writable = True
        self._pending_ack = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, unless there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server's
        self._transport = transport
        transport.set_write_buffer_limits(high=65_536)
        if self._connections.admit(self):
            self.update_reading()
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read all complete lines, and keep the rest."""
        first = data.find(b"\n") + 1
        if first and (self._overlong or self._size + first > MAX_LINE_BYTES):
            if not self._overlong:
                self._reject_overlong(data[:first])
            self._forget_parts()
            self._overlong = False
            data = data[first:]
        end = data.rfind(b"\n") + 1
        if end:
            block = b"".join([*self._parts, data[:end]])
            self._forget_parts()
            self._connections.heard_from(self)
            self._read(block)
            data = data[end:]
        if data and not self._overlong:
            self._parts.append(data)
            self._size += len(data)
            self._connections.grew(len(data))
            if self._size >= MAX_LINE_BYTES:
                self.discard_partial_line()

    def eof_received(self) -> bool:
        """Read a last line without a line feed; stay open while an acknowledgement is due."""
        self._read_bad_block(None)
        rest = b"".join(self._parts)
        self._forget_parts()
        if rest.strip():
            self._read_last(rest)
        self._ended = True
        return self._client is not None and self._taken > self._pipeline.last_committed(
            self._client
        )

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Read what is left, and forget the connection."""
        if not self._ended:
            self.eof_received()
        self._connections.forget(self, self._client)

    def pause_writing(self) -> None:
        """Defer acknowledgements, as the client does not read."""
        self._writable = False

    def resume_writing(self) -> None:
        """Send the deferred acknowledgement."""
        self._writable = True
        if self._pending_ack:
            self.acknowledge(self._pending_ack)

    # called by Connections

    @property
    def unfinished(self) -> int:
        """Bytes of the incomplete line."""
        return self._size

    def discard_partial_line(self) -> None:
        """Reject the incomplete line, and skip the rest of it."""
        self._reject_overlong()
        self._forget_parts()
        self._overlong = True

    def acknowledge(self, seq: int) -> None:
        """Acknowledge all batches up to a number; later if the client does not read."""
        if self._writable:
            self._pending_ack = 0
            self._write({"ack": seq})
            if self._ended and seq >= self._taken:
                asyncio.get_running_loop().call_soon(self._transport.close)
        else:
            self._pending_ack = max(self._pending_ack, seq)

    def update_reading(self) -> None:
        """Read, unless all connections pause or drain, or a block is still to be processed."""
        if self._transport.is_closing():
            return
        if self._connections.draining or self._connections.paused or self._bad_block:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def stop_reading(self) -> None:
        """Stop reading, and process what was read."""
        self.update_reading()
        self._read_bad_block(None)

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def close(self) -> None:
        """Close the connection once all replies are sent; at once if the client does not read."""
        if self._writable:
            self._transport.close()
        else:
            self._transport.abort()

    # lines

    def _read(self, block: bytes) -> None:
        lines = decode_block(block)
        if lines is not None:
            self._take(lines, len(block))
        else:
            self._bad_block += block
            self._read_bad_block(_BAD_LINES_A_TURN)

    def _read_bad_block(self, most: int | None) -> None:
        """Read a block with a bad line, line by line; at most so many lines in one turn."""
        if not self._bad_block:
            return
        *rows, self._bad_block = self._bad_block.split(b"\n", -1 if most is None else most)
        lines: list[Line] = []
        size = 0
        for raw in rows:
            if raw.strip():
                try:
                    lines.append(decode_line(raw))
                except RejectedError as error:
                    self._take(lines, size)  # they may contain a hello
                    lines, size = [], 0
                    self._reject(error, raw)
                else:
                    size += len(raw)
        self._take(lines, size)
        self.update_reading()
        if self._bad_block and not self._transport.is_closing():
            asyncio.get_running_loop().call_soon(self._read_bad_block, _BAD_LINES_A_TURN)

    def _forget_parts(self) -> None:
        self._connections.shrank(self._size)
        self._parts, self._size = [], 0

    def _read_last(self, raw: bytes) -> None:
        """Submit a last line without a line feed if it is complete, else reject it."""
        try:
            line = decode_line(raw)
        except RejectedError:
            self._report(
                self._pipeline.reject(
                    RejectedError(Reason.INCOMPLETE_LINE, "the connection ended within a line"),
                    SOURCE,
                )
            )
        else:
            self._take([line], len(raw))

    def _take(self, lines: list[Line], size: int) -> None:
        # a single pass in C for the usual case: nothing but events
        events = [
            ln
            for ln in lines
            if ln.project_id is not None and ln.columns is None and ln.outcome is None
        ]
        outcomes: list[Line] = []
        if len(events) < len(lines):
            size = size // len(lines)
            rest = [line for line in lines if not self._take_special(line, size)]
            events = [line for line in rest if line.outcome is None]
            outcomes = [line for line in rest if line.outcome is not None]
            size *= len(events)
        if events:
            self._report(self._pipeline.submit_events(events, SOURCE, size))
        for line in outcomes:  # last, as their predictions may be among the events
            self._take_batch(line, 0)
        if self._pipeline.is_congested:
            self._connections.pause()

    def _take_special(self, line: Line, size: int) -> bool:
        """Process a line that is no event; return whether it was one of these."""
        if line.columns is not None or (line.outcome is not None and line.seq is not None):
            self._take_batch(line, size)
        elif line.project_id is not None:
            return False
        elif line.hello is not None:
            self._handle_hello(line.hello.client, line.hello.version)
        elif line.stats is not None:
            if line.stats.dropped:
                self._pipeline.report_dropped(line.stats.dropped, SOURCE)
        else:
            return False
        return True

    def _take_batch(self, line: Line, size: int) -> None:
        is_batch = line.columns is not None
        submit = self._pipeline.submit_batch if is_batch else self._pipeline.submit_outcomes
        receipt = submit(line, SOURCE, self._client, size)
        self._report(receipt, line.seq)
        self._acknowledge_known(line.seq)

    def _acknowledge_known(self, seq: int | None) -> None:
        """Note the number of a batch; acknowledge at once if it is committed already."""
        if self._client is not None and seq is not None:
            self._taken = max(self._taken, seq)
            durable = self._pipeline.last_committed(self._client)
            if seq <= durable:
                self.acknowledge(durable)

    def _handle_hello(self, client: str, version: int) -> None:
        wrong = None
        if version != PROTOCOL_VERSION:
            wrong = f"version {version}, expected {PROTOCOL_VERSION}"
        elif not is_name(client, _MAX_CLIENT):
            wrong = f"client must be 1 to {_MAX_CLIENT} printable characters"
        elif self._client not in (None, client):
            wrong = "this connection said hello with another client"
        if not self._writable:
            self.abort()  # it says hello repeatedly, and does not read the replies
        elif wrong is not None:
            self._write({"error": _error("bad_hello", wrong)})
        else:
            self._client = client
            self._connections.identify(self, client)
            self._write({"hello": {"last_seq": self._pipeline.last_committed(client)}})

    def _reject_overlong(self, end: bytes = b"") -> None:
        """Reject the incomplete line, or the whole one with its end."""
        error = RejectedError(Reason.LINE_TOO_LONG, f"a line of over {MAX_LINE_BYTES} bytes")
        self._reject(error, b"".join([*self._parts, end]), is_whole=bool(end))

    def _reject(self, error: RejectedError, raw: bytes, *, is_whole: bool = True) -> None:
        """Reject a line that cannot be decoded; if it is a numbered batch, acknowledge it."""
        seq = None if self._client is None else find_seq(raw, is_whole=is_whole)
        self._report(self._pipeline.reject(error, SOURCE, self._client, seq), seq)
        self._acknowledge_known(seq)

    def _report(self, receipt: Receipt, seq: int | None = None) -> None:
        """Send rejections and invalid values to a client that said hello."""
        if self._client is None:
            return
        replies = [_error(e.reason, str(e)) | {"rows": e.rows} for e in receipt.rejected]
        faults = [{"error": reply} for reply in replies]
        faults += [
            {"warning": {"reason": reason, "message": message[:300], "values": values}}
            for reason, message, values in receipt.invalid
        ]
        for fault in faults:
            if not self._writable:
                self._telemetry.count(t.REPLIES_DROPPED)
                continue
            if seq is not None:
                for body in fault.values():
                    body["seq"] = seq
            self._write(fault)

    def _write(self, reply: dict[str, Any]) -> None:
        if not self._transport.is_closing():
            self._transport.write(msgspec.json.encode(reply) + b"\n")


def _error(reason: str, message: str) -> dict[str, Any]:
    return {"reason": reason, "message": message[:300]}
