"""The ingestion pipeline: decoded events or batches are validated, counted once and committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.ingest.receipt import Receipt
from mlguard_sidecar.wire import (
    Positions,
    RejectedError,
    Rows,
    rows_of_batch,
    rows_of_events,
    validate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mlguard_sidecar.committer import Committer
    from mlguard_sidecar.models import ModelRegistry
    from mlguard_sidecar.wire import Line, ModelKey


class Pipeline:
    """Pipeline for events that a protocol has decoded.

    Args:
        registry: counts the events.
        committer: commits them.
        keep_seconds: maximum age of an event.
        clock: epoch seconds.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        committer: Committer,
        keep_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._committer = committer
        self._keep_seconds = keep_seconds
        self._clock = clock

    def submit_events(self, events: Sequence[Line], source: str, size: int = 0) -> Receipt:
        """Submit events of any models.

        Args:
            events: decoded lines without columns.
            source: protocol of the events, a value of the label `source`.
            size: size of the events on the wire, in bytes.
        """
        now = self._clock()
        positions = Positions(events)
        groups, rejected = rows_of_events(events, positions, now)
        accepted, models = 0, set()
        for rows, part in groups:
            good, faults = validate(rows, now, now - self._keep_seconds)
            if faults:
                index = positions.of(part)
                rejected += [
                    RejectedError(f.reason, str(f), [index[i] for i in f.indices]) for f in faults
                ]
            accepted += len(good)
            models |= self._add(good, source, size * len(rows) // len(events))
        return self._receipt(accepted, rejected, source, models)

    def submit_batch(
        self, batch: Line, source: str, client: str | None = None, size: int = 0
    ) -> Receipt:
        """Submit a batch; a batch that was submitted before is not counted again.

        Args:
            batch: a decoded line with columns.
            source: protocol of the batch, a value of the label `source`.
            client: ID of the client that numbers its batches; None if it has not said hello.
            size: size of the batch on the wire, in bytes.
        """
        is_new = self._registry.is_new
        assert batch.columns is not None  # noqa: S101 - checked by the caller
        if client is not None and batch.seq is not None and not is_new(client, batch.seq):
            self._registry.count(1, "duplicate_batches", source)
            return self._receipt(0, [], source, duplicate=True)
        now = self._clock()
        try:
            rows = rows_of_batch(batch, batch.columns, now)
        except RejectedError as error:
            return self._receipt(0, [error], source)
        good, rejected = validate(rows, now, now - self._keep_seconds) if len(rows) else (rows, [])
        return self._receipt(len(good), rejected, source, self._add(good, source, size))

    def reject(self, error: RejectedError, source: str) -> None:
        """Count a line that could not be decoded."""
        self._receipt(0, [error], source)

    def report_dropped(self, n: int, source: str) -> None:
        """Count events that a client reports as dropped."""
        self._registry.count(n, "client_dropped_events", source)
        self._committer.notify()

    @property
    def is_congested(self) -> bool:
        """Whether to read more only after the next commit."""
        return self._registry.is_congested

    def last_committed(self, client: str) -> int:
        """Return the number of a client's last committed batch, 0 before the first."""
        return self._registry.last_committed.get(client, 0)

    def _add(self, rows: Rows, source: str, size: int) -> set[ModelKey]:
        """Count rows; the model that they count for, if there are any."""
        return {self._registry.add(rows, source, size)} if len(rows) else set()

    def _receipt(
        self,
        accepted: int,
        rejected: list[RejectedError],
        source: str,
        models: Collection[ModelKey] = (),
        *,
        duplicate: bool = False,
    ) -> Receipt:
        for error in rejected:
            self._registry.count(error.rows, "events_rejected", source, error.reason)
        self._committer.notify()
        delta = self._registry.delta_number
        return Receipt(accepted, rejected, frozenset(models), delta, self._committer, duplicate)
