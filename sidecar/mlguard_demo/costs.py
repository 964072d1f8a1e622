"""The exporter's figures of spend, read from its metrics."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from mlguard_demo.errors import DemoError

_READ_SECONDS = 30.0
_POLL_SECONDS = 0.1
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class SettledDay:
    """The cost of the latest settled UTC day, in US dollars and whole cents.

    Attributes:
        day: that day.
        by_owner: cost by project, model and endpoint, empty where a resource has no such tag.
    """

    day: date
    by_owner: Mapping[tuple[str, str, str], Decimal]

    @property
    def total(self) -> Decimal:
        """The cost of all owners."""
        return sum(self.by_owner.values(), Decimal(0))


async def await_settled_day(http: aiohttp.ClientSession, url: str) -> SettledDay:
    """Return the settled day as soon as the exporter at `url` has read its cost.

    Raises:
        DemoError: the exporter does not answer, or has not read it in time.
    """
    deadline = time.monotonic() + _READ_SECONDS
    while time.monotonic() < deadline:
        try:
            async with http.get(f"{url}/metrics") as response:
                response.raise_for_status()
                found = settled_day(await response.text())
        except (aiohttp.ClientError, ValueError) as error:
            raise DemoError(f"the exporter does not answer: {error}") from error
        if found is not None:
            return found
        await asyncio.sleep(_POLL_SECONDS)
    raise DemoError(f"the exporter has not read the spend in {_READ_SECONDS:.0f} s")


def settled_day(metrics: str) -> SettledDay | None:
    """Return the settled day in the exporter's metrics; None before the first read.

    Raises:
        ValueError: they are not in Prometheus' text format.
    """
    families = {family.name: family.samples for family in text_string_to_metric_families(metrics)}
    days = families.get("mlguard_cost_judged_day_timestamp_seconds", [])
    costs = families.get("mlguard_cost_settled_day_usd", [])
    if not days or not costs:
        return None
    return SettledDay(
        day=datetime.fromtimestamp(days[0].value, UTC).date(),
        by_owner={_owner(sample.labels): Decimal(sample.value).quantize(_CENT) for sample in costs},
    )


def _owner(labels: Mapping[str, str]) -> tuple[str, str, str]:
    return labels["project"], labels["model"], labels["model_endpoint"]
