"""Metrics of the sidecar itself."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate, product
from typing import TYPE_CHECKING, Literal, get_args

from mlguard_common.metrics import Families, MetricDefinition
from mlguard_sidecar.wire import REJECTION_REASONS, VALUE_REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from mlguard_sidecar.models import Counters


def _definition(
    name: str, kind: Literal["counter", "gauge", "histogram"], text: str, *labels: str
) -> MetricDefinition:
    return MetricDefinition(f"mlguard_{name}", kind, text, labels)


RECEIVED = _definition(
    "sidecar_events_received_total",
    "counter",
    "Events received, by source; always the sum of committed, rejected and pending events.",
    "source",
)
COMMITTED = _definition(
    "sidecar_events_committed_total",
    "counter",
    "Events counted and stored in the database, by source.",
    "source",
)
REJECTED = _definition(
    "sidecar_events_rejected_total",
    "counter",
    "Events rejected and not counted, by source and reason.",
    "source",
    "reason",
)
INVALID_VALUES = _definition(
    "sidecar_invalid_values_total",
    "counter",
    "Values without a meaning in events that are counted otherwise, by source and reason.",
    "source",
    "reason",
)
PENDING = _definition(
    "sidecar_events_pending",
    "gauge",
    "Events whose commit failed and is being retried; 0 while commits succeed.",
    "source",
)
DUPLICATES = _definition(
    "sidecar_duplicate_batches_total",
    "counter",
    "Batches that clients sent again and that were not counted again.",
    "source",
)
CLIENT_DROPPED = _definition(
    "sidecar_client_dropped_events_total",
    "counter",
    "Events that clients reported as dropped before they were sent.",
    "source",
)
OVERFLOW = _definition(
    "sidecar_series_overflow_total",
    "counter",
    "Values beyond the limits on models, features or classes, pooled as __other__ or left out.",
    "metric",
)
MODELS_RETIRED = _definition(
    "sidecar_models_retired_total",
    "counter",
    "Models that gave their place to another one, after at least a day without events.",
)
MODELS_FORGOTTEN = _definition(
    "sidecar_models_forgotten_total",
    "counter",
    "Models that were deleted, as their last events are older than the retention.",
)
OUTCOME_IDS_DROPPED = _definition(
    "sidecar_outcome_ids_dropped_total",
    "counter",
    "Predictions with an ID that are not kept for outcomes any more, by reason.",
    "reason",
)
COMMIT_SECONDS = _definition(
    "sidecar_commit_seconds", "histogram", "Duration of successful commits, in seconds."
)
STORE_BYTES = _definition(
    "sidecar_store_bytes", "gauge", "Size of the used part of the database, in bytes."
)
STORE_ERRORS = _definition(
    "sidecar_store_errors_total", "counter", "Commits and reads of the database that failed."
)
CONNECTIONS = _definition("sidecar_connections", "gauge", "Open connections on the event socket.")
CONNECTIONS_REFUSED = _definition(
    "sidecar_connections_refused_total",
    "counter",
    "Connections beyond limits.connections; each was closed, or one that had sent nothing.",
)
REQUESTS_REFUSED = _definition(
    "sidecar_requests_refused_total",
    "counter",
    "Requests with events over HTTP that were refused as a whole, by reason.",
    "source",
    "reason",
)
CLOUDEVENTS = _definition(
    "sidecar_cloudevents_total",
    "counter",
    "CloudEvents by result: joined to an inference, or the reason for which one was dropped.",
    "result",
)
CLOUDEVENTS_PENDING = _definition(
    "sidecar_cloudevents_pending",
    "gauge",
    "CloudEvents that are queued, or wait for the response or request of the same inference.",
)
REPLIES_DROPPED = _definition(
    "sidecar_replies_dropped_total",
    "counter",
    "Error replies dropped because the client does not read.",
)
STORE_RECREATED = _definition(
    "sidecar_store_recreated_total",
    "counter",
    "Damaged databases that were moved aside at the start and replaced by an empty one.",
)
PANES_DROPPED = _definition(
    "sidecar_panes_dropped_total",
    "counter",
    "Stored histograms that could not be read and were deleted.",
)
STATISTICS_ERRORS = _definition(
    "sidecar_statistics_errors_total",
    "counter",
    "Figures of a model that could not be computed and were left out; the reason is in the log.",
)
BASELINE_FILE_ERRORS = _definition(
    "sidecar_baseline_file_errors_total",
    "counter",
    "Changes of baseline files, and of their folder, after which they could not be used.",
)
SOCKET_RECREATED = _definition(
    "sidecar_socket_recreated_total",
    "counter",
    "Socket files that were deleted by another process and created again.",
)

METRICS = (
    RECEIVED,
    COMMITTED,
    REJECTED,
    INVALID_VALUES,
    PENDING,
    DUPLICATES,
    CLIENT_DROPPED,
    OVERFLOW,
    MODELS_RETIRED,
    MODELS_FORGOTTEN,
    OUTCOME_IDS_DROPPED,
    COMMIT_SECONDS,
    STORE_BYTES,
    STORE_ERRORS,
    CONNECTIONS,
    CONNECTIONS_REFUSED,
    REQUESTS_REFUSED,
    CLOUDEVENTS,
    CLOUDEVENTS_PENDING,
    REPLIES_DROPPED,
    STORE_RECREATED,
    PANES_DROPPED,
    STATISTICS_ERRORS,
    BASELINE_FILE_ERRORS,
    SOCKET_RECREATED,
)
"""All metrics of the sidecar itself, in the order of exposition."""

SOURCES = ("socket", "http", "cloudevents")
DropReason = Literal[
    "duplicate",
    "forbidden_project",
    "no_request",
    "no_response",
    "queue_full",
    "too_large",
    "unauthorized",
    "uneven",
    "unnamed",
    "unparsable",
    "unsupported",
]
"""Why a CloudEvent is not counted."""

CLOUDEVENT_RESULTS = tuple(sorted((*get_args(DropReason), "joined")))
"""What can become of a CloudEvent."""

REFUSAL_REASONS = (
    "bad_body",
    "bad_content_type",
    "bad_encoding",
    "bad_gzip",
    "bad_idempotency_key",
    "incomplete_body",
    "internal",
    "not_ready",
    "not_stored",
    "other_body",
    "too_large",
    "too_many_bytes",
    "too_slow",
)
"""Reasons for which a request with events is refused as a whole."""

_COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_COMMITTED_COUNTERS = (
    (COMMITTED, "events_committed", tuple(product(SOURCES))),
    (REJECTED, "events_rejected", tuple(product(SOURCES, REJECTION_REASONS))),
    (INVALID_VALUES, "invalid_values", tuple(product(SOURCES, VALUE_REASONS))),
    (DUPLICATES, "duplicate_batches", tuple(product(SOURCES))),
    (CLIENT_DROPPED, "client_dropped_events", tuple(product(SOURCES))),
    (OVERFLOW, "series_overflow", (("feature",), ("model",), ("prediction",))),
    (MODELS_RETIRED, "models_retired", ((),)),
    (MODELS_FORGOTTEN, "models_forgotten", ((),)),
    (
        OUTCOME_IDS_DROPPED,
        "outcome_ids_dropped",
        (("expired",), ("full",), ("repeated",), ("store_full",), ("used",)),
    ),
)


class Telemetry:
    """Collector of the metrics of the sidecar itself.

    The counts of events survive restarts, as they are committed with the events. The others start
    at 0.

    Args:
        counters: the committed counts.

    Attributes:
        connections: number of open connections.
        store_bytes: size of the database, in bytes.
        panes_dropped: returns the number of stored panes that were unreadable.
        cloudevents_pending: returns the number of CloudEvents that wait.
        pending: returns source -> events whose commit failed; called for each scrape.
    """

    def __init__(self, counters: Counters) -> None:
        self.connections = 0
        self.store_bytes = 0
        self.panes_dropped: Callable[[], int] = int
        self.cloudevents_pending: Callable[[], int] = int
        self.pending: Callable[[], Counter[str]] = Counter
        self._counters = counters
        self._refused: Counter[tuple[str, str]] = Counter(
            dict.fromkeys(product(("http",), REFUSAL_REASONS), 0)
        )
        self._cloudevents = Counter(dict.fromkeys(CLOUDEVENT_RESULTS, 0))
        self._commits = [0] * (len(_COMMIT_BUCKETS) + 1)
        self._commit_seconds = 0.0
        self._counts = Counter(
            dict.fromkeys(
                (
                    STORE_ERRORS,
                    STATISTICS_ERRORS,
                    STORE_RECREATED,
                    BASELINE_FILE_ERRORS,
                    SOCKET_RECREATED,
                    CONNECTIONS_REFUSED,
                    REPLIES_DROPPED,
                ),
                0,
            )
        )

    def count(self, metric: MetricDefinition) -> None:
        """Increment a counter by 1."""
        self._counts[metric] += 1

    def count_refused(self, source: str, reason: str) -> None:
        """Count a request that was refused as a whole."""
        self._refused[source, reason] += 1

    def count_cloudevents(self, result: str, n: int = 1) -> None:
        """Count CloudEvents of which it is known what became of them."""
        self._cloudevents[result] += n

    def observe_commit(self, seconds: float) -> None:
        """Record the duration of a commit."""
        self._commits[bisect_left(_COMMIT_BUCKETS, seconds)] += 1
        self._commit_seconds += seconds

    def total(self, name: str) -> int:
        """Return the sum of a committed counter over its labels; named as in `Counters`."""
        return sum(n for _, n in self._counters.of(name))

    @property
    def store_errors(self) -> int:
        """Commits and reads of the database that failed."""
        return self._counts[STORE_ERRORS]

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        families = Families(METRICS)
        pending = self.pending()
        received = Counter(pending)
        for name in ("events_committed", "events_rejected"):
            for (source, *_), n in self._counters.of(name):
                received[source] += n
        for source in SOURCES:
            families.add(RECEIVED, (source,), received[source])
            families.add(PENDING, (source,), pending[source])
        for metric, name, known in _COMMITTED_COUNTERS:
            # at 0 from the start, so that the first increase is visible
            counts = dict.fromkeys(known, 0) | dict(self._counters.of(name))
            for labels, n in sorted(counts.items()):
                families.add(metric, labels, n)
        cumulative = list(accumulate(self._commits))
        families.add_histogram(
            COMMIT_SECONDS, (), _COMMIT_BUCKETS, cumulative, self._commit_seconds
        )
        families.add(STORE_BYTES, (), self.store_bytes)
        families.add(PANES_DROPPED, (), self.panes_dropped())
        families.add(CONNECTIONS, (), self.connections)
        for labels, n in sorted(self._refused.items()):
            families.add(REQUESTS_REFUSED, labels, n)
        for result, n in sorted(self._cloudevents.items()):
            families.add(CLOUDEVENTS, (result,), n)
        families.add(CLOUDEVENTS_PENDING, (), self.cloudevents_pending())
        for metric, n in self._counts.items():
            families.add(metric, (), n)
        yield from families
