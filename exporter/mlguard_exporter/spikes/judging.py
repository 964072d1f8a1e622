"""The settings by which days are judged, and the verdict on one day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_common.config import ConfigStruct

if TYPE_CHECKING:
    from datetime import date


_DAYS = 90
"""The longest that a setting may look back; what is judged goes back further."""


class Judging(ConfigStruct, frozen=True):
    """When a day's spend is a spike.

    Attributes:
        window_days: days with spend whose median is the level.
        deviations: excess, in scales of the series' noise, that a spike must surpass.
        share: excess, as a share of what was expected, that a spike must surpass.
        minimum_usd: excess that a spike must surpass, in the unit of the amounts.
        min_days: days with spend before days are compared with a level.
        accept_days: days in a row off the level, all on one side, that make a new level.
        silence_days: days without spend after which a series begins again.
        new_usd: spend on one day that a series must surpass to be told as it begins.
    """

    window_days: int = 14
    deviations: float = 3.0
    share: float = 0.41
    minimum_usd: float = 10.0
    min_days: int = 7
    accept_days: int = 3
    silence_days: int = 35
    new_usd: float = 100.0

    def __post_init__(self) -> None:
        for name in ("window_days", "min_days", "accept_days", "silence_days"):
            if not 1 <= getattr(self, name) <= _DAYS:
                raise ValueError(f"{name}: expected 1 to {_DAYS}")
        for name in ("deviations", "share", "minimum_usd", "new_usd"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected 0 or more")


@dataclass(frozen=True)
class Verdict:
    """What was made of one day.

    Attributes:
        day: the UTC day.
        amount: its spend, in the unit of what was judged.
        expected: what the level and the weekday made likely; None while there is too little
            history. A spike with which spend begins has the highest day before it, 0 for none.
        excess: the amount less what was expected; 0 where nothing was.
        spike: whether the day is worth telling somebody.
        begins: whether it is the spike with which spend begins.
    """

    day: date
    amount: float
    expected: float | None
    excess: float
    spike: bool
    begins: bool = False
