"""What a person should know about a baseline: its columns, and what is doubtful."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline import close_values, decide_feature, decide_prediction
from mlguard_sidecar.drift import MIN_SAMPLES_A_BIN
from mlguard_sidecar.histogram import Kind, Role
from mlguard_sidecar.histogram.values import INVALID, as_number, is_missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mlguard_sidecar.baseline import ColumnBaseline, ColumnSample
    from mlguard_sidecar.training_data.build import Built

_CONSTANT_SHARE = 0.99
_IDENTIFIER_SHARE = 0.9
_MIN_IDENTIFIERS = 100
_MIXED_SHARE = 0.5
_FEW_WORDS = 3
_MAX_LISTED = 8
_SECONDS = (946_684_800.0, 4_102_444_800.0)  # the years 2000 to 2100
_DAYS = (19000101.0, 21001231.0)


def column_table(built: Built) -> list[tuple[str, ...]]:
    """Return a table of the columns of a baseline, its heading first."""
    rows: list[tuple[str, ...]] = [
        ("COLUMN", "KIND", "WHY", "VALUES", "MISSING", "INVALID", "DISTINCT", "BINS")
    ]
    for part in built.baseline.columns:
        column, sample = part.column, _sample_of(built, part)
        numbers = [
            part.counts[: column.bins].sum(),
            part.counts[column.missing],
            part.counts[column.invalid],
            _distinct(part, sample),
            len(part.psi_labels),
        ]
        shown = (column.name[:40], str(column.kind), _why(part, sample))
        rows.append((*shown, *(f"{int(n):,}" for n in numbers)))
    return rows


def doubts(built: Built) -> list[str]:
    """Return what is doubtful about a baseline, a line each, with the option that would help."""
    columns: dict[str, list[str]] = {}
    for part in built.baseline.columns:
        for doubt in _doubts(part, _sample_of(built, part)):
            columns.setdefault(doubt, []).append(part.column.name[:40])
    return [f"{_listed(names)}: {doubt}" for doubt, names in columns.items()]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more


def _doubts(part: ColumnBaseline, sample: ColumnSample) -> Iterator[str]:
    column = part.column
    valid = int(part.counts[: column.bins].sum())
    is_feature = column.role is Role.FEATURE
    yield from _mixed(part, sample)
    close = close_values(sample.numbers()) if column.kind is Kind.NUMERIC else 0
    if close:
        yield (
            f"{close:,} neighbouring values are so close that float32 and float64 may fall into"
            " different bins"
        )
    if valid < MIN_SAMPLES_A_BIN * len(part.psi_labels):
        yield (
            f"{valid:,} values, and {len(part.psi_labels)} bins: too few ever to judge its drift;"
            f" use at least {MIN_SAMPLES_A_BIN} rows a bin, or fewer --bins"
        )
    distinct = _distinct(part, sample)
    if valid >= _MIN_IDENTIFIERS and distinct == 1:
        yield "constant: any other value will be drift"
    elif valid >= _MIN_IDENTIFIERS and (top := _top_share(part, sample)) > _CONSTANT_SHARE:
        yield f"nearly constant: {top:.1%} of its values are the same"
    if not is_feature:
        return
    name = column.name[:40]
    if column.kind is Kind.CATEGORICAL:
        if valid >= _MIN_IDENTIFIERS and distinct >= _IDENTIFIER_SHARE * valid:
            yield f"like an identifier: {distinct:,} distinct texts; try --drop '{name}'"
        elif valid and part.counts[column.bins - 1] > valid / 2:
            yield f"{distinct:,} categories; all but the 100 most frequent are one bin"
        return
    yield from _like_other_numbers(name, sample.numbers(), distinct)


def _like_other_numbers(name: str, numbers: NDArray[np.float64], distinct: int) -> Iterator[str]:
    """Yield what numbers look like that are no quantity."""
    if len(numbers) < _MIN_IDENTIFIERS or (numbers != np.floor(numbers)).any():
        return
    low, high = numbers.min(), numbers.max()
    for factor in (1.0, 1e3, 1e6, 1e9):
        if _SECONDS[0] * factor <= low and high <= _SECONDS[1] * factor:
            yield f"like a time in epoch units, which always drifts; try --drop '{name}'"
            return
    if _DAYS[0] <= low and high <= _DAYS[1] and (numbers % 100 <= 31).all():
        yield f"like a date, which always drifts; try --drop '{name}'"
    elif distinct == len(numbers):
        yield f"like an identifier: every value is another whole number; try --drop '{name}'"


def _mixed(part: ColumnBaseline, sample: ColumnSample) -> Iterator[str]:
    """Yield what stands among the values that is not of the column's kind."""
    column, words = part.column, part.column.missing_words
    others = [
        (value, n)
        for value, n in sample.others()
        if (number := as_number(value, words)) is None or np.isfinite(number)
    ]
    texts = [(v, n) for v, n in others if isinstance(v, str)]
    named = ", ".join(repr(text)[:30] for text, _ in sorted(texts, key=lambda each: -each[1])[:3])
    invalid = int(part.counts[column.invalid])
    if column.kind is Kind.NUMERIC:
        if invalid:
            such = f", such as {named}" if named else ""
            hint = f"; if they mean missing, try --missing {named.split(', ')[0]}" if named else ""
            yield f"{invalid:,} values are no numbers{such}: they count as invalid{hint}"
        return
    numbers = len(sample.numbers())
    if (
        column.role is Role.FEATURE
        and numbers
        and numbers >= _MIXED_SHARE * sum(n for _, n in texts)
    ):
        share = numbers / (numbers + sum(n for _, n in others))
        hint = f"; if these mean missing, try --missing {named.split(', ')[0]}"
        few = len(texts) <= _FEW_WORDS
        if share < 1:
            yield f"mixed: {share:.0%} numbers, and texts such as {named}{hint if few else ''}"
    if any(value is INVALID for value, _ in others):
        yield f"{invalid:,} lists or objects: they count as invalid"


def _sample_of(built: Built, part: ColumnBaseline) -> ColumnSample:
    is_feature = part.column.role is Role.FEATURE
    samples = built.sample.features if is_feature else built.sample.predictions
    return samples[part.column.name]


def _why(part: ColumnBaseline, sample: ColumnSample) -> str:
    if part.column.name == "y_proba" and part.column.role is Role.PREDICTION:
        return "probabilities"
    decide = decide_feature if part.column.role is Role.FEATURE else decide_prediction
    found = decide(sample, None, part.column.missing_words)
    return found.why if found.kind is part.column.kind else "option"


def _distinct(part: ColumnBaseline, sample: ColumnSample) -> int:
    if part.column.kind is Kind.NUMERIC:
        return len(np.unique(sample.numbers()))
    return sum(1 for _ in sample.distinct())


def _top_share(part: ColumnBaseline, sample: ColumnSample) -> float:
    """Return the share of the most frequent value."""
    if part.column.kind is Kind.NUMERIC:
        _, found = np.unique(sample.numbers(), return_counts=True)
        return float(found.max(initial=0) / max(found.sum(), 1))
    counts = [n for value, n in sample.distinct() if not is_missing(value)]
    return max(counts, default=0) / max(sum(counts), 1)
