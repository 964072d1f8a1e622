"""The settings under `cost.spikes`."""

from __future__ import annotations

from mlguard_common.config import ConfigStruct

_MAX_DAYS = 90
"""Longest period that a setting may look back; the stored history goes back further."""


class SpikeConfig(ConfigStruct, frozen=True):
    """When a day's spend is a spike.

    Attributes:
        window_days: days with spend whose median is the level.
        deviations: excess, in standard deviations of the series' noise, that a spike must surpass.
        share: excess, as a share of the expected amount, that a spike must surpass.
        minimum_usd: excess that a spike must surpass, in the unit of the amounts.
        min_days: days with spend before days are compared with a level.
        accept_days: days in a row off the level, all on one side, that make a new level.
        silence_days: days without spend after which a series begins again.
        new_usd: spend on one day from which the begin of a series is a spike.
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
            if not 1 <= getattr(self, name) <= _MAX_DAYS:
                raise ValueError(f"{name}: expected 1 to {_MAX_DAYS}")
        for name in ("deviations", "share", "minimum_usd", "new_usd"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected 0 or more")
