"""Which subject a day's spike is attributed to: each amount once, where it comes from."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from mlguard_exporter.analysis.subjects import CostPool, Scope, Subject
from mlguard_exporter.analysis.transfers import (
    Amounts,
    are_services_transferred,
    decreases_on,
    transfers_from_elsewhere,
    transfers_within,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from mlguard_exporter.spikes import Anomaly

Anomalies: TypeAlias = "Mapping[Subject, Mapping[date, Anomaly]]"
YOUNG_DAYS = 7
"""Days after its begin in which new spend explains an increase of its parents."""


def attribute_spikes(anomalies: Anomalies, first: date) -> dict[date, set[Subject]]:
    """Return the subjects that each day's spikes are attributed to.

    - A subject's spike counts unless attributed spikes of its parts make up half of it.
    - Transfers from elsewhere do not count; see `transfers`.
    - New spend explains an increase of its parents for a week, up to the most of its first two
      days.
    - The parts of a service are not known: the excess of each owner counts as that of the service
      that is nearest to it in size.

    Args:
        anomalies: of all subjects.
        first: the first day of interest.
    """
    spikes_by_day: dict[date, dict[Subject, float]] = {}
    for subject, by_day in anomalies.items():
        for day, anomaly in by_day.items():
            if anomaly.is_spike and day >= first - timedelta(days=YOUNG_DAYS):
                spikes_by_day.setdefault(day, {})[subject] = anomaly.excess
    attributed: dict[date, set[Subject]] = {}
    started: dict[Subject, date] = {}
    new = set[Subject]()
    for day in sorted(spikes_by_day):
        spikes = spikes_by_day[day]
        decreases = decreases_on(day, anomalies, Scope.ENDPOINT)
        young = _young_spend(day, anomalies, started)
        starting = {s for s in spikes if anomalies[s][day].is_start}
        owners, transferred = _finest_owners(spikes, starting, young, decreases)
        elsewhere = transfers_from_elsewhere(owners, starting, decreases, transferred)
        remaining = owners.keys() - elsewhere
        for subject in starting & owners.keys():
            started[subject] = day
        new |= starting & remaining
        excesses = {s: amount for s, amount in young.items() if s in new}
        excesses |= {s: owners[s] for s in remaining}
        services = _unexplained_services(spikes, excesses)
        owners_left = max(sum(decreases.values()) - sum(transferred.values()), 0.0)
        if services and are_services_transferred(
            services, decreases_on(day, anomalies, Scope.SERVICE), owners_left
        ):
            services = {}
        attributed[day] = remaining | services.keys()
    return attributed


def _young_spend(
    day: date, anomalies: Anomalies, started: Mapping[Subject, date]
) -> dict[Subject, float]:
    """Return the spend of subjects in their first week, up to the most of its first two days."""
    found = {}
    for subject, start in started.items():
        by_day = anomalies[subject]
        if day in by_day and (day - start).days <= YOUNG_DAYS:
            first_days = (start, start + timedelta(days=1))
            most = max(by_day[d].amount for d in first_days if d in by_day)
            found[subject] = min(by_day[day].amount, most)
    return found


def _finest_owners(
    spikes: Amounts, starting: Collection[Subject], young: Amounts, decreases: Amounts
) -> tuple[dict[Subject, float], dict[Subject, float]]:
    """Return the owners whose spikes their parts do not explain, and those of transfers.

    Transfers are increases that have come from other parts of the same project. The excess of a
    model or project is what has come in addition.
    """
    finest, transferred = dict[Subject, float](), dict[Subject, float]()
    parts: defaultdict[Subject, dict[Subject, float]] = defaultdict(dict)
    for scope in (Scope.ENDPOINT, Scope.MODEL, Scope.PROJECT):
        explaining = {s: amount for s, amount in young.items() if s.scope is scope}
        increasing: defaultdict[CostPool, dict[Subject, float]] = defaultdict(dict)
        for subject in [s for s in spikes if s.scope is scope]:
            explained = sum(parts[subject][s] for s in _outermost(parts[subject]))
            if explained * 2 < spikes[subject]:
                increasing[subject.cost_pool][subject] = spikes[subject]
        for pool, group in increasing.items():
            others = {
                decreased: amount
                for decreased, amount in decreases.items()
                if decreased.cost_pool == pool
                and not any(each in group for each in (decreased, *decreased.parents()))
            }
            within = transfers_within(group, starting, others)
            transferred |= {s: group[s] for s in within}
            stays = {s: group[s] for s in group.keys() - within}
            finest |= stays
            explaining |= stays
        for subject, excess in explaining.items():
            for parent in subject.parents():
                parts[parent][subject] = excess
    return finest, transferred


def _unexplained_services(spikes: Amounts, owners: Amounts) -> dict[Subject, float]:
    """Return the services whose spikes the excesses of owners do not explain."""
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
    """Return those without a parent among them, so that each amount is there once."""
    return [s for s in subjects if not any(parent in subjects for parent in s.parents())]
