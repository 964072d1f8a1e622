"""Which of a day's spikes are worth telling: each amount once, where it comes from."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from mlguard_exporter.figures.subject import Scope, Subject

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from mlguard_exporter.spikes import Verdict

Verdicts: TypeAlias = "Mapping[Subject, Mapping[date, Verdict]]"
Purse = tuple[str, str]
"""A currency and a project."""
LEFT_DAYS = 3
"""What has cost nothing for so long left before, and makes room for nothing."""


def told_by_day(verdicts: Verdicts) -> dict[date, set[Subject]]:
    """The subjects whose spike is worth telling, of each day.

    Those are told that told spikes of their parts do not make up by half. Spend that begins is not
    told, where at least half as much leaves the rest of its project, as a new version takes over
    or a tag is added, or leaves what carries no tag. While it is too young for a level it explains
    the rise of what holds it. The parts of a service are not known: each told owner's excess
    counts as the service's that is nearest to it in size.

    Args:
        verdicts: of all subjects on all days, as what began earlier counts.

    Returns:
        The days on which there is any.
    """
    spikes_by_day: dict[date, dict[Subject, float]] = {}
    for subject, judged in verdicts.items():
        for day, verdict in judged.items():
            if verdict.spike:
                spikes_by_day.setdefault(day, {})[subject] = verdict.excess
    told: dict[date, set[Subject]] = {}
    begun, moved = set[Subject](), set[Subject]()
    for day, spikes in sorted(spikes_by_day.items(), key=itemgetter(0)):
        grown = _young(day, verdicts, begun | moved)
        finest = _finest(spikes, grown)
        moving = _moved(day, verdicts, spikes)
        moved |= moving
        owners = finest - moving
        begun |= {s for s in owners if verdicts[s][day].begins}
        excesses = {s: spikes[s] for s in owners} | _young(day, verdicts, begun)
        told[day] = owners | _unexplained_services(spikes, excesses)
    return told


def _young(day: date, verdicts: Verdicts, begun: Iterable[Subject]) -> dict[Subject, float]:
    """What those cost that have begun and have no level yet."""
    days = {s: verdicts[s][day] for s in begun if day in verdicts[s]}
    return {s: verdict.amount for s, verdict in days.items() if verdict.expected is None}


def _moved(day: date, verdicts: Verdicts, spikes: Mapping[Subject, float]) -> set[Subject]:
    """Spend that begins as other spend leaves."""
    begun = {s: excess for s, excess in spikes.items() if verdicts[s][day].begins}
    finest = _finest(begun, {})
    if not finest:
        return set()
    came, left = defaultdict[Purse, float](float), defaultdict[Purse, float](float)
    for subject in finest:
        came[_purse(subject)] += begun[subject]
    for subject, judged in verdicts.items():
        if subject.scope is Scope.ENDPOINT and day in judged and _spent_lately(day, judged):
            left[_purse(subject)] += max(-judged[day].excess, 0.0)
    moved = {purse for purse in came if left[purse] * 2 >= came[purse]}
    for currency in {currency for currency, _ in came}:
        rest = [p for p in came if p[0] == currency and p not in moved]
        if left[currency, ""] * 2 >= sum(came[p] for p in rest):
            moved.update(rest)
    return {s for s in begun if s.scope is not Scope.SERVICE and _purse(s) in moved}


def _purse(subject: Subject) -> Purse:
    return subject.series.currency, subject.series.project


def _spent_lately(day: date, judged: Mapping[date, Verdict]) -> bool:
    days = (day - timedelta(days=n) for n in range(1, LEFT_DAYS + 1))
    return any(judged[d].amount > 0 for d in days if d in judged)


def _finest(spikes: Mapping[Subject, float], young: Mapping[Subject, float]) -> set[Subject]:
    """The owners that spikes of their parts, or parts that are young, do not explain."""
    told: set[Subject] = set()
    parts: dict[Subject, dict[Subject, float]] = {}
    for scope in (Scope.ENDPOINT, Scope.MODEL, Scope.PROJECT):
        found = {s: excess for s, excess in young.items() if s.scope is scope}
        for subject in [s for s in spikes if s.scope is scope]:
            explaining = parts.get(subject, {})
            if sum(explaining[s] for s in _outermost(explaining)) * 2 < spikes[subject]:
                told.add(subject)
                found[subject] = spikes[subject]
        for subject, excess in found.items():
            for holder in subject.holders():
                parts.setdefault(holder, {})[subject] = excess
    return told


def _unexplained_services(
    spikes: Mapping[Subject, float], owners: Mapping[Subject, float]
) -> set[Subject]:
    """The services that the excesses of owners do not explain."""
    left = {s: excess for s, excess in spikes.items() if s.scope is Scope.SERVICE}
    for owner in sorted(_outermost(owners), key=lambda s: -owners[s]):
        nearest = min(
            (s for s in left if s.series.currency == owner.series.currency),
            key=lambda s: abs(left[s] - owners[owner]),
            default=None,
        )
        if nearest is not None:
            left[nearest] -= owners[owner]
    return {s for s, rest in left.items() if rest * 2 > spikes[s]}


def _outermost(subjects: Collection[Subject]) -> list[Subject]:
    """Those that no other holds, so that each amount is there once."""
    return [s for s in subjects if not any(holder in subjects for holder in s.holders())]
