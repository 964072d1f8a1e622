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
"""What has moved costs at least so much of what it did, and no more than by as much."""
DEARER, CHEAPER = 2.0, 1.5
"""What succeeds something may cost so many times as much, or be so many times cheaper."""


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


def moved_within(rises: Amounts, begins: Collection[Subject], falls: Amounts) -> set[Subject]:
    """What has only moved within one project.

    First to the same model's endpoints, then to others: to what begins, if it may be a successor by
    its size, and to what there was already, if it is alike.

    Args:
        rises: by how much endpoints, or models, cost more.
        begins: those whose spend begins.
        falls: by how much endpoints of the project cost less, other than those that rise.
    """
    moved = set[Subject]()
    left: defaultdict[str, float] = defaultdict(float)
    for subject, fall in falls.items():
        left[subject.series.model] += fall
    for model in {subject.series.model for subject in rises}:
        group = {s: rise for s, rise in rises.items() if s.series.model == model}
        came = sum(group.values())
        if _succeeds(came, left[model]):
            moved |= group.keys()
            left[model] = max(left[model] - came, 0.0)
    rest = {s: rise for s, rise in rises.items() if s not in moved}
    return moved | _of_like_size(rest, begins, sum(left.values()))


def _of_like_size(rises: Amounts, begins: Collection[Subject], left: float) -> set[Subject]:
    """Those of them that begin, and those that do not, if they cost about what has left."""
    moved = set[Subject]()
    for fits, group in (
        (_succeeds, {s: rise for s, rise in rises.items() if s in begins}),
        (_is_alike, {s: rise for s, rise in rises.items() if s not in begins}),
    ):
        came = sum(group.values())
        if fits(came, left):
            moved |= group.keys()
            left = max(left - came, 0.0)
    return moved


def from_elsewhere(
    rising: Amounts, begins: Collection[Subject], falls: Amounts, moved: Amounts
) -> set[Subject]:
    """The owners whose spend another project had before, or that carried no tag, or does not now.

    Args:
        rising: by how much owners cost more.
        begins: those of them whose spend begins.
        falls: by how much endpoints cost less.
        moved: what of that has gone to others of the same project.
    """
    left: defaultdict[Purse, float] = defaultdict(float)
    for subject, fall in falls.items():
        left[purse(subject)] += fall
    for subject, amount in moved.items():
        left[purse(subject)] = max(left[purse(subject)] - amount, 0.0)
    found = set[Subject]()
    for currency in {subject.series.currency for subject in rising}:
        rises = {s: excess for s, excess in rising.items() if s.series.currency == currency}
        tagged = {s: rise for s, rise in rises.items() if s.series.project}
        found |= _of_like_size(tagged, begins, left[currency, ""])
        found.update(s for s in tagged if s in begins and _is_renamed(s, rises[s], falls))
        others = {key for key in left if key[0] == currency} - {purse(s) for s in rises}
        untagged = rises.keys() - tagged.keys()
        if _succeeds(sum(rises[s] for s in untagged), sum(left[key] for key in others)):
            found |= untagged
    return found


def _is_renamed(begun: Subject, rise: float, falls: Amounts) -> bool:
    """Whether another project's model and endpoint of these names have cost about as much."""
    return any(
        _is_alike(rise, fall)
        and fallen.series._replace(project=begun.series.project) == begun.series
        for fallen, fall in falls.items()
    )


def services_moved(rises: Amounts, falls: Amounts, owners_left: float) -> bool:
    """Whether spend on services has only moved among them, as by a new name of AWS's.

    Args:
        rises: by how much services cost more that no owner explains.
        falls: by how much others cost less.
        owners_left: by how much owners cost less that has not moved: then services do as well.
    """
    left = sum(falls.values())
    return owners_left * 2 < left and _is_alike(sum(rises.values()), left)


def _succeeds(came: float, left: float) -> bool:
    return 0 < came <= DEARER * left and left <= CHEAPER * came


def _is_alike(came: float, left: float) -> bool:
    return came > 0 and ALIKE * left <= came <= left / ALIKE
