"""Spend that is only transferred: to a successor, to or from a tag, to another name."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from mlguard_exporter.analysis.subjects import CostPool, Scope, Subject

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from mlguard_exporter.spikes import Anomaly

Amounts: TypeAlias = "Mapping[Subject, float]"
GONE_DAYS = 3
"""Days without spend after which a subject has ended before, and decreases no more."""
BEFORE_DAYS = 14
NEW_LOW = 0.9
"""A decrease is below this share of the lowest ratio to the expected amount before it."""
ALIKE = 0.8
"""A transfer between known subjects costs at least this share of what it did, and at most 1/0.8."""
MAX_DEARER, MAX_CHEAPER = 2.0, 1.5
"""A successor may be this many times dearer, or cheaper."""


def decreases_on(
    day: date, anomalies: Mapping[Subject, Mapping[date, Anomaly]], scope: Scope
) -> dict[Subject, float]:
    """Return by how much subjects of a scope cost less than before, where that is unusual."""
    found = {s: _decrease(day, a) for s, a in anomalies.items() if s.scope is scope and day in a}
    return {subject: decrease for subject, decrease in found.items() if decrease > 0}


def _decrease(day: date, by_day: Mapping[date, Anomaly]) -> float:
    anomaly = by_day[day]
    recent = [by_day[d].amount for d in _days_before(day, 1, GONE_DAYS) if d in by_day]
    highest = max(recent, default=0.0)
    if highest <= 0 or anomaly.amount < 0:  # a refund is no decrease of use
        return 0.0
    if anomaly.expected is None:
        return highest - anomaly.amount if anomaly.amount * 2 < highest else 0.0
    before = (by_day.get(d) for d in _days_before(day, GONE_DAYS + 1, BEFORE_DAYS))
    ratios = [a.amount / a.expected for a in before if a and a.expected and a.amount >= 0]
    lowest = min(ratios, default=1.0)
    is_low = anomaly.amount < NEW_LOW * lowest * anomaly.expected
    return -anomaly.excess if is_low else 0.0


def _days_before(day: date, first: int, count: int) -> list[date]:
    return [day - timedelta(days=n) for n in range(first, first + count)]


def transfers_within(
    increases: Amounts, starting: Collection[Subject], decreases: Amounts
) -> set[Subject]:
    """Return the subjects whose increase is a transfer within one project.

    First to endpoints of the same model, then to others: to those that start, if they may be a
    successor by their size, and to those that existed, if they are alike.

    Args:
        increases: by how much endpoints, or models, cost more.
        starting: those whose spend starts.
        decreases: by how much endpoints of the project cost less, other than those that increase.
    """
    found = set[Subject]()
    left: defaultdict[str, float] = defaultdict(float)
    for subject, decrease in decreases.items():
        left[subject.series.model] += decrease
    for model in {subject.series.model for subject in increases}:
        group = {s: increase for s, increase in increases.items() if s.series.model == model}
        came = sum(group.values())
        if _is_successor(came, left[model]):
            found |= group.keys()
            left[model] = max(left[model] - came, 0.0)
    rest = {s: increase for s, increase in increases.items() if s not in found}
    return found | _of_like_size(rest, starting, sum(left.values()))


def _of_like_size(increases: Amounts, starting: Collection[Subject], left: float) -> set[Subject]:
    """Return those that start, and those that existed, if they cost about what has left."""
    found = set[Subject]()
    for fits, group in (
        (_is_successor, {s: increase for s, increase in increases.items() if s in starting}),
        (_is_alike, {s: increase for s, increase in increases.items() if s not in starting}),
    ):
        came = sum(group.values())
        if fits(came, left):
            found |= group.keys()
            left = max(left - came, 0.0)
    return found


def transfers_from_elsewhere(
    increasing: Amounts, starting: Collection[Subject], decreases: Amounts, transferred: Amounts
) -> set[Subject]:
    """Return the owners whose spend another project had before, or that gained or lost its tags.

    Args:
        increasing: by how much owners cost more.
        starting: those of them whose spend starts.
        decreases: by how much endpoints cost less.
        transferred: the part of that which stayed in the same project.
    """
    left: defaultdict[CostPool, float] = defaultdict(float)
    for subject, decrease in decreases.items():
        left[subject.cost_pool] += decrease
    for subject, amount in transferred.items():
        left[subject.cost_pool] = max(left[subject.cost_pool] - amount, 0.0)
    found = set[Subject]()
    for currency in {subject.series.currency for subject in increasing}:
        increases = {s: more for s, more in increasing.items() if s.series.currency == currency}
        tagged = {s: increase for s, increase in increases.items() if s.series.project}
        found |= _of_like_size(tagged, starting, left[currency, ""])
        found.update(s for s in tagged if s in starting and _is_renamed(s, tagged[s], decreases))
        others = {pool for pool in left if pool[0] == currency} - {s.cost_pool for s in increases}
        untagged = increases.keys() - tagged.keys()
        if _is_successor(sum(increases[s] for s in untagged), sum(left[pool] for pool in others)):
            found |= untagged
    return found


def _is_renamed(started: Subject, increase: float, decreases: Amounts) -> bool:
    """Return whether another project's model and endpoint of these names cost as much before."""
    return any(
        _is_alike(increase, decrease)
        and before.series._replace(project=started.series.project) == started.series
        for before, decrease in decreases.items()
    )


def are_services_transferred(increases: Amounts, decreases: Amounts, owners_left: float) -> bool:
    """Return whether spend was only transferred among services, as by a new name at AWS.

    Args:
        increases: by how much services cost more that no owner explains.
        decreases: by how much other services cost less.
        owners_left: by how much owners cost less without a transfer: then services do as well.
    """
    left = sum(decreases.values())
    return owners_left * 2 < left and _is_alike(sum(increases.values()), left)


def _is_successor(came: float, left: float) -> bool:
    return 0 < came <= MAX_DEARER * left and left <= MAX_CHEAPER * came


def _is_alike(came: float, left: float) -> bool:
    return came > 0 and ALIKE * left <= came <= left / ALIKE
