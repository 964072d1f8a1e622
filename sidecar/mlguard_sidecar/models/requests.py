"""Requests of people for another baseline of a model: give one, or learn it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.models.ruling import (
    BaselineRefusedError,
    UnknownModelError,
    check_no_file_rules,
    ruling,
)

if TYPE_CHECKING:
    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.models.registry import ModelRegistry
    from mlguard_sidecar.models.ruling import Chosen
    from mlguard_sidecar.wire import ModelKey


def learn_again(registry: ModelRegistry, key: ModelKey) -> int:
    """Learn the baseline of a model again; the present one stays in use until then.

    Returns:
        The number of events from which it is learnt.

    Raises:
        UnknownModelError: there is no such model.
        BaselineRefusedError: a file rules, or nothing is learnt.
    """
    accumulator = registry.accumulator(key)
    if accumulator is None:
        raise UnknownModelError(f"found no model {'/'.join(key)}")
    check_no_file_rules(key, accumulator.chosen)
    events = accumulator.settings.events
    if not events:
        raise BaselineRefusedError("baseline.events is 0 for this model: nothing is learnt")
    accumulator.learn_again(registry.changes(key, accumulator), is_requested=True)
    return events


def give(registry: ModelRegistry, key: ModelKey, given: Chosen) -> Baseline | None:
    """Use a baseline that was put or promoted; a model that is new begins with it.

    Returns:
        The baseline that it replaces; None if there was none.

    Raises:
        BaselineRefusedError: a file rules, or there is no place for another model.
    """
    check_may_give(registry, key)
    accumulator = registry.accumulator(key, begin=True)
    if accumulator is None:
        raise BaselineRefusedError(f"{'/'.join(key)} has no place: limits.models is reached")
    before = accumulator.schema.baseline
    accumulator.give(given, registry.changes(key, accumulator), registry.clock())
    accumulator.last_event = max(accumulator.last_event, registry.clock())
    return before


def check_may_give(registry: ModelRegistry, key: ModelKey) -> None:
    """Check that a baseline that is given to a model would be used.

    Raises:
        BaselineRefusedError: a file rules, or it is the pooled model.
    """
    settings = registry.settings_of(key)
    check_no_file_rules(key, ruling(settings.file, settings.folder, None))
