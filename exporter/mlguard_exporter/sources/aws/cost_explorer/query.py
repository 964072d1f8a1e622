"""Requests to Cost Explorer, and the parsing of its answers."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from mlguard_exporter.sources.aws.cost_explorer.join import Amounts, DayCurrency, Pair
from mlguard_exporter.sources.aws.errors import parsing_answer
from mlguard_exporter.sources.protocol import SourceError
from mlguard_exporter.spend import Costs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_METRICS = ("UnblendedCost", "AmortizedCost", "NetUnblendedCost")
_MAX_PAGES = 1000

ACTIVE = "Active"
_USAGE = {
    "usage", "discountedusage", "reservationappliedusage", "savingsplancoveredusage",
    "savingsplannegation",
}  # fmt: skip
"""Types of charge that are usage, in the API's or the console's spelling, letters only."""


class CostQuery:
    """Requests for one period, optionally restricted to a part of the charges.

    Args:
        client: of Cost Explorer.
        period: `Start` and `End`, which is exclusive.
        filters: that all must hold.
    """

    def __init__(
        self, client: Any, period: Mapping[str, str], filters: tuple[dict[str, Any], ...] = ()
    ) -> None:
        self._client = client
        self._period = period
        self._filters = filters

    def with_dimension(self, dimension: str, values: list[str]) -> CostQuery:
        """Return a query of the charges that have one of these values."""
        return self._with({"Dimensions": {"Key": dimension, "Values": values}})

    def with_tag(self, tag: str, value: str) -> CostQuery:
        """Return a query of the charges that carry this value of a tag."""
        return self._with({"Tags": {"Key": tag, "Values": [value]}})

    def _with(self, part: dict[str, Any]) -> CostQuery:
        return CostQuery(self._client, self._period, (*self._filters, part))

    def fetch(self, groups: list[dict[str, str]]) -> Amounts:
        """Return costs by two groups, from all pages.

        Raises:
            SourceError: the answer cannot be read, or does not end.
        """
        request = {
            "TimePeriod": self._period,
            "Granularity": "DAILY",
            "Metrics": list(_METRICS),
            "GroupBy": groups,
        }
        if self._filters:
            filters = list(self._filters)
            request["Filter"] = filters[0] if len(filters) == 1 else {"And": filters}
        found: defaultdict[DayCurrency, dict[Pair, Costs]] = defaultdict(dict)
        page: dict[str, str] = {}
        seen = set()
        for _ in range(_MAX_PAGES):
            answer = self._client.get_cost_and_usage(**request, **page)
            try:
                _add_page(found, answer, groups)
            except (KeyError, TypeError, ValueError, InvalidOperation) as error:
                raise SourceError(f"Cost Explorer's answer cannot be read: {error!r}") from error
            if not answer.get("NextPageToken"):
                return found
            page = {"NextPageToken": answer["NextPageToken"]}
            if page["NextPageToken"] in seen:
                raise SourceError("Cost Explorer's answer does not end: a page comes again")
            seen.add(page["NextPageToken"])
        raise SourceError(f"Cost Explorer's answer does not end after {_MAX_PAGES} pages")


def is_usage(kind: str) -> bool:
    """Return whether a type of charge is usage."""
    return "".join(filter(str.isalpha, kind)).lower() in _USAGE


def by_dimension(name: str) -> dict[str, str]:
    """Return a group by a dimension, such as SERVICE."""
    return {"Type": "DIMENSION", "Key": name}


def by_tag(name: str) -> dict[str, str]:
    """Return a group by the values of a tag."""
    return {"Type": "TAG", "Key": name}


def tag_states(client: Any, tags: Sequence[str]) -> dict[str, str]:
    """Return `Active` or `Inactive` for each tag that AWS has seen.

    Args:
        client: of Cost Explorer, in the account that pays.
        tags: their names, a hundred at most.

    Raises:
        ClientError: such as AccessDeniedException in an account that does not pay for itself.
        BotoCoreError: AWS cannot be reached.
        SourceError: the answer cannot be read.
    """
    answer = client.list_cost_allocation_tags(TagKeys=list(tags))
    with parsing_answer():
        return {tag["TagKey"]: tag["Status"] for tag in answer["CostAllocationTags"]}


def _add_page(
    found: defaultdict[DayCurrency, dict[Pair, Costs]],
    answer: Mapping[str, Any],
    groups: list[dict[str, str]],
) -> None:
    """Add a page; a day, and even a pair, may have begun on the one before."""
    for result in answer["ResultsByTime"]:
        day = date.fromisoformat(result["TimePeriod"]["Start"])
        for group in result.get("Groups", ()):
            first, second = (_value(key, by) for key, by in zip(group["Keys"], groups, strict=True))
            amounts = [group["Metrics"][metric] for metric in _METRICS]
            costs = Costs(*(_amount(amount["Amount"]) for amount in amounts))
            pairs = found[DayCurrency(day, amounts[0]["Unit"])]
            before = pairs.get((first, second))
            pairs[first, second] = before.plus(costs) if before else costs


def _value(key: str, by: Mapping[str, str]) -> str:
    """Return a group's value from its key: of a tag, what follows its name and the first `$`."""
    if by["Type"] != "TAG":
        return key
    prefix = f"{by['Key']}$"
    if not key.startswith(prefix):
        raise ValueError(f"found the key {key!r}, expected it to begin with {prefix!r}")
    return key[len(prefix) :]


def _amount(text: str) -> Decimal:
    amount = Decimal(text)
    if not amount.is_finite():
        raise ValueError(f"found the amount {text!r}, expected a number")
    return amount
