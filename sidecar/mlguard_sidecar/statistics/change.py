"""Kinds of changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MIN_MOVED = 0.02
"""Share of a category, or of values that went missing, from which it is looked at."""

SIZE_ALIKE = 0.25
"""Relative difference of two shares that are taken for those of the same values."""


class ChangeKind(StrEnum):
    """Kind of a change."""

    FACTOR = "factor"
    SHIFT = "shift"
    SPIKE = "spike"
    MIXTURE = "mixture"
    RENAMED = "renamed"
    NOW_MISSING = "now_missing"
    NO_LONGER_MISSING = "no_longer_missing"


@dataclass(frozen=True)
class Guess:
    """What a change looks like.

    Attributes:
        kind: its kind.
        sentence: the same in words, with figures.
    """

    kind: ChangeKind
    sentence: str
