"""The source that asks Cost Explorer: three requests a read, more only where tags are ambiguous."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from mlguard_exporter.sources.aws.cost_explorer.join import (
    Amounts,
    DayCurrency,
    Pair,
    Triple,
    ambiguous_values,
    collapse_tags,
    drop_zeros,
    join_by_pivot,
    select,
    subtract,
    totals_agree,
    transpose,
)
from mlguard_exporter.sources.aws.cost_explorer.query import (
    ACTIVE,
    CostQuery,
    by_dimension,
    by_tag,
    is_usage,
    tag_states,
)
from mlguard_exporter.sources.aws.errors import AWS_ERRORS, describe_error, outcome_of
from mlguard_exporter.sources.protocol import DeniedError, SourceError
from mlguard_exporter.spend import CostReport, Costs, CostSeries, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import date

    from mlguard_exporter.config import TagsConfig

_MAX_VALUES = 20
"""Values of one tag for which a request of its own is made."""

_PROJECT, _MODEL, _ENDPOINT = range(3)
_PIVOTS = (_MODEL, _ENDPOINT, _PROJECT)
"""In the order in which they are likely to determine the other tags."""


class CostExplorerSource:
    """A `CostSource` that asks Cost Explorer.

    Every page is read before anything is reported. Answers that do not agree with each other, since
    AWS changed its figures in between, are not reported at all.

    Args:
        client: makes a client of Cost Explorer.
        tags: names of the three tags.
    """

    def __init__(self, client: Callable[[], Any], tags: TagsConfig) -> None:
        self._client = client
        self._tags = tags.names
        self._pivot = _PIVOTS[0]
        self._usual_ambiguous = 1

    def read(
        self,
        first: date,
        end: date,
        known: Collection[str],  # noqa: ARG002 - Cost Explorer has no versions
    ) -> Iterator[CostReport]:
        """Yield one report of the whole range; see `CostSource`."""
        period = {"Start": first.isoformat(), "End": end.isoformat()}
        try:
            days = self._days(CostQuery(self._client(), period))
        except AWS_ERRORS as error:
            raise SourceError(describe_error(error)) from error
        yield CostReport(first, end, days)

    def active_tags(self) -> dict[str, bool]:
        """Ask which tags are active; see `CostSource`."""
        try:
            states = tag_states(self._client(), self._tags)
        except AWS_ERRORS as error:
            kind = DeniedError if outcome_of(error) == "denied" else SourceError
            raise kind(describe_error(error)) from error
        return {tag: state == ACTIVE for tag, state in states.items()}

    def _days(self, query: CostQuery) -> Mapping[date, Mapping[CostSeries, Costs]]:
        charges = query.fetch([by_dimension("SERVICE"), by_dimension("RECORD_TYPE")])
        kinds = {kind for pairs in charges.values() for _, kind in pairs}
        usage = sorted(kind for kind in kinds if is_usage(kind))
        days: defaultdict[date, dict[CostSeries, Costs]] = defaultdict(dict)
        used: defaultdict[DayCurrency, dict[Pair, Costs]] = defaultdict(dict)
        for when, pairs in charges.items():
            for (service, kind), costs in pairs.items():
                if kind in usage:
                    series = CostSeries(Kind.SERVICE, name=service, currency=when.currency)
                    used[when][service, kind] = costs
                else:
                    series = CostSeries(Kind.OTHER, name=kind, currency=when.currency)
                before = days[when.day].get(series)
                days[when.day][series] = before.plus(costs) if before else costs
        if usage:
            owners = self._owners(query.with_dimension("RECORD_TYPE", usage), used)
            for when, triples in owners.items():
                for owner, costs in triples.items():
                    days[when.day][CostSeries(Kind.OWNER, *owner, currency=when.currency)] = costs
        return days

    def _owners(
        self, query: CostQuery, used: Amounts
    ) -> Mapping[DayCurrency, Mapping[Triple, Costs]]:
        """Return costs by project, model and endpoint; owners without costs are left out."""
        pairs = _TagPairs(query, self._tags, used)
        pivot = self._pivot
        ambiguous = pairs.ambiguous(pivot)
        if len(ambiguous - {""}) > self._usual_ambiguous:
            # the third pair of tags may determine what these two do not
            of_each = {tag: pairs.ambiguous(tag) for tag in _PIVOTS}
            pivot = min(_PIVOTS, key=lambda tag: len(of_each[tag] - {""}))
            ambiguous = of_each[pivot]
        if len(ambiguous - {""}) > _MAX_VALUES:
            raise SourceError(
                f"{len(ambiguous)} values of the tag {self._tags[pivot]} go with several values of"
                " both other tags on one day, and each would take a request of its own; give"
                " endpoints or models names of their own, or read a billing export"
            )
        one, other = _others(pivot)
        left, right = pairs.by(pivot, one), pairs.by(pivot, other)
        separate: dict[str, Amounts] = {}
        for value in sorted(ambiguous - {""}):
            part = query.with_tag(self._tags[pivot], value)
            separate[value] = part.fetch([by_tag(self._tags[one]), by_tag(self._tags[other])])
            _check(totals_agree(collapse_tags(_of(left, value)), collapse_tags(separate[value])))
        if "" in ambiguous:
            # untagged charges are all charges less the tagged ones
            tagged = select(left, lambda pair, _: pair[0] != "")
            separate[""] = subtract(pairs.by(one, other), join_by_pivot(tagged, right, separate))
        order = (pivot, one, other)
        places = [order.index(tag) for tag in range(3)]
        owners = {
            when: {(t[places[0]], t[places[1]], t[places[2]]): c for t, c in triples.items()}
            for when, triples in join_by_pivot(left, right, separate).items()
        }
        counts = {tag: _count_ambiguous(owners, tag) for tag in _PIVOTS}
        self._pivot = min(_PIVOTS, key=lambda tag: counts[tag])
        self._usual_ambiguous = max(1, counts[self._pivot])
        return drop_zeros(owners)


class _TagPairs:
    """Costs by two of the tags at a time, each pair fetched once."""

    def __init__(self, query: CostQuery, tags: tuple[str, ...], used: Amounts) -> None:
        self._query = query
        self._tags = tags
        self._used = collapse_tags(used)
        self._found: dict[tuple[int, int], Amounts] = {}

    def by(self, one: int, other: int) -> Amounts:
        """Return costs by one tag and the other."""
        if (other, one) in self._found:
            return transpose(self._found[other, one])
        if (one, other) not in self._found:
            found = self._query.fetch([by_tag(self._tags[one]), by_tag(self._tags[other])])
            _check(totals_agree(collapse_tags(found), self._used))
            # with zeros: a sum of nothing may hide owners whose charges cancel each other
            self._found[one, other] = found
        return self._found[one, other]

    def ambiguous(self, pivot: int) -> set[str]:
        """Return the values of a tag that go with several values of both others on some day."""
        left, right = (self.by(pivot, tag) for tag in _others(pivot))
        _check(totals_agree(left, right))
        return ambiguous_values(left, right)


def _of(amounts: Amounts, value: str) -> Amounts:
    """Return the amounts of one value of the first tag."""
    return select(amounts, lambda pair, _: pair[0] == value)


def _others(pivot: int) -> tuple[int, int]:
    one, other = (tag for tag in range(3) if tag != pivot)
    return one, other


def _count_ambiguous(owners: Mapping[DayCurrency, Mapping[Triple, Costs]], pivot: int) -> int:
    """Count the values of a tag that do not determine an owner with either other tag alone."""
    left, right = (
        {when: {(t[pivot], t[tag]): c for t, c in of.items()} for when, of in owners.items()}
        for tag in _others(pivot)
    )
    return len(ambiguous_values(left, right) - {""})


def _check(consistent: bool) -> None:
    if not consistent:
        raise SourceError(
            "Cost Explorer's answers do not agree, as AWS changed its figures meanwhile;"
            " nothing is stored, they are read again later"
        )
