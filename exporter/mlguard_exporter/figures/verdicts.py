"""The verdicts on all spend of an account, at every scope."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from mlguard_exporter.figures.moves import LEAVING_DAYS
from mlguard_exporter.figures.subject import Scope, Subject
from mlguard_exporter.figures.telling import YOUNG_DAYS, told_by_day
from mlguard_exporter.spend import Kind, Series
from mlguard_exporter.spikes import judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from mlguard_exporter.figures.book import Book, Days
    from mlguard_exporter.spikes import Judging, Verdict

RECENT_DAYS = 14
"""Days before the judged day of which a spike is still worth telling."""
_LEFT_DAYS = RECENT_DAYS + YOUNG_DAYS + LEAVING_DAYS
"""What has spent nothing for longer left before any day that is still told of."""
_ZERO = Decimal(0)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """What was made of one subject.

    Attributes:
        subject: what was judged.
        verdicts: on all its settled days.
        verdict: on the judged day.
        told: days, that one and the two weeks before it, on which a spike is worth telling.
    """

    subject: Subject
    verdicts: Mapping[date, Verdict]
    verdict: Verdict
    told: frozenset[date]


def judge_all(book: Book, judging: Judging) -> list[Judged]:
    """Judge the spend of an account until its latest settled day, at every scope.

    A model with one endpoint, or a project with one model, is judged once, at the finer scope.
    """
    settled = book.settled
    if not settled:
        return []
    last = settled[-1]
    subjects = _subjects(book)
    found: dict[Subject, dict[date, Verdict]] = {}
    shown = set()
    for subject, parts in subjects.items():
        days = _added(book, parts, settled)
        spent = max((d for d, amount in days.items() if amount), default=None)
        if spent is None:
            continue
        silent_days = (last - spent).days
        if silent_days <= judging.silence_days:
            shown.add(subject)
        if silent_days <= max(judging.silence_days, _LEFT_DAYS):
            try:
                found[subject] = judge(days, judging, known_from=book.first_known)
            except Exception:  # whatever is wrong with one costs no other its figures
                log.exception("%s: %s is not judged", book.account, subject)
    recent = [day for day in settled if (last - day).days <= RECENT_DAYS]
    told = told_by_day(found, recent[0])
    return [
        Judged(
            subject, verdicts, verdicts[last],
            frozenset(day for day in recent if subject in told.get(day, ())),
        )
        for subject, verdicts in found.items()
        if subject in shown
    ]  # fmt: skip


def _subjects(book: Book) -> dict[Subject, list[Series]]:
    """Each subject with the series that it adds up."""
    owners, services = book.of(Kind.OWNER), book.of(Kind.SERVICE)
    models, projects = defaultdict(list), defaultdict(list)
    for series in owners:
        models[series._replace(endpoint="")].append(series)
        projects[series._replace(model="", endpoint="")].append(series)
    return {
        **{Subject(Scope.ENDPOINT, series): [series] for series in owners},
        **{Subject(Scope.MODEL, s): parts for s, parts in models.items() if len(parts) > 1},
        **{
            Subject(Scope.PROJECT, s): parts
            for s, parts in projects.items()
            if len({part.model for part in parts}) > 1
        },
        **{Subject(Scope.SERVICE, series): [series] for series in services},
    }


def _added(book: Book, parts: Sequence[Series], settled: Sequence[date]) -> Days:
    """The parts' settled days together; from the first amount on, a day without one is zero."""
    days: Days = {}
    for day in settled:
        amounts = [book.amounts[part][day] for part in parts if day in book.amounts[part]]
        if amounts or days:
            days[day] = sum(amounts, _ZERO)
    return days
