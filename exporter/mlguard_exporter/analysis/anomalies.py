"""The anomalies of an account, at every scope."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_exporter.analysis.attribution import YOUNG_DAYS, attribute_spikes
from mlguard_exporter.analysis.subjects import subjects_of, sum_by_day
from mlguard_exporter.analysis.transfers import GONE_DAYS
from mlguard_exporter.spikes import detect_spikes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from mlguard_exporter.analysis.account_costs import AccountCosts
    from mlguard_exporter.analysis.subjects import Subject
    from mlguard_exporter.spikes import Anomaly, SpikeConfig

RECENT_DAYS = 14
"""Days before the judged day whose spikes are still reported."""
_ENDED_DAYS = RECENT_DAYS + YOUNG_DAYS + GONE_DAYS
"""Silent days after which a subject matters to no recent day."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SubjectAnomalies:
    """The anomalies of one subject.

    Attributes:
        subject: what was compared.
        by_day: of all its settled days.
        latest: of the judged day, which is the latest settled one.
        reportable: days, the judged one and the two weeks before it, whose spike is attributed to
            this subject.
    """

    subject: Subject
    by_day: Mapping[date, Anomaly]
    latest: Anomaly
    reportable: frozenset[date]


def detect_anomalies(costs: AccountCosts, config: SpikeConfig) -> list[SubjectAnomalies]:
    """Return the anomalies of an account until its latest settled day, at every scope.

    Subjects that have been silent for `silence_days` are left out.
    """
    settled = costs.settled
    if not settled:
        return []
    last = settled[-1]
    found: dict[Subject, dict[date, Anomaly]] = {}
    shown = set()
    for subject, parts in subjects_of(costs).items():
        days = sum_by_day(costs, parts, settled)
        spent = max((d for d, amount in days.items() if amount), default=None)
        if spent is None:
            continue
        silent_days = (last - spent).days
        if silent_days <= config.silence_days:
            shown.add(subject)
        if silent_days <= max(config.silence_days, _ENDED_DAYS):
            try:
                found[subject] = detect_spikes(days, config, known_from=costs.first_known)
            except Exception:  # a fault with one subject costs no other its figures
                log.exception("%s: the anomalies of %s are not known", costs.account, subject)
    recent = [day for day in settled if (last - day).days <= RECENT_DAYS]
    spikes = attribute_spikes(found, recent[0])
    return [
        SubjectAnomalies(
            subject, anomalies, anomalies[last],
            frozenset(day for day in recent if subject in spikes.get(day, ())),
        )
        for subject, anomalies in found.items()
        if subject in shown
    ]  # fmt: skip
