"""An alert and its state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mlguard_rules.promql import Labels  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """The state of an alert."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Alert:
    """One alert; times are epoch seconds.

    Attributes:
        labels: its identity; `alertname` is among them.
        annotations: texts for people, as last expanded.
        active_at: when its condition began to hold.
        resolved_at: when it was resolved, None before.
        generator_url: address of the process that evaluated it, empty if unknown.
        state: pending, firing or resolved; pending alerts are never sent.
        value: of the rule's expression, as last evaluated; None if it is not known.
        rule_id: id of its rule, empty if it was received.
        keep_firing_since: since when its condition has not held, while `keep_firing_for` lasts.
    """

    labels: Labels
    annotations: tuple[tuple[str, str], ...]
    active_at: float
    resolved_at: float | None = None
    generator_url: str = ""
    state: State = State.FIRING
    value: float | None = None
    rule_id: str = ""
    keep_firing_since: float | None = None

    def label(self, name: str) -> str:
        """Return the value of a label, empty if it is absent."""
        return dict(self.labels).get(name, "")

    def annotation(self, name: str) -> str:
        """Return an annotation, empty if it is absent."""
        return dict(self.annotations).get(name, "")

    @property
    def is_resolved(self) -> bool:
        """Whether it was resolved."""
        return self.resolved_at is not None

    def resolved(self, at: float) -> Alert:
        """Return the alert, resolved at a time."""
        return replace(self, state=State.RESOLVED, resolved_at=at, keep_firing_since=None)

    def firing(self) -> Alert:
        """Return the alert, firing."""
        return replace(self, state=State.FIRING, resolved_at=None)

    def annotated(self, name: str, text: str) -> Alert:
        """Return the alert with a further annotation; one that a rule gives is kept."""
        if self.annotation(name):
            return self
        return replace(self, annotations=(*self.annotations, (name, text)))

    def to_send(self, labels: Mapping[str, str], generator_url: str) -> Alert:
        """Return the alert as it is dispatched or forwarded.

        Args:
            labels: of this process, added unless the alert has a label of the same name.
            generator_url: address of this process.
        """
        merged = tuple(sorted((dict(labels) | dict(self.labels)).items()))
        return replace(self, labels=merged, generator_url=generator_url)

    def same_state(self, other: Alert | None) -> bool:
        """Return whether another alert of the same identity has the same state and times."""
        return (
            other is not None
            and other.state is self.state
            and other.active_at == self.active_at
            and other.resolved_at == self.resolved_at
            and other.keep_firing_since == self.keep_firing_since
        )

    @property
    def is_timed(self) -> bool:
        """Whether its state changes with time alone: it is pending, or kept firing."""
        return self.state is State.PENDING or self.keep_firing_since is not None

    def shifted(self, seconds: float, now: float) -> Alert:
        """Return the alert with its timers moved by a time that was not observed.

        Args:
            seconds: that count neither for `for` nor for `keep_firing_for`.
            now: no time of the result lies after it.
        """
        since, active_at = self.keep_firing_since, self.active_at
        if self.state is State.PENDING:
            active_at += seconds
        since = None if since is None else min(since + seconds, now)
        resolved_at = None if self.resolved_at is None else min(self.resolved_at, now)
        return replace(
            self, active_at=min(active_at, now), keep_firing_since=since, resolved_at=resolved_at
        )
