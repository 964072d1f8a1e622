"""The page of one feature or prediction."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_common.page import Chart, Limit, Series, texts, time_chart
from mlguard_sidecar.histogram import OTHER, Kind
from mlguard_sidecar.models.resolutions import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlguard_sidecar.details import ColumnDetail
    from mlguard_sidecar.models import DayColumn
    from mlguard_sidecar.statistics import ColumnStatistics


@dataclass(frozen=True)
class BinRow:
    """A bin of drift.

    Attributes:
        text: the values in it.
        before: share in what it is compared with; None where that has no values.
        now: share in the window.
        bar_before: the same, as a part of the largest share.
        bar_now: likewise.
    """

    text: str
    before: float | None
    now: float
    bar_before: float
    bar_now: float


def bin_rows(column: ColumnStatistics) -> list[BinRow]:
    """Return the bins of a column, in the order of its values; empty without a baseline."""
    shares = column.bin_shares
    largest = max(
        [*(share.now for share in shares), *(share.before or 0 for share in shares), 1e-9]
    )
    names = _bin_texts(column)
    return [
        BinRow(name, s.before, s.now, (s.before or 0) / largest, s.now / largest)
        for name, s in zip(names, shares, strict=True)
    ]


def _bin_texts(column: ColumnStatistics) -> list[str]:
    labels = [share.label for share in column.bin_shares]
    if column.column.kind is not Kind.NUMERIC:
        return ["all others" if label == OTHER else label for label in labels]
    edges = column.compared.psi_edges if column.compared else ()
    known = [texts.number(edge) for edge in edges]
    if len(set(known)) < len(known):  # too close for four digits
        return labels
    upper = [f"up to {known[0]}"] if known else []
    between = [f"{low} to {high}" for low, high in itertools.pairwise(known)]
    return [*upper, *between, f"above {known[-1]}"] if known else labels


def day_charts(detail: ColumnDetail, now: float, days: int) -> list[Chart]:
    """Return the charts of a column by day: drift, mean and spread, and quality of the data.

    Args:
        detail: the column.
        now: epoch seconds.
        days: number of days.
    """
    end = (int(now) // DAY_SECONDS + 1) * DAY_SECONDS
    starts = range(end - days * DAY_SECONDS, end, DAY_SECONDS)
    known = dict(detail.days)
    columns = [known.get(start) for start in starts]
    times = [float(start) for start in starts]
    threshold = detail.model.settings.thresholds.get("drift_psi")
    is_sliding = detail.windows[0].is_sliding_judged

    def series(name: str, figure: Callable[[DayColumn], float | None]) -> Series:
        return Series(name, [None if each is None else figure(each) for each in columns])

    psi = [
        series("PSI against the baseline", lambda day: day.psi),
        series("what chance would reach", lambda day: day.psi_critical),
    ]
    if is_sliding:
        psi.append(series("PSI against the days before", lambda day: day.reference_psi))
    charts = [
        time_chart(
            "Drift by day",
            times,
            DAY_SECONDS,
            psi,
            texts.number,
            limits=[Limit("threshold", threshold)] if threshold else [],
        )
    ]
    if detail.windows[0].column.kind is Kind.NUMERIC:
        means = [None if each is None else each.mean for each in columns]
        spread = [None if each is None else each.stddev for each in columns]
        name = "mean, \N{PLUS-MINUS SIGN} standard deviation"
        charts.append(
            time_chart(
                "Values by day",
                times,
                DAY_SECONDS,
                [Series(name, means, spread)],
                texts.number,
                from_zero=False,
            )
        )
    unusual = "out of range" if detail.windows[0].column.kind is Kind.NUMERIC else "unseen"
    charts.append(
        time_chart(
            "Missing and unusual values by day",
            times,
            DAY_SECONDS,
            [
                series("missing", lambda day: day.missing / day.rows if day.rows else None),
                series(unusual, _unusual),
                series("invalid", lambda day: day.invalid / day.rows if day.rows else None),
            ],
            texts.percent,
            top=0.01,
        )
    )
    return charts


def _unusual(day: DayColumn) -> float | None:
    found = day.unseen if day.out_of_range is None else day.out_of_range
    return found / day.count if found is not None and day.count else None


def chosen_window(windows: Sequence[ColumnStatistics], wanted: str | None) -> ColumnStatistics:
    """Return the statistics in a window; in the longest one if it is not known."""
    return next((each for each in windows if each.window == wanted), windows[-1])
