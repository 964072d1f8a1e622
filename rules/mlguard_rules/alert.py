"""An alert as it is handed on."""

from __future__ import annotations

from dataclasses import dataclass

from mlguard_rules.promql import Labels  # noqa: TC001 - msgspec reads the annotations


@dataclass(frozen=True)
class Alert:
    """One alert that fires, or has fired.

    Attributes:
        labels: what it is known by.
        annotations: texts for people.
        starts_at: since when its condition holds, epoch seconds.
        ends_at: when it was resolved, None while it fires.
        source: address of what judged it, empty where that is not known.
    """

    labels: Labels
    annotations: tuple[tuple[str, str], ...]
    starts_at: float
    ends_at: float | None = None
    source: str = ""

    def label(self, name: str) -> str:
        """The value of a label, empty where it has none."""
        return dict(self.labels).get(name, "")

    def annotation(self, name: str) -> str:
        """An annotation, empty where it has none."""
        return dict(self.annotations).get(name, "")
