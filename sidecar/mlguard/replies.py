"""What the sidecar replies: acknowledgements, rejections, and warnings."""

import json
import time
from collections.abc import Mapping
from typing import Any

from mlguard import advice
from mlguard.counters import Counters
from mlguard.unacked_batches import Batch, UnackedBatches

MAX_REASON_LENGTH = 64
MAX_MESSAGE_LENGTH = 500


def handle_reply(reply: Mapping[str, Any], batches: UnackedBatches, counters: Counters) -> bool:
    """Note what a reply says; the first of each reason is logged.

    Returns:
        Whether it acknowledged batches that were sent.
    """
    if "error" in reply:
        _handle_error(_details(reply["error"]), batches, counters)
    if "warning" in reply:
        _handle_warning(_details(reply["warning"]), counters)
    seq = _count(reply.get("ack"))
    return seq is not None and batches.acknowledge(seq)


def _handle_error(error: Mapping[str, Any], batches: UnackedBatches, counters: Counters) -> None:
    """Note that events of a batch are not counted; without a number it concerns no batch."""
    reason, message = _text(error, "reason"), _text(error, "message")
    seq = _count(error.get("seq"))
    batch = None if seq is None else batches.find(seq)
    if batch is not None:
        rows = _count(error.get("rows"))
        batches.reject(batch, reason, batch.events if rows is None else rows)

    def explain() -> str:
        times = [] if batch is None else _times(batch)
        return advice.explain_rejection(reason, message, times, time.time())

    counters.log.warn_once(("rejected", reason), explain)


def _handle_warning(warning: Mapping[str, Any], counters: Counters) -> None:
    """Log that the sidecar counted values as invalid; their events count."""
    reason, message = _text(warning, "reason"), _text(warning, "message")
    values = _count(warning.get("values"))
    text = advice.explain_invalid_values(reason, message, values)
    counters.log.warn_once(("warning", reason), text)


def _details(value: Any) -> Mapping[str, Any]:
    """Return what is said about an error or a warning, in whatever form it is said."""
    return value if isinstance(value, dict) else {"message": str(value)}


def _text(details: Mapping[str, Any], key: str) -> str:
    limit = MAX_REASON_LENGTH if key == "reason" else MAX_MESSAGE_LENGTH
    return str(details.get(key) or "unknown")[:limit]


def _count(value: Any) -> int | None:
    """Return an integer of at least 0; None for anything else."""
    return value if type(value) is int and value >= 0 else None


def _times(batch: Batch) -> list[float]:
    """Return the timestamps of a batch, in epoch seconds; outcomes have none."""
    times: list[float] = json.loads(batch.line).get("columns", {}).get("timestamp", [])
    return times
