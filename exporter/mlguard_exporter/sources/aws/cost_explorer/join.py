"""From amounts by two tags at a time to amounts by all three.

Cost Explorer groups by two tags at most. One of the three tags is the pivot, which is fetched
together with each of the other two. Where one value of the pivot goes with only one value of
another tag on a day, such as a model that belongs to one project, the two answers determine all
three tags. A value that goes with several values of both other tags is ambiguous and needs a
request of its own. Pairs with a sum of zero count as well: charges of several owners may cancel.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mlguard_exporter.spend import Costs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

Pair = tuple[str, str]
Triple = tuple[str, str, str]
Key = TypeVar("Key", Pair, Triple)
NOTHING = Costs(Decimal(0), Decimal(0), Decimal(0))
TOLERANCE = Decimal("0.005")
"""Half a cent: sums of the same charges may differ by less."""
RESIDUE = Decimal("0.000001")
"""What rounding leaves when amounts with ten decimals are subtracted."""


class DayCurrency(NamedTuple):
    """The day and the currency; amounts of different ones are never added up."""

    day: date
    currency: str


Amounts = Mapping[DayCurrency, Mapping[Pair, Costs]]
"""An answer: costs by day and currency, and by the values of two tags."""


def select(
    amounts: Mapping[DayCurrency, Mapping[Key, Costs]], keep: Callable[[Key, Costs], bool]
) -> dict[DayCurrency, dict[Key, Costs]]:
    """Return the amounts for which `keep` is true."""
    return {
        when: {key: costs for key, costs in of.items() if keep(key, costs)}
        for when, of in amounts.items()
    }


def drop_zeros(
    amounts: Mapping[DayCurrency, Mapping[Key, Costs]],
) -> dict[DayCurrency, dict[Key, Costs]]:
    """Return the amounts without zeros.

    Not before amounts are joined: a pair of tags whose charges cancel each other exactly still
    says that its value of one tag goes with that of the other.
    """
    return select(amounts, lambda _, costs: any(costs))


def transpose(amounts: Amounts) -> Amounts:
    """Return the amounts by the second tag and the first."""
    return {when: {(b, a): c for (a, b), c in pairs.items()} for when, pairs in amounts.items()}


def ambiguous_values(left: Amounts, right: Amounts) -> set[str]:
    """Return the values of the pivot that go with several values of both other tags on some day.

    Args:
        left: by the pivot and one tag.
        right: by the pivot and the other.
    """
    several_left, several_right = _several(left), _several(right)
    return {value for when in several_left for value in several_left[when] & several_right[when]}


def _several(amounts: Amounts) -> defaultdict[DayCurrency, set[str]]:
    found: defaultdict[DayCurrency, set[str]] = defaultdict(set)
    for when, pairs in amounts.items():
        counts = Counter(pivot for pivot, _ in pairs)
        found[when] = {pivot for pivot, n in counts.items() if n > 1}
    return found


def join_by_pivot(
    left: Amounts, right: Amounts, separate: Mapping[str, Amounts]
) -> dict[DayCurrency, dict[Triple, Costs]]:
    """Return costs by the pivot, the first and the second of the other tags.

    Args:
        left: by the pivot and the first.
        right: by the pivot and the second.
        separate: by the first and the second, for each ambiguous value of the pivot.
    """
    found: dict[DayCurrency, dict[Triple, Costs]] = {}
    for when, pairs in left.items():
        firsts, seconds = _by_pivot(pairs), _by_pivot(right.get(when, {}))
        day = found[when] = {}
        for pivot, first in firsts.items():
            second = seconds.get(pivot, {})
            if pivot in separate:
                day |= {(pivot, a, b): c for (a, b), c in separate[pivot].get(when, {}).items()}
            elif len(first) == 1:
                (a,) = first
                day |= {(pivot, a, b): costs for b, costs in second.items()}
            else:
                b = next(iter(second), "")  # none: all of it is zero
                day |= {(pivot, a, b): costs for a, costs in first.items()}
    return found


def subtract(every: Amounts, others: Mapping[DayCurrency, Mapping[Triple, Costs]]) -> Amounts:
    """Return costs by the first and second tag that belong to no value of the pivot in `others`.

    Args:
        every: by the first and the second, over all values of the pivot.
        others: by all three.
    """
    found: dict[DayCurrency, dict[Pair, Costs]] = {}
    for when, pairs in every.items():
        left = dict(pairs)
        for (_, a, b), costs in others.get(when, {}).items():
            left[a, b] = left.get((a, b), NOTHING).plus(_negative(costs))
        found[when] = {
            pair: c
            for pair, c in left.items()
            if any(x is not None and abs(x) > RESIDUE for x in c)
        }
    return found


def totals_agree(one: Amounts, other: Amounts) -> bool:
    """Return whether two answers have the same sums for each day and value of their first tag."""
    sums, others = _sums(one), _sums(other)
    return all(
        a == b or (a is not None and b is not None and abs(a - b) < TOLERANCE)
        for key in sums.keys() | others.keys()
        for a, b in zip(sums.get(key, NOTHING), others.get(key, NOTHING), strict=True)
    )


def total(parts: Iterable[Costs]) -> Costs:
    """Return the sum of costs."""
    found = NOTHING
    for costs in parts:
        found = found.plus(costs)
    return found


def collapse_tags(amounts: Amounts) -> dict[DayCurrency, dict[Pair, Costs]]:
    """Return the sums of each day over all values of both tags."""
    return {when: {("", ""): total(pairs.values())} for when, pairs in amounts.items()}


def _sums(amounts: Amounts) -> dict[tuple[DayCurrency, str], Costs]:
    found: dict[tuple[DayCurrency, str], Costs] = {}
    for when, pairs in amounts.items():
        for (first, _), costs in pairs.items():
            found[when, first] = found.get((when, first), NOTHING).plus(costs)
    return found


def _by_pivot(pairs: Mapping[Pair, Costs]) -> dict[str, dict[str, Costs]]:
    found: dict[str, dict[str, Costs]] = {}
    for (pivot, other), costs in pairs.items():
        found.setdefault(pivot, {})[other] = costs
    return found


def _negative(costs: Costs) -> Costs:
    return Costs(*(None if c is None else -c for c in costs))
