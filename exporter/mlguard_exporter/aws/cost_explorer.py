"""Spend by Cost Explorer: three requests a reading, more only where tags leave a choice."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from mlguard_exporter.aws.errors import AwsErrors, explain
from mlguard_exporter.aws.join import (
    Amounts,
    Pair,
    Triple,
    When,
    agree,
    ambiguous,
    essential,
    joined,
    kept,
    merged,
    rest,
    turned,
)
from mlguard_exporter.spend import Costs, Kind, Reading, Series, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from mlguard_exporter.config import TagsConfig

_METRICS = ("UnblendedCost", "AmortizedCost", "NetUnblendedCost")
_USAGE = {
    "usage", "discountedusage", "reservationappliedusage", "savingsplancoveredusage",
    "savingsplannegation",
}  # fmt: skip
"""Types of charge that are usage, by the API's names or the console's, as letters alone."""
_MOST_PAGES = 1000
_MOST_VALUES = 20
"""Of a tag, that may be asked for one by one."""

_PROJECT, _MODEL, _ENDPOINT = range(3)
_PIVOTS = (_MODEL, _ENDPOINT, _PROJECT)
"""In the order in which they are likely to settle the others."""


class CostExplorer:
    """The source that asks Cost Explorer.

    Every page is read before anything is given; answers that do not agree with each other, since
    AWS changed its figures in between, are not given at all.

    Args:
        client: gives a client of Cost Explorer; its errors are told as the answers' are.
        tags: names of the three tags.
    """

    def __init__(self, client: Callable[[], Any], tags: TagsConfig) -> None:
        self._client = client
        self._tags = tags.names
        self._pivot = _PIVOTS[0]
        self._bearable = 1

    def read(
        self,
        first: date,
        end: date,
        known: Collection[str],  # noqa: ARG002 - no version can be told without reading
    ) -> Iterator[Reading]:
        """One reading of the whole range; see `Source`."""
        period = {"Start": first.isoformat(), "End": end.isoformat()}
        try:
            days = self._days(Asking(self._client(), period))
        except AwsErrors as error:
            raise SourceError(explain(error)) from error
        yield Reading(first, end, days)

    def _days(self, asking: Asking) -> Mapping[date, Mapping[Series, Costs]]:
        charges = asking.ask([_dimension("SERVICE"), _dimension("RECORD_TYPE")])
        kinds = {kind for pairs in charges.values() for _, kind in pairs}
        usage = sorted(kind for kind in kinds if _is_usage(kind))
        days: defaultdict[date, dict[Series, Costs]] = defaultdict(dict)
        used: defaultdict[When, dict[Pair, Costs]] = defaultdict(dict)
        for when, pairs in charges.items():
            for (service, kind), costs in pairs.items():
                if kind in usage:
                    series = Series(Kind.SERVICE, name=service, currency=when.currency)
                    used[when][service, kind] = costs
                else:
                    series = Series(Kind.OTHER, name=kind, currency=when.currency)
                before = days[when.day].get(series)
                days[when.day][series] = before.plus(costs) if before else costs
        if usage:
            owners = self._owners(asking.only("RECORD_TYPE", usage), used)
            for when, triples in owners.items():
                for owner, costs in triples.items():
                    days[when.day][Series(Kind.OWNER, *owner, currency=when.currency)] = costs
        return days

    def _owners(self, asking: Asking, used: Amounts) -> dict[When, dict[Triple, Costs]]:
        """Costs by project, model and endpoint."""
        pairs = _Pairs(asking, self._tags, used)
        pivot = self._pivot
        unclear = pairs.ambiguous(pivot)
        if len(unclear - {""}) > self._bearable:  # the third pair may settle what these two do not
            of_each = {tag: pairs.ambiguous(tag) for tag in _PIVOTS}
            pivot = min(_PIVOTS, key=lambda tag: len(of_each[tag] - {""}))
            unclear = of_each[pivot]
        if len(unclear - {""}) > _MOST_VALUES:
            raise SourceError(
                f"{len(unclear)} values of the tag {self._tags[pivot]} go with several values of"
                " both other tags on one day, and each would take a request of its own; give"
                " endpoints or models names of their own, or read a billing export"
            )
        one, other = _others(pivot)
        left, right = pairs.by(pivot, one), pairs.by(pivot, other)
        asked: dict[str, Amounts] = {}
        for value in sorted(unclear - {""}):
            some = asking.tagged(self._tags[pivot], value)
            asked[value] = some.ask([_tag(self._tags[one]), _tag(self._tags[other])])
            _check(agree(merged(_of(left, value)), merged(asked[value])))
        if "" in unclear:
            # what carries no tag: all there is, less what does
            tagged = kept(left, lambda pair, _: pair[0] != "")
            asked[""] = rest(pairs.by(one, other), joined(tagged, right, asked))
        order = (pivot, one, other)
        places = [order.index(tag) for tag in range(3)]
        owners = {
            when: {(t[places[0]], t[places[1]], t[places[2]]): c for t, c in triples.items()}
            for when, triples in joined(left, right, asked).items()
        }
        unclear_of = {tag: _unclear(owners, tag) for tag in _PIVOTS}
        self._pivot = min(_PIVOTS, key=lambda tag: unclear_of[tag])
        self._bearable = max(1, unclear_of[self._pivot])
        return owners


class _Pairs:
    """Costs by two of the tags at a time, each pair asked for once."""

    def __init__(self, asking: Asking, tags: tuple[str, ...], used: Amounts) -> None:
        self._asking = asking
        self._tags = tags
        self._used = merged(used)
        self._found: dict[tuple[int, int], Amounts] = {}

    def by(self, one: int, other: int) -> Amounts:
        """Costs by one tag and the other."""
        if (other, one) in self._found:
            return turned(self._found[other, one])
        if (one, other) not in self._found:
            found = self._asking.ask([_tag(self._tags[one]), _tag(self._tags[other])])
            _check(agree(merged(found), self._used))
            self._found[one, other] = essential(found)
        return self._found[one, other]

    def ambiguous(self, pivot: int) -> set[str]:
        """Values of a tag that go with several values of both others on some day."""
        left, right = (self.by(pivot, tag) for tag in _others(pivot))
        _check(agree(left, right))
        return ambiguous(left, right)


class Asking:
    """Requests about one period, perhaps of a part of the charges alone."""

    def __init__(
        self, client: Any, period: Mapping[str, str], filters: tuple[dict[str, Any], ...] = ()
    ) -> None:
        self._client = client
        self._period = period
        self._filters = filters

    def only(self, dimension: str, values: list[str]) -> Asking:
        """The same of the charges that have one of these values."""
        return self._with({"Dimensions": {"Key": dimension, "Values": values}})

    def tagged(self, tag: str, value: str) -> Asking:
        """The same of the charges that carry this tag."""
        return self._with({"Tags": {"Key": tag, "Values": [value]}})

    def _with(self, part: dict[str, Any]) -> Asking:
        return Asking(self._client, self._period, (*self._filters, part))

    def ask(self, groups: list[dict[str, str]]) -> Amounts:
        """Costs by two groups, from all pages."""
        request = {
            "TimePeriod": self._period,
            "Granularity": "DAILY",
            "Metrics": list(_METRICS),
            "GroupBy": groups,
        }
        if self._filters:
            filters = list(self._filters)
            request["Filter"] = filters[0] if len(filters) == 1 else {"And": filters}
        found: defaultdict[When, dict[Pair, Costs]] = defaultdict(dict)
        page: dict[str, str] = {}
        seen = set()
        for _ in range(_MOST_PAGES):
            answer = self._client.get_cost_and_usage(**request, **page)
            try:
                _take(found, answer, groups)
            except (KeyError, TypeError, ValueError, InvalidOperation) as error:
                raise SourceError(f"Cost Explorer's answer cannot be read: {error!r}") from error
            if not answer.get("NextPageToken"):
                return found
            page = {"NextPageToken": answer["NextPageToken"]}
            if page["NextPageToken"] in seen:
                raise SourceError("Cost Explorer's answer does not end: a page comes again")
            seen.add(page["NextPageToken"])
        raise SourceError(f"Cost Explorer's answer does not end after {_MOST_PAGES} pages")


def _take(
    found: defaultdict[When, dict[Pair, Costs]],
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
            pairs = found[When(day, amounts[0]["Unit"])]
            before = pairs.get((first, second))
            pairs[first, second] = before.plus(costs) if before else costs


def _value(key: str, by: Mapping[str, str]) -> str:
    """What stands in a key for a group: of a tag, what follows its name and the first `$`."""
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


def _dimension(name: str) -> dict[str, str]:
    return {"Type": "DIMENSION", "Key": name}


def _tag(name: str) -> dict[str, str]:
    return {"Type": "TAG", "Key": name}


def _is_usage(kind: str) -> bool:
    return "".join(filter(str.isalpha, kind)).lower() in _USAGE


def _of(amounts: Amounts, value: str) -> Amounts:
    """The same of one value of the first tag."""
    return kept(amounts, lambda pair, _: pair[0] == value)


def _others(pivot: int) -> tuple[int, int]:
    one, other = (tag for tag in range(3) if tag != pivot)
    return one, other


def _unclear(owners: Mapping[When, Mapping[Triple, Costs]], pivot: int) -> int:
    """How many values of a tag leave open, with each other tag alone, whose an amount is."""
    left, right = (
        {when: {(t[pivot], t[tag]): c for t, c in of.items()} for when, of in owners.items()}
        for tag in _others(pivot)
    )
    return len(ambiguous(left, right) - {""})


def _check(consistent: bool) -> None:
    if not consistent:
        raise SourceError(
            "Cost Explorer's answers do not agree, as AWS changed its figures meanwhile;"
            " nothing is taken, they are read again later"
        )
