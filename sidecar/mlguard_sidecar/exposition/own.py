"""The sidecar's figures of itself."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate, product
from typing import TYPE_CHECKING

from mlguard_common.metrics import Families
from mlguard_sidecar.exposition import metrics as m
from mlguard_sidecar.wire import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from mlguard_common.metrics import MetricDefinition
    from mlguard_sidecar.engine import Tally

SOURCES = ("socket",)
_COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_TALLIED = (
    (m.COMMITTED, "events_committed", tuple(product(SOURCES))),
    (m.REJECTED, "events_rejected", tuple(product(SOURCES, Reason))),
    (m.DUPLICATES, "duplicate_batches", tuple(product(SOURCES))),
    (m.CLIENT_DROPPED, "client_dropped_events", tuple(product(SOURCES))),
    (m.OVERFLOW, "series_overflow", (("feature",), ("model",), ("prediction",))),
)


class Own:
    """What the sidecar tells of itself (a Collector).

    The counts of events survive restarts, as they commit with the events; the others begin anew.

    Args:
        tally: committed counts.
        pending: source -> events whose commit failed, asked for at each scrape.

    Attributes:
        connections: open ones.
        store_bytes: size of the database.
    """

    def __init__(self, tally: Tally, pending: Callable[[], Counter[str]]) -> None:
        self.connections = 0
        self.store_bytes = 0
        self._tally = tally
        self._pending = pending
        self._commits = [0] * (len(_COMMIT_BUCKETS) + 1)
        self._commit_seconds = 0.0
        self._counts: Counter[tuple[MetricDefinition, tuple[str, ...]]] = Counter(
            {
                (m.STORE_ERRORS, ()): 0,
                (m.CONNECTIONS_REFUSED, ()): 0,
                (m.REPLIES_DROPPED, ()): 0,
            }
        )

    def count(self, metric: MetricDefinition, *labels: str) -> None:
        """Count one more."""
        self._counts[metric, labels] += 1

    def observe_commit(self, seconds: float) -> None:
        """Count a commit that took so long."""
        self._commits[bisect_left(_COMMIT_BUCKETS, seconds)] += 1
        self._commit_seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """Yield every figure."""
        families = Families(m.METRICS)
        pending = self._pending()
        received = Counter(pending)
        for name in ("events_committed", "events_rejected"):
            for (source, *_), n in self._tally.of(name):
                received[source] += n
        for source in SOURCES:
            families.add(m.RECEIVED, (source,), received[source])
            families.add(m.PENDING, (source,), pending[source])
        for metric, name, known in _TALLIED:
            # at 0 from the start, so that a first increase is seen as one
            counts = dict.fromkeys(known, 0) | dict(self._tally.of(name))
            for labels, n in sorted(counts.items()):
                families.add(metric, labels, n)
        cumulative = list(accumulate(self._commits))
        families.add_histogram(
            m.COMMIT_SECONDS, (), _COMMIT_BUCKETS, cumulative, self._commit_seconds
        )
        families.add(m.STORE_BYTES, (), self.store_bytes)
        families.add(m.CONNECTIONS, (), self.connections)
        for (metric, labels), n in self._counts.items():
            families.add(metric, labels, n)
        yield from families
