"""Which series are judged for spikes, and which spikes are worth telling."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from mlguard_exporter.spend import Kind, Series
from mlguard_exporter.spikes import judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from mlguard_exporter.figures.book import Book, Days
    from mlguard_exporter.spikes import Judging, Verdict

LATE_DAYS = 14
_ZERO = Decimal(0)


class Scope(StrEnum):
    """What a judged series adds up, the finest first."""

    ENDPOINT = "endpoint"
    MODEL = "model"
    PROJECT = "project"
    SERVICE = "service"


class Subject(NamedTuple):
    """What is judged; the series has no model or endpoint where these are added up."""

    scope: Scope
    series: Series


@dataclass(frozen=True)
class Judged:
    """One subject on the judged day.

    Attributes:
        subject: what was judged.
        verdicts: on all its settled days.
        verdict: on the judged day.
        told: whether that is a spike worth telling.
        late_excess: of earlier days that now turned out to be spikes, the largest; None where there
            is none worth telling.
    """

    subject: Subject
    verdicts: Mapping[date, Verdict]
    verdict: Verdict
    told: bool
    late_excess: float | None


def judge_all(book: Book, judging: Judging) -> list[Judged]:
    """Judge the spend of an account on its latest settled day, at every scope.

    A model with one endpoint, or a project with one model, is judged once, at the finer scope.
    A spike is told at the finest scope: not where spikes that are told of its parts make up half of
    it; for a service, those of any owner. Spend that begins is not told either where as much
    leaves what carries no tag: tags have come into use.
    """
    settled = book.settled
    if not settled:
        return []
    day = settled[-1]
    subjects = _subjects(book)
    found: dict[Subject, tuple[dict[date, Verdict], float | None]] = {}
    for subject, parts in subjects.items():
        days = _added(book, parts, settled)
        spent = max((d for d, amount in days.items() if amount), default=None)
        if spent is None or (day - spent).days > judging.silence_days:
            continue
        verdicts = judge(days, judging, known_from=book.first_known)
        found[subject] = verdicts, _late(book, judging, parts, verdicts, settled)
    of_the_day = {subject: verdicts[day] for subject, (verdicts, _) in found.items()}
    spikes = {s: verdict.excess for s, verdict in of_the_day.items() if verdict.spike}
    told = _finest(spikes, subjects)
    told -= _newly_tagged(of_the_day, told)
    told_late = _finest({s: late for s, (_, late) in found.items() if late is not None}, subjects)
    return [
        Judged(
            subject, verdicts, verdicts[day], subject in told,
            late if subject in told_late else None,
        )
        for subject, (verdicts, late) in found.items()
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


def _late(
    book: Book,
    judging: Judging,
    parts: Sequence[Series],
    verdicts: Mapping[date, Verdict],
    settled: Sequence[date],
) -> float | None:
    """The largest excess of a day that was no spike, or not known, a day ago."""
    news = {day for part in parts for day in book.before.get(part, ())}
    recent = [d for d in settled[:-1] if d in news and d > settled[-1] - timedelta(days=LATE_DAYS)]
    suspects = [day for day in recent if day in verdicts and verdicts[day].spike]
    if not suspects:
        return None
    before = dict(_added(book, parts, settled))
    for day in news & before.keys():
        amounts = [_before(book, part, day) for part in parts]
        if all(amount is None for amount in amounts):
            del before[day]
        else:
            before[day] = sum((a for a in amounts if a is not None), _ZERO)
    judged = judge(before, judging, known_from=book.first_known)
    late = [verdicts[day].excess for day in suspects if day not in judged or not judged[day].spike]
    return max(late, default=None)


def _before(book: Book, part: Series, day: date) -> Decimal | None:
    changed = book.before.get(part, {})
    return changed[day] if day in changed else book.amounts[part].get(day)


def _finest(
    excesses: Mapping[Subject, float], subjects: Mapping[Subject, Sequence[Series]]
) -> set[Subject]:
    """Those that such parts of theirs do not explain."""
    told: set[Subject] = set()
    for scope in Scope:
        for subject in (s for s in excesses if s.scope is scope):
            if _explained(subject, excesses, subjects, told) * 2 < excesses[subject]:
                told.add(subject)
    return told


def _explained(
    subject: Subject,
    excesses: Mapping[Subject, float],
    subjects: Mapping[Subject, Sequence[Series]],
    told: set[Subject],
) -> float:
    """The excess of the subject's parts that are told, each amount once."""
    explained, counted = 0.0, set[Series]()
    for scope in (Scope.PROJECT, Scope.MODEL, Scope.ENDPOINT):
        for other in (other for other in told if other.scope is scope is not subject.scope):
            parts = set(subjects[other])
            if subject.scope is Scope.SERVICE:
                inside = other.series.currency == subject.series.currency
            else:
                inside = parts <= set(subjects[subject])
            if inside and not parts & counted:
                explained += excesses[other]
                counted |= parts
    return explained


def _newly_tagged(verdicts: Mapping[Subject, Verdict], told: set[Subject]) -> set[Subject]:
    """Spend that begins while as much leaves what carries no tag."""
    begun = {s for s in told if s.scope is not Scope.SERVICE and verdicts[s].expected == 0}
    left = -sum(
        min(verdict.excess, 0.0)
        for subject, verdict in verdicts.items()
        if subject.scope is Scope.ENDPOINT and not subject.series.project
    )
    return begun if left * 2 >= sum(verdicts[s].excess for s in begun) else set()
