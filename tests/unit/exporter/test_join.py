from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mlguard_exporter.sources.aws.cost_explorer.join import (
    DayCurrency,
    ambiguous_values,
    collapse_tags,
    drop_zeros,
    join_by_pivot,
    subtract,
    totals_agree,
    transpose,
)
from mlguard_exporter.spend import Costs

NAMES = st.sampled_from(["", "a", "b", "c$d"])
LINES = st.lists(
    st.tuples(
        st.integers(0, 2), NAMES, NAMES, NAMES, st.decimals(0, 100, places=10), st.booleans()
    ),
    max_size=25,
)


def grouped(lines, *places):
    """The lines' sums by some of their tags, as Cost Explorer would answer."""
    sums = defaultdict(lambda: defaultdict(Decimal))
    for day, *tags, amount, in_euro in lines:
        when = DayCurrency(date(2026, 1, 1) + timedelta(days=day), "EUR" if in_euro else "USD")
        sums[when][tuple(tags[place] for place in places)] += amount
    return {w: {k: Costs(a, a * 2, a * 3) for k, a in keys.items()} for w, keys in sums.items()}


@given(LINES)
def test_what_is_joined_is_what_grouping_by_all_three_would_have_given(lines):
    left, right = grouped(lines, 0, 1), grouped(lines, 0, 2)
    asked = {
        pivot: grouped([line for line in lines if line[1] == pivot], 1, 2)
        for pivot in ambiguous_values(left, right)
    }
    assert join_by_pivot(left, right, asked) == grouped(lines, 0, 1, 2)


@given(LINES)
def test_amounts_of_nothing_are_all_that_is_left_out(lines):
    left, right = drop_zeros(grouped(lines, 0, 1)), drop_zeros(grouped(lines, 0, 2))
    assert all(any(costs) for pairs in left.values() for costs in pairs.values())
    unclear = ambiguous_values(left, right)
    asked = {
        pivot: grouped([line for line in lines if line[1] == pivot], 1, 2) for pivot in unclear
    }
    assert drop_zeros(join_by_pivot(left, right, asked)) == drop_zeros(grouped(lines, 0, 1, 2))
    spent = [line for line in lines if line[4]]
    assert unclear == ambiguous_values(grouped(spent, 0, 1), grouped(spent, 0, 2))


@given(LINES)
def test_pairs_are_the_same_from_both_sides(lines):
    assert transpose(grouped(lines, 0, 1)) == grouped(lines, 1, 0)


@given(LINES)
def test_one_value_may_be_what_is_left_of_all(lines):
    left, right = grouped(lines, 0, 1), grouped(lines, 0, 2)
    untagged = [line for line in lines if not line[1]]
    tagged = grouped([line for line in lines if line[1]], 0, 1, 2)
    found = subtract(grouped(lines, 1, 2), tagged)
    expected = grouped([line for line in untagged if line[4] > 0], 1, 2)
    assert {w: pairs for w, pairs in found.items() if pairs} == {
        w: kept
        for w, pairs in expected.items()
        if (kept := {p: c for p, c in pairs.items() if c.net_unblended > Decimal("0.000001")})
    }
    assert totals_agree(left, right)


@given(LINES, st.integers(0, 24))
def test_answers_of_which_one_has_changed_do_not_agree(lines, place):
    if not lines:
        return
    place %= len(lines)
    day, *tags, amount, in_euro = lines[place]
    changed = [*lines]
    changed[place] = (day, *tags, amount + Decimal("0.01"), in_euro)
    assert not totals_agree(grouped(lines, 0, 1), grouped(changed, 0, 2))
    assert not totals_agree(
        collapse_tags(grouped(lines, 0, 1)), collapse_tags(grouped(changed, 1, 2))
    )
