"""Rows that wait until they are folded together."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlguard_sidecar.wire import ModelKey, Rows

MAX_WAITING_VALUES = 1 << 16
"""Number of values that may wait, as Python objects, before they are folded."""

MAX_WAITING_BYTES = 4 << 20
"""Size of waiting rows on the wire, in bytes, from which they are folded."""


class WaitingRows:
    """Rows by model, in the order of their arrival, with the source of each part."""

    def __init__(self) -> None:
        self._parts: defaultdict[ModelKey, list[tuple[Rows, str]]] = defaultdict(list)
        self._values = 0
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether the rows should be folded."""
        return self._values > MAX_WAITING_VALUES or self._bytes > MAX_WAITING_BYTES

    def add(self, rows: Rows, source: str, columns: int, size: int) -> None:
        """Add rows of one model.

        Args:
            rows: the rows.
            source: protocol of the rows.
            columns: number of columns of the model.
            size: size of the rows on the wire, in bytes.
        """
        self._parts[rows.key].append((rows, source))
        self._values += len(rows) * (4 + columns)
        self._bytes += size

    def take(self) -> Iterator[tuple[ModelKey, list[tuple[Rows, str]]]]:
        """Yield each model and its parts; they do not wait any more."""
        while self._parts:
            key = next(iter(self._parts))
            yield key, self._parts.pop(key)
        self._values = self._bytes = 0

    def models(self) -> set[ModelKey]:
        """Return the models of which rows wait."""
        return set(self._parts)

    def events(self) -> Counter[str]:
        """Return source -> number of rows."""
        events: Counter[str] = Counter()
        for parts in self._parts.values():
            for rows, source in parts:
                events[source] += len(rows)
        return events
