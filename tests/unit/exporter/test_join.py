from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mlguard_exporter.aws.join import (
    When,
    agree,
    ambiguous,
    essential,
    joined,
    merged,
    rest,
    turned,
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
        when = When(date(2026, 1, 1) + timedelta(days=day), "EUR" if in_euro else "USD")
        sums[when][tuple(tags[place] for place in places)] += amount
    return {w: {k: Costs(a, a * 2, a * 3) for k, a in keys.items()} for w, keys in sums.items()}


@given(LINES)
def test_what_is_joined_is_what_grouping_by_all_three_would_have_given(lines):
    left, right = grouped(lines, 0, 1), grouped(lines, 0, 2)
    asked = {
        pivot: grouped([line for line in lines if line[1] == pivot], 1, 2)
        for pivot in ambiguous(left, right)
    }
    assert joined(left, right, asked) == grouped(lines, 0, 1, 2)


@given(LINES)
def test_amounts_of_nothing_are_all_that_is_left_out(lines):
    left, right = essential(grouped(lines, 0, 1)), essential(grouped(lines, 0, 2))
    assert all(any(costs) for pairs in left.values() for costs in pairs.values())
    unclear = ambiguous(left, right)
    asked = {
        pivot: grouped([line for line in lines if line[1] == pivot], 1, 2) for pivot in unclear
    }
    assert essential(joined(left, right, asked)) == essential(grouped(lines, 0, 1, 2))
    spent = [line for line in lines if line[4]]
    assert unclear == ambiguous(grouped(spent, 0, 1), grouped(spent, 0, 2))


@given(LINES)
def test_pairs_are_the_same_from_both_sides(lines):
    assert turned(grouped(lines, 0, 1)) == grouped(lines, 1, 0)


@given(LINES)
def test_one_value_may_be_what_is_left_of_all(lines):
    left, right = grouped(lines, 0, 1), grouped(lines, 0, 2)
    untagged = [line for line in lines if not line[1]]
    tagged = grouped([line for line in lines if line[1]], 0, 1, 2)
    found = rest(grouped(lines, 1, 2), tagged)
    expected = grouped([line for line in untagged if line[4] > 0], 1, 2)
    assert {w: pairs for w, pairs in found.items() if pairs} == {
        w: kept
        for w, pairs in expected.items()
        if (kept := {p: c for p, c in pairs.items() if c.net_unblended > Decimal("0.000001")})
    }
    assert agree(left, right)


@given(LINES, st.integers(0, 24))
def test_answers_of_which_one_has_changed_do_not_agree(lines, place):
    if not lines:
        return
    place %= len(lines)
    day, *tags, amount, in_euro = lines[place]
    changed = [*lines]
    changed[place] = (day, *tags, amount + Decimal("0.01"), in_euro)
    assert not agree(grouped(lines, 0, 1), grouped(changed, 0, 2))
    assert not agree(merged(grouped(lines, 0, 1)), merged(grouped(changed, 1, 2)))
