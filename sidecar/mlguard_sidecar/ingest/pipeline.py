"""The ingestion pipeline: decoded events or batches are validated, counted once and committed."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from mlguard_sidecar.ingest.receipt import Receipt
from mlguard_sidecar.wire import (
    InvalidValues,
    Positions,
    Reason,
    RejectedError,
    Rows,
    rows_of_batch,
    rows_of_events,
    rows_of_outcome,
    validate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mlguard_sidecar.committer import Committer
    from mlguard_sidecar.models import KeptAnswer, ModelRegistry
    from mlguard_sidecar.wire import Line, ModelKey


MAX_REJECTS = 100
"""Rejections that are kept for people."""

MAX_REJECT_TEXT = 300


class Reject(NamedTuple):
    """Rejected events, or invalid values, for people.

    Attributes:
        time: when they came, epoch seconds.
        source: protocol of the events.
        reason: reason under which they are counted.
        message: what was found and what is expected, cut.
        events: number of rejected events; 0 for invalid values.
        values: number of invalid values.
    """

    time: float
    source: str
    reason: str
    message: str
    events: int
    values: int


log = logging.getLogger(__name__)


def _internal(events: int) -> RejectedError:
    text = "an error in the sidecar, which is in its log"
    return RejectedError(Reason.INTERNAL, text, range(events))


class Pipeline:
    """Pipeline for events that a protocol has decoded.

    Args:
        registry: counts the events.
        committer: commits them.
        keep_seconds: maximum age of an event.
        clock: epoch seconds.

    Attributes:
        rejects: the last rejections and invalid values, the newest last.
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
        self.rejects: deque[Reject] = deque(maxlen=MAX_REJECTS)

    def submit_events(self, events: Sequence[Line], source: str, size: int = 0) -> Receipt:
        """Submit events of any models.

        Args:
            events: decoded lines without columns.
            source: protocol of the events, a value of the label `source`.
            size: size of the events on the wire, in bytes.
        """
        try:
            return self._submit_events(events, source, size)
        except Exception:  # a bug: it costs these events, and must be visible
            log.exception("%d events cannot be read", len(events))
            return self._receipt(0, [_internal(len(events))], [], source)

    def _submit_events(self, events: Sequence[Line], source: str, size: int) -> Receipt:
        now = self._clock()
        positions = Positions(events)
        groups, rejected, invalid = rows_of_events(events, positions, now)
        accepted, models = 0, set()
        for rows, part in groups:
            good = validate(rows, now, now - self._keep_seconds)
            if good.rejected:
                index = positions.of(part)
                rejected += [
                    RejectedError(f.reason, str(f), [index[i] for i in f.indices])
                    for f in good.rejected
                ]
            invalid += good.invalid
            accepted += len(good.rows)
            models |= self._add(good.rows, source, size * len(rows) // len(events))
        return self._receipt(accepted, rejected, invalid, source, models)

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
        assert batch.columns is not None  # noqa: S101 - checked by the caller
        if self._is_duplicate(source, client, batch.seq):
            return self._receipt(0, [], [], source, duplicate=True)
        now = self._clock()
        try:
            rows, invalid = rows_of_batch(batch, batch.columns, now)
            good = validate(rows, now, now - self._keep_seconds)
        except RejectedError as error:
            return self._receipt(0, [error], [], source)
        except Exception:  # a bug: it costs this batch, which must not be sent for ever
            log.exception("a batch cannot be read")
            return self._receipt(0, [_internal(max(batch.rows, 1))], [], source)
        models = self._add(good.rows, source, size)
        return self._receipt(len(good.rows), good.rejected, invalid + good.invalid, source, models)

    def submit_outcomes(
        self, line: Line, source: str, client: str | None = None, size: int = 0
    ) -> Receipt:
        """Submit outcomes; a line that was submitted before is not counted again.

        Args:
            line: a decoded line with an outcome, or with outcomes as columns.
            source: protocol of the line, a value of the label `source`.
            client: ID of the client that numbers its batches; None if it has not said hello.
            size: size of the line on the wire, in bytes.
        """
        assert line.outcome is not None  # noqa: S101 - checked by the caller
        if self._is_duplicate(source, client, line.seq):
            return self._receipt(0, [], [], source, duplicate=True)
        try:
            found = rows_of_outcome(line, line.outcome)
        except RejectedError as error:
            return self._receipt(0, [error], [], source)
        except Exception:  # a bug: it costs this line, which must not be sent for ever
            log.exception("outcomes cannot be read")
            return self._receipt(0, [_internal(max(line.rows, 1))], [], source)
        rejected = list(found.rejected)
        if not found.rows:
            return self._receipt(0, rejected, [], source)
        if not self._registry.add_outcomes(found.key, found.rows, source, size):
            text = f"found no model {'/'.join(found.key)}, and no y_pred in the outcome"
            rejected.append(RejectedError(Reason.UNKNOWN_MODEL, text, range(len(found.rows))))
            return self._receipt(0, rejected, [], source)
        return self._receipt(len(found.rows), rejected, [], source, {found.key})

    def reject(
        self,
        error: RejectedError,
        source: str,
        client: str | None = None,
        seq: int | None = None,
    ) -> Receipt:
        """Count a line that could not be decoded; a batch of a client once only.

        Args:
            error: why it is rejected.
            source: protocol of the line, a value of the label `source`.
            client: ID of the client that numbers its batches; None if it has not said hello.
            seq: number of the batch; None if it is not known.
        """
        if self._is_duplicate(source, client, seq):
            return self._receipt(0, [], [], source, duplicate=True)
        return self._receipt(0, [error], [], source)

    def _keep(
        self, source: str, reason: str, message: str, *, events: int = 0, values: int = 0
    ) -> None:
        text = message[:MAX_REJECT_TEXT]
        self.rejects.append(Reject(self._clock(), source, reason, text, events, values))

    def note(self, source: str, reason: str, message: str) -> None:
        """Keep for people why something was dropped that is counted elsewhere."""
        self._keep(source, reason, message)

    def _is_duplicate(self, source: str, client: str | None, seq: int | None) -> bool:
        """Return whether a batch was submitted before; counts it then, else records its number."""
        if client is None or seq is None or self._registry.is_new(client, seq):
            return False
        self._registry.count(1, "duplicate_batches", source)
        return True

    def keep_answer(self, answer: KeptAnswer) -> None:
        """Keep an answer with the events that were submitted since the last commit."""
        self._registry.keep_answer(answer)
        self._committer.notify()

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
        invalid: list[InvalidValues],
        source: str,
        models: Collection[ModelKey] = (),
        *,
        duplicate: bool = False,
    ) -> Receipt:
        for error in rejected:
            self._registry.count(error.rows, "events_rejected", source, error.reason)
            self._keep(source, error.reason, str(error), events=error.rows)
        for reason, message, values in invalid:
            self._registry.count(values, "invalid_values", source, reason)
            self._keep(source, reason, message, values=values)
        self._committer.notify()
        delta = self._registry.delta_number
        return Receipt(
            accepted, rejected, invalid, frozenset(models), delta, self._committer, duplicate
        )
