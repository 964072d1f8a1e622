"""What three imaginary projects spend at AWS: 60 days with weekends, and one spike."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from mlguard_demo.names import ENDPOINT, MODEL, PROJECT

HISTORY_DAYS = 60
SETTLING_DAYS = 2
"""Days after which AWS changes a day's charges no more."""
SPIKE_OWNER = ("shop", "recommender", "rank")
BUDGETS_USD = {PROJECT: 2000.0, "shop": 5500.0, "support": 4000.0}
"""Budget of each project in a month. That of the shop does not suffice."""

SAGEMAKER = "Amazon SageMaker"
EC2 = "Amazon Elastic Compute Cloud - Compute"
S3 = "Amazon Simple Storage Service"

_SPIKE_RATIO = 2.4
_NOISE = 0.03
_CENT = Decimal("0.01")
_KNOWN_SHARES = {0: 0.35, 1: 0.9}
"""Share of a day's charges that AWS knows on the same day and on the next."""


@dataclass(frozen=True)
class Charge:
    """What one owner was charged for one service on one UTC day.

    Attributes:
        day: the UTC day.
        owner: project, model and endpoint; empty where the resource has no such tag.
        service: name of the service at AWS.
        amount: US dollars, in whole cents.
    """

    day: date
    owner: tuple[str, str, str]
    service: str
    amount: Decimal


@dataclass(frozen=True)
class _Resource:
    owner: tuple[str, str, str]
    service: str
    weekday_usd: float
    weekend_ratio: float


_RESOURCES = (
    _Resource((PROJECT, MODEL, ENDPOINT), SAGEMAKER, 46.0, 1.0),
    _Resource((PROJECT, "", ""), S3, 5.5, 1.0),
    _Resource(SPIKE_OWNER, SAGEMAKER, 118.0, 1.3),
    _Resource(("shop", "churn_v1", "predict"), SAGEMAKER, 36.0, 0.7),
    _Resource(("shop", "", ""), EC2, 72.0, 0.3),
    _Resource(("support", "triage", "classify"), SAGEMAKER, 64.0, 0.5),
    _Resource(("support", "triage", "embed"), EC2, 28.0, 0.6),
    _Resource(("", "", ""), EC2, 21.0, 0.8),
    _Resource(("", "", ""), S3, 9.0, 1.0),
)


@dataclass(frozen=True)
class Spend:
    """The spend of a demonstration that began on the UTC day `begun`."""

    begun: date

    @property
    def spike_day(self) -> date:
        """The day on which `SPIKE_OWNER` cost more: the last that was settled at the begin."""
        return self.begun - timedelta(days=SETTLING_DAYS)

    def charges(self, first: date, end: date, today: date) -> Iterator[Charge]:
        """Yield the charges that AWS knows `today`, from `first` up to, but not including, `end`.

        They are the same each time, except that the last two days are not complete yet.
        """
        day = max(first, self.begun - timedelta(days=HISTORY_DAYS))
        while day < end and day <= today:
            share = _KNOWN_SHARES.get((today - day).days, 1.0)
            for resource in _RESOURCES:
                amount = Decimal(share * self._usd(resource, day)).quantize(_CENT)
                yield Charge(day, resource.owner, resource.service, amount)
            day += timedelta(days=1)

    def _usd(self, resource: _Resource, day: date) -> float:
        chance = random.Random(f"{day} {resource.owner} {resource.service}")  # noqa: S311 - a demonstration
        usd = resource.weekday_usd * chance.gauss(1, _NOISE)
        if day.weekday() >= 5:
            usd *= resource.weekend_ratio
        if day == self.spike_day and resource.owner == SPIKE_OWNER:
            usd *= _SPIKE_RATIO
        return usd
