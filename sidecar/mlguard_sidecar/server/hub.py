"""All connections on the event socket, and what they share."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mlguard_sidecar.exposition import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlguard_sidecar.engine import Engine
    from mlguard_sidecar.exposition import Own
    from mlguard_sidecar.server.connection import Connection


class Hub:
    """All connections, and what they share.

    Attributes:
        connections: open ones.
        by_client: those that said hello.
        silent: those that never sent a whole line, the oldest first.
        unfinished: bytes of lines that wait for their ends, on all connections.
        draining: whether nothing new is taken.
    """

    def __init__(
        self, engine: Engine, own: Own, limit: Callable[[], int], wake: Callable[[], None]
    ) -> None:
        self.engine = engine
        self.own = own
        self.wake = wake
        self.connections: set[Connection] = set()
        self.by_client: defaultdict[str, set[Connection]] = defaultdict(set)
        self.silent: dict[Connection, None] = {}
        self.unfinished = 0
        self.draining = False
        self._limit = limit

    def admit(self, connection: Connection) -> bool:
        """Make room for a connection, by closing one that never said anything if need be."""
        if len(self.connections) >= self._limit():
            self.own.count(metrics.CONNECTIONS_REFUSED)
            oldest = next(iter(self.silent), None)
            if oldest is None:
                return False
            self.forget(oldest)
            oldest.abort()
        self.connections.add(connection)
        self.silent[connection] = None
        self.own.connections = len(self.connections)
        return True

    def forget(self, connection: Connection) -> None:
        """Count a connection no more."""
        self.connections.discard(connection)
        self.silent.pop(connection, None)
        self.own.connections = len(self.connections)

    def acknowledge(self, sequences: Mapping[str, int]) -> None:
        """Tell clients what is committed."""
        for client, last_seq in sequences.items():
            for connection in self.by_client.get(client, ()):
                connection.acknowledge(last_seq)

    def stop_reading(self) -> None:
        """Take nothing new, on any connection."""
        self.draining = True
        for connection in self.connections:
            connection.stop_reading()

    def close(self) -> None:
        """Close every connection once what was written to it is sent."""
        for connection in list(self.connections):
            connection.close()
