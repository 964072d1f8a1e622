"""All connections on the event socket, and what they share."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from mlguard_sidecar import telemetry as t

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlguard_sidecar.telemetry import Telemetry

_MAX_UNFINISHED = 16 << 20
"""Bytes of lines that wait for their ends, on all connections."""


class Peer(Protocol):
    """A connection, as the others know it."""

    @property
    def unfinished(self) -> int:
        """Bytes of the line that waits for its end."""

    def acknowledge(self, seq: int) -> None:
        """Say that everything up to a batch is committed."""

    def discard_partial_line(self) -> None:
        """Reject the line that waits for its end."""

    def update_reading(self) -> None:
        """Read on, or not, as all connections do."""

    def stop_reading(self) -> None:
        """Take nothing new."""

    def close(self) -> None:
        """Close, once what was written is sent."""

    def abort(self) -> None:
        """Close at once."""


class Connections:
    """All open connections.

    Args:
        telemetry: counts them.
        limit: how many there may be.

    Attributes:
        draining: whether nothing new is taken.
        paused: whether nothing more is taken before the next commit.
    """

    def __init__(self, telemetry: Telemetry, limit: Callable[[], int]) -> None:
        self.draining = False
        self.paused = False
        self._telemetry = telemetry
        self._limit = limit
        self._open: set[Peer] = set()
        self._by_client: defaultdict[str, set[Peer]] = defaultdict(set)
        self._silent: dict[Peer, None] = {}  # never sent a whole line; the oldest first
        self._unfinished = 0

    def admit(self, peer: Peer) -> bool:
        """Make room for a connection, by closing one that never said anything if need be."""
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
        """Count a connection no more."""
        self._open.discard(peer)
        self._silent.pop(peer, None)
        self._telemetry.connections = len(self._open)
        if client is not None:
            peers = self._by_client[client]
            peers.discard(peer)
            if not peers:
                del self._by_client[client]

    def identify(self, peer: Peer, client: str) -> None:
        """Note whose connection it is."""
        self._by_client[client].add(peer)

    def heard_from(self, peer: Peer) -> None:
        """Note that a connection sent a whole line."""
        self._silent.pop(peer, None)

    def grew(self, size: int) -> None:
        """Count bytes of lines without an end; beyond the limit the longest is given up."""
        self._unfinished += size
        if self._unfinished > _MAX_UNFINISHED:
            max(self._open, key=lambda peer: peer.unfinished).discard_partial_line()

    def shrank(self, size: int) -> None:
        """Count bytes no more whose end has come, or that were given up."""
        self._unfinished -= size

    def clients(self) -> list[str]:
        """Return the clients that are connected."""
        return list(self._by_client)

    def acknowledge(self, sequences: Mapping[str, int]) -> None:
        """Pass on to clients what is committed, and take more where that was paused."""
        if self.paused and not self.draining:
            self.paused = False
            for peer in list(self._open):
                peer.update_reading()
        for client, last_seq in sequences.items():
            for peer in list(self._by_client.get(client, ())):
                peer.acknowledge(last_seq)

    def pause(self) -> None:
        """Take nothing more before the next commit, on any connection."""
        self.paused = True
        for peer in list(self._open):
            peer.update_reading()

    def stop_reading(self) -> None:
        """Take nothing new, on any connection."""
        self.draining = True
        for peer in list(self._open):
            peer.stop_reading()

    def close(self) -> None:
        """Close every connection once what was written to it is sent."""
        for peer in list(self._open):
            peer.close()
