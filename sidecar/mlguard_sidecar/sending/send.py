"""Sending of streams over either transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mlguard_sidecar.sending.lines import numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlguard_sidecar.sending.lines import LineStream, NumberedLine
    from mlguard_sidecar.sending.summary import Summary


class Transport(Protocol):
    """A way to a sidecar; every method may raise SendError."""

    def resume(self, stream: LineStream) -> int:
        """Return how many lines of a stream the sidecar has."""

    def send(self, lines: Sequence[NumberedLine]) -> None:
        """Send lines."""

    def finish(self) -> None:
        """Wait until all lines are stored."""


def send_stream(
    stream: LineStream,
    transport: Transport,
    summary: Summary,
    on_progress: Callable[[float], None],
) -> None:
    """Send the lines of a stream that the sidecar does not have, and wait until they are stored.

    Args:
        stream: the lines.
        transport: the way to the sidecar.
        summary: what became of them is added to it.
        on_progress: is called with the share that was sent.

    Raises:
        SendError: sending cannot go on.
    """
    before = transport.resume(stream)
    summary.sent_before += before
    for lines, block in numbered(stream):
        rest = lines[max(0, before - lines[0].position + 1) :] if lines else lines
        transport.send(rest)
        for refusal in block.refused:
            summary.sent += refusal.events
            summary.refuse(*refusal)
        on_progress(block.progress)
    transport.finish()
