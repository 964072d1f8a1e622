"""Which of a day's spikes are worth telling: each amount once, where it comes from."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from mlguard_exporter.figures.moves import (
    Amounts,
    Purse,
    falls_on,
    from_elsewhere,
    moved_within,
    purse,
    services_moved,
)
from mlguard_exporter.figures.subject import Scope, Subject

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from mlguard_exporter.spikes import Verdict

Verdicts: TypeAlias = "Mapping[Subject, Mapping[date, Verdict]]"
YOUNG_DAYS = 7
"""Days after its begin in which spend explains that what holds it has risen."""


def told_by_day(verdicts: Verdicts, first: date) -> dict[date, set[Subject]]:
    """The subjects whose spike is worth telling, of each day that has any.

    Those are told that told spikes of their parts do not make up by half. Not told is what comes
    from elsewhere, as `moves` tells. Spend that has begun explains for a week that what holds it
    costs more, as far as by its first two days. The parts of a service are not known: each told
    owner's excess counts as the service's that is nearest to it in size.

    Args:
        verdicts: of all subjects.
        first: the first day to tell of.
    """
    spikes_by_day: dict[date, dict[Subject, float]] = {}
    for subject, judged in verdicts.items():
        for day, verdict in judged.items():
            if verdict.spike and day >= first - timedelta(days=YOUNG_DAYS):
                spikes_by_day.setdefault(day, {})[subject] = verdict.excess
    told: dict[date, set[Subject]] = {}
    begun: dict[Subject, date] = {}
    new = set[Subject]()
    for day in sorted(spikes_by_day):
        spikes = spikes_by_day[day]
        falls = falls_on(day, verdicts, Scope.ENDPOINT)
        young = _young(day, verdicts, begun)
        begins = {s for s in spikes if verdicts[s][day].begins}
        owners, moved = _finest(spikes, begins, young, falls)
        news = owners.keys() - from_elsewhere(owners, begins, falls, moved)
        for subject in begins & owners.keys():
            begun[subject] = day
        new |= begins & news
        excesses = {s: amount for s, amount in young.items() if s in new}
        excesses |= {s: owners[s] for s in news}
        services = _unexplained_services(spikes, excesses)
        owners_left = max(sum(falls.values()) - sum(moved.values()), 0.0)
        if services and services_moved(
            services, falls_on(day, verdicts, Scope.SERVICE), owners_left
        ):
            services = {}
        told[day] = news | services.keys()
    return told


def _young(day: date, verdicts: Verdicts, begun: Mapping[Subject, date]) -> dict[Subject, float]:
    """What spend costs that has begun lately, but no more than its first two days."""
    found = {}
    for subject, begin in begun.items():
        judged = verdicts[subject]
        if day in judged and (day - begin).days <= YOUNG_DAYS:
            first_days = (begin, begin + timedelta(days=1))
            most = max(judged[d].amount for d in first_days if d in judged)
            found[subject] = min(judged[day].amount, most)
    return found


def _finest(
    spikes: Amounts, begins: Collection[Subject], young: Amounts, falls: Amounts
) -> tuple[dict[Subject, float], dict[Subject, float]]:
    """The owners that spikes of their parts, or parts that are young, do not explain.

    Apart from them, what has only moved from other parts of the same project. The excess of what
    it moved within, a model or the project, is what has come in addition.
    """
    told, moved = dict[Subject, float](), dict[Subject, float]()
    parts: defaultdict[Subject, dict[Subject, float]] = defaultdict(dict)
    for scope in (Scope.ENDPOINT, Scope.MODEL, Scope.PROJECT):
        explaining = {s: amount for s, amount in young.items() if s.scope is scope}
        rising: defaultdict[Purse, dict[Subject, float]] = defaultdict(dict)
        for subject in [s for s in spikes if s.scope is scope]:
            explained = sum(parts[subject][s] for s in _outermost(parts[subject]))
            if explained * 2 < spikes[subject]:
                rising[purse(subject)][subject] = spikes[subject]
        for key, group in rising.items():
            others = {
                fallen: amount
                for fallen, amount in falls.items()
                if purse(fallen) == key
                and not any(each in group for each in (fallen, *fallen.holders()))
            }
            within = moved_within(group, begins, others)
            moved |= {s: group[s] for s in within}
            stays = {s: group[s] for s in group.keys() - within}
            told |= stays
            explaining |= stays
        for subject, excess in explaining.items():
            for holder in subject.holders():
                parts[holder][subject] = excess
    return told, moved


def _unexplained_services(spikes: Amounts, owners: Amounts) -> dict[Subject, float]:
    """The services that the excesses of owners do not explain."""
    left = {s: excess for s, excess in spikes.items() if s.scope is Scope.SERVICE}
    for owner in sorted(_outermost(owners), key=lambda s: -owners[s]):
        nearest = min(
            (s for s in left if s.series.currency == owner.series.currency),
            key=lambda s: abs(left[s] - owners[owner]),
            default=None,
        )
        if nearest is not None and spikes[nearest] * 2 >= owners[owner]:
            left[nearest] -= owners[owner]
    return {s: spikes[s] for s, rest in left.items() if rest * 2 > spikes[s]}


def _outermost(subjects: Collection[Subject]) -> list[Subject]:
    """Those that no other holds, so that each amount is there once."""
    return [s for s in subjects if not any(holder in subjects for holder in s.holders())]
