"""The sidecar's figures of itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import Histogram, disable_created_metrics
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

import mlguard
from mlguard_sidecar.exposition import metrics as m

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric as Family

    from mlguard_sidecar.engine import Tally

disable_created_metrics()  # series that nobody asked for

SOURCES = ("socket",)
_COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Own:
    """What the sidecar tells of itself (a prometheus_client collector).

    The counts of events survive restarts, as they commit with the events; the others begin anew.

    Attributes:
        tally: committed counts.
        pending: source -> events whose commit failed, asked for at each scrape.
        counts: (metric, label values) -> count since the start.
        connections: open ones.
        store_bytes: size of the database.
        commit_seconds: times of commits.
    """

    def __init__(self, tally: Tally, pending: Callable[[], Counter[str]]) -> None:
        self.tally = tally
        self.pending = pending
        self.counts: Counter[tuple[m.Metric, tuple[str, ...]]] = Counter(
            {
                (m.STORE_ERRORS, ()): 0,
                (m.CONNECTIONS_REFUSED, ()): 0,
                (m.REPLIES_DROPPED, ()): 0,
                (m.RELOADS, ("success",)): 0,
                (m.RELOADS, ("failure",)): 0,
            }
        )
        self.connections = 0
        self.store_bytes = 0
        self.commit_seconds = Histogram(
            m.COMMIT_SECONDS.name, m.COMMIT_SECONDS.help, buckets=_COMMIT_BUCKETS, registry=None
        )

    def count(self, metric: m.Metric, *labels: str) -> None:
        """Count one more."""
        self.counts[metric, labels] += 1

    def collect(self) -> Iterator[Family]:
        """Every family."""
        pending = self.pending()
        received = Counter(pending)
        for name in ("events_committed", "events_rejected"):
            for (source, *_), n in self.tally.of(name):
                received[source] += n
        yield _counter(m.RECEIVED, {(s,): received[s] for s in SOURCES})
        yield self._tallied(m.COMMITTED, "events_committed", {(s,): 0 for s in SOURCES})
        yield self._tallied(m.REJECTED, "events_rejected")
        yield _gauge(m.PENDING, {(s,): pending[s] for s in SOURCES})
        yield self._tallied(m.DUPLICATES, "duplicate_batches", {(s,): 0 for s in SOURCES})
        yield self._tallied(m.CLIENT_DROPPED, "client_dropped_events", {(s,): 0 for s in SOURCES})
        limited: dict[tuple[str, ...], float] = {("model",): 0, ("feature",): 0}
        yield self._tallied(m.OVERFLOW, "series_overflow", limited)
        yield from self.commit_seconds.collect()
        yield _gauge(m.STORE_BYTES, {(): self.store_bytes})
        for metric in (m.STORE_ERRORS, m.CONNECTIONS_REFUSED, m.REPLIES_DROPPED, m.RELOADS):
            own = {labels: n for (name, labels), n in self.counts.items() if name is metric}
            yield _counter(metric, own)
        yield _gauge(m.CONNECTIONS, {(): self.connections})
        yield _gauge(m.BUILD_INFO, {(mlguard.__version__, "sidecar"): 1})

    def _tallied(
        self, metric: m.Metric, name: str, known: dict[tuple[str, ...], float] | None = None
    ) -> Family:
        return _counter(metric, (known or {}) | dict(self.tally.of(name)))


def _counter(metric: m.Metric, samples: dict[tuple[str, ...], float]) -> Family:
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in sorted(samples.items()):
        family.add_metric(labels, value)
    return family


def _gauge(metric: m.Metric, samples: dict[tuple[str, ...], float]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in sorted(samples.items()):
        family.add_metric(labels, value)
    return family
