"""Spend that only moves: to a successor, to another tag or from none, to another name."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from mlguard_exporter.figures.subject import Scope, Subject

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from mlguard_exporter.spikes import Verdict

Amounts: TypeAlias = "Mapping[Subject, float]"
Purse: TypeAlias = tuple[str, str]
"""A currency and a project; empty for what carries no such tag."""
LEAVING_DAYS = 3
"""What has cost nothing for so long left before, and makes room for nothing."""
BEFORE_DAYS = 14
NEW_LOW = 0.9
"""A fall is to less than so much of the lowest that it cost before, of what was expected."""
ALIKE = 0.8
"""What is renamed costs at least so much of what it did, and no more than by as much."""


def purse(subject: Subject) -> Purse:
    """What a subject's spend is part of."""
    return subject.series.currency, subject.series.project


def falls_on(
    day: date, verdicts: Mapping[Subject, Mapping[date, Verdict]], scope: Scope
) -> dict[Subject, float]:
    """How much less than before the subjects of a scope cost on a day, where that is unusual."""
    found = {s: _fall(day, v) for s, v in verdicts.items() if s.scope is scope and day in v}
    return {subject: fall for subject, fall in found.items() if fall > 0}


def _fall(day: date, judged: Mapping[date, Verdict]) -> float:
    verdict = judged[day]
    lately = [judged[d].amount for d in _days_before(day, 1, LEAVING_DAYS) if d in judged]
    highest = max(lately, default=0.0)
    if highest <= 0 or verdict.amount < 0:  # a refund makes room for nothing
        return 0.0
    if verdict.expected is None:
        return highest - verdict.amount if verdict.amount * 2 < highest else 0.0
    before = (judged.get(d) for d in _days_before(day, LEAVING_DAYS + 1, BEFORE_DAYS))
    ratios = [v.amount / v.expected for v in before if v and v.expected and v.amount >= 0]
    lowest = min(ratios, default=1.0)
    is_low = verdict.amount < NEW_LOW * lowest * verdict.expected
    return -verdict.excess if is_low else 0.0


def _days_before(day: date, first: int, count: int) -> list[date]:
    return [day - timedelta(days=n) for n in range(first, first + count)]


def from_elsewhere(
    rising: Amounts, begins: Collection[Subject], falls: Amounts, moved: Amounts
) -> set[Subject]:
    """The owners whose spend another project had before, or that carried no tag.

    Either at least half as much has left what carries no tag, as tags come into use; or about as
    much has left other projects, and is of new names, or carries no tag any more.

    Args:
        rising: by how much owners cost more.
        begins: those of them whose spend begins.
        falls: by how much endpoints cost less.
        moved: what of that has gone to others of the same project.
    """
    found = set[Subject]()
    for currency in {subject.series.currency for subject in rising}:
        rises = {s: excess for s, excess in rising.items() if s.series.currency == currency}
        left = _by_purse(falls)
        for key, amount in _by_purse(moved).items():
            left[key] = max(left[key] - amount, 0.0)
        tagged = {s for s in rises if s.series.project}
        if tagged and left[currency, ""] * 2 >= sum(rises[s] for s in tagged):
            found |= tagged
            continue
        renamed = {s: rises[s] for s in rises if s in begins or not s.series.project}
        others = {key for key in left if key[0] == currency} - {purse(s) for s in rises}
        if _is_alike(sum(renamed.values()), sum(left[key] for key in others)):
            found.update(renamed)
    return found


def renamed_services(begun: Amounts, falls: Amounts) -> set[Subject]:
    """The services with which spend begins, where AWS has only given them new names."""
    return set(begun) if _is_alike(sum(begun.values()), sum(falls.values())) else set()


def _by_purse(amounts: Amounts) -> defaultdict[Purse, float]:
    found: defaultdict[Purse, float] = defaultdict(float)
    for subject, amount in amounts.items():
        found[purse(subject)] += amount
    return found


def _is_alike(came: float, left: float) -> bool:
    return came > 0 and ALIKE * left <= came <= left / ALIKE
