"""All connections on the event socket, and their shared limits."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from mlguard_sidecar import telemetry as t

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlguard_sidecar.telemetry import Telemetry

_MAX_UNFINISHED = 16 << 20
"""Maximum bytes of incomplete lines, over all connections."""


class Peer(Protocol):
    """Connection, as `Connections` uses it."""

    @property
    def unfinished(self) -> int:
        """Bytes of the incomplete line."""

    def acknowledge(self, seq: int) -> None:
        """Acknowledge all batches up to a number."""

    def discard_partial_line(self) -> None:
        """Reject the incomplete line."""

    def update_reading(self) -> None:
        """Read, unless all connections are paused or draining."""

    def stop_reading(self) -> None:
        """Stop reading."""

    def close(self) -> None:
        """Close the connection once all replies are sent."""

    def abort(self) -> None:
        """Close the connection at once."""


class Connections:
    """All open connections.

    Args:
        telemetry: counts connections.
        limit: returns the maximum number of connections.

    Attributes:
        draining: whether reading has stopped for good.
        paused: whether reading is paused until the next commit.
    """

    def __init__(self, telemetry: Telemetry, limit: Callable[[], int]) -> None:
        self.draining = False
        self.paused = False
        self._telemetry = telemetry
        self._limit = limit
        self._open: set[Peer] = set()
        self._by_client: defaultdict[str, set[Peer]] = defaultdict(set)
        self._silent: dict[Peer, None] = {}  # have sent no complete line; the oldest first
        self._unfinished = 0

    def admit(self, peer: Peer) -> bool:
        """Add a connection; at the limit, close the oldest one that has sent nothing.

        Returns:
            Whether there is room for it.
        """
        if len(self._open) >= self._limit():
            self._telemetry.count(t.CONNECTIONS_REFUSED)
            oldest = next(iter(self._silent), None)
            if oldest is None:
                return False
            self.forget(oldest)
            oldest.abort()
        self._open.add(peer)
        self._silent[peer] = None
        self._telemetry.connections = len(self._open)
        return True

    def forget(self, peer: Peer, client: str | None = None) -> None:
        """Remove a connection."""
        self._open.discard(peer)
        self._silent.pop(peer, None)
        self._telemetry.connections = len(self._open)
        if client is not None:
            peers = self._by_client[client]
            peers.discard(peer)
            if not peers:
                del self._by_client[client]

    def identify(self, peer: Peer, client: str) -> None:
        """Record the client of a connection."""
        self._by_client[client].add(peer)

    def heard_from(self, peer: Peer) -> None:
        """Record that a connection has sent a complete line."""
        self._silent.pop(peer, None)

    def grew(self, size: int) -> None:
        """Add bytes of incomplete lines; beyond the limit, the longest line is rejected."""
        self._unfinished += size
        if self._unfinished > _MAX_UNFINISHED:
            max(self._open, key=lambda peer: peer.unfinished).discard_partial_line()

    def shrank(self, size: int) -> None:
        """Subtract bytes of lines that are complete or rejected."""
        self._unfinished -= size

    def clients(self) -> list[str]:
        """Return the clients that are connected."""
        return list(self._by_client)

    def acknowledge(self, sequences: Mapping[str, int]) -> None:
        """Send acknowledgements, and resume reading if it was paused.

        Args:
            sequences: client -> number of its last committed batch.
        """
        if self.paused and not self.draining:
            self.paused = False
            for peer in list(self._open):
                peer.update_reading()
        for client, last_seq in sequences.items():
            for peer in list(self._by_client.get(client, ())):
                peer.acknowledge(last_seq)

    def pause(self) -> None:
        """Pause reading on all connections until the next commit."""
        self.paused = True
        for peer in list(self._open):
            peer.update_reading()

    def stop_reading(self) -> None:
        """Stop reading on all connections."""
        self.draining = True
        for peer in list(self._open):
            peer.stop_reading()

    def close(self) -> None:
        """Close each connection once its replies are sent."""
        for peer in list(self._open):
            peer.close()
