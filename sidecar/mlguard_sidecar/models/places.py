"""Places of models: how many are counted by name, and which of them gives its place to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.histogram import OTHER
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.wire import ModelKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

RETIREMENT_SECONDS = DAY_SECONDS
"""Seconds without events from which a model may give its place to another one."""

OTHER_MODEL = ModelKey(OTHER, OTHER, OTHER)
"""Model that pools the events of those without a place; it has no place itself."""


class Places:
    """Places of models, and the models that gave theirs to others.

    Args:
        limit: returns the maximum number of models counted by name.
        clock: epoch seconds.

    Attributes:
        retired: models that have given their place to others, and are stored.
    """

    def __init__(self, limit: Callable[[], int], clock: Callable[[], float]) -> None:
        self.retired: set[ModelKey] = set()
        self._limit = limit
        self._clock = clock
        self._full_until = 0.0

    def limit_changed(self) -> None:
        """Look again for a model that may retire."""
        self._full_until = 0.0

    def are_full(self, models: Collection[ModelKey]) -> bool:
        """Return whether these models have all places."""
        return len(models) - (OTHER_MODEL in models) >= self._limit()

    def next_to_retire(
        self, last_events: Callable[[], Mapping[ModelKey, float]]
    ) -> ModelKey | None:
        """Return the model that has been silent the longest, at least a day; None without one.

        Args:
            last_events: returns when events of each model that may retire came last, epoch seconds.
        """
        now = self._clock()
        if now < self._full_until:
            return None
        last = last_events()
        key = min(last, key=last.__getitem__, default=None)
        if key is None or now - last[key] < RETIREMENT_SECONDS:
            self._full_until = now if key is None else last[key] + RETIREMENT_SECONDS
            return None
        return key
