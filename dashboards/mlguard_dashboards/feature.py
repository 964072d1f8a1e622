"""Feature: how one feature or prediction of a model has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_dashboards import distributions as dist
from mlguard_dashboards import panels as p
from mlguard_dashboards import queries as q
from mlguard_dashboards.frame import ONE_MODEL, dashboard, of_model, query_variable

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from mlguard_dashboards.layout import Placed

_FEATURE = 'feature="$feature"'
_COLUMN = f"{ONE_MODEL}, {_FEATURE}"
_WINDOW = f'{_COLUMN}, window="$window"'
_BINS = f'{_COLUMN}, baseline="$baseline"'
_WINDOWS = "mlguard_drift_samples|mlguard:feature_samples:increase"


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        "feature",
        "One feature or prediction: its distribution, drift, values and their quality.",
        [
            *of_model(),
            query_variable(
                "feature",
                "Column",
                f"label_values(mlguard_feature_bin_total{{{ONE_MODEL}}}, feature)",
            ),
            query_variable(
                "window",
                "Window",
                f'label_values({{__name__=~"{_WINDOWS}", {ONE_MODEL}}}, window)',
            ).description("1d is the day of the recording rules, over all replicas"),
            query_variable(
                "baseline", "Baseline", f"query_result(mlguard_baseline_info{{{ONE_MODEL}}})"
            )
            .regex('/baseline="([^"]+)"/')
            .description("The baseline in use; two of them while replicas change"),
        ],
        [
            _numbers(),
            [_distribution(), _moved()],
            [_psi(), _reference()],
            [_values(), _quality()],
            [_shares()],
        ],
        alerts=q.firing(_COLUMN),
        links=("model", "fleet", "health"),
    )


def _numbers() -> list[Placed]:
    samples = (
        f"min(mlguard_drift_samples{{{_WINDOW}}})\n"
        f"or min(mlguard:feature_samples:increase{{{_WINDOW}}})"
    )
    return [
        p.number(
            "Drift / limit",
            "The index as a multiple of its limit, of the window that has least, which is what"
            " alerts judge. From 1 on, and beyond chance, the column has drifted.",
            f"max({q.drift_ratio(ONE_MODEL, _FEATURE)})",
            "none",
            steps=p.OVER_ONE,
            decimals=2,
        ),
        p.number(
            "PSI",
            "Population stability index of the window chosen against the baseline: 0 is the same"
            " distribution. Absent with few samples.",
            f"max({q.psi(_WINDOW)})",
            "none",
            decimals=3,
        ),
        p.number(
            "Chance",
            "Index that chance alone would rarely exceed with as many samples. An index below it"
            " means nothing.",
            f"max({q.psi_critical(_WINDOW)})",
            "none",
            decimals=3,
        ),
        p.number(
            "Samples",
            "Valid values in the window chosen, of the replica that has fewest; with exposition:"
            " fleet of all replicas.",
            samples,
            p.COUNT,
        ),
        p.number(
            "Missing",
            "Share of the window's events without a value of the feature, of the worst replica."
            " Red from its limit on, which counts beyond the baseline's share. Needs exposition:"
            " full.",
            f"max(mlguard_feature_missing_ratio{{{_WINDOW}}})",
            p.RATIO,
            limit=_limit("missing", "missing"),
            decimals=1,
        ),
        p.number(
            "Outside of the baseline",
            "Share of the window's values that are out of the baseline's range, or categories"
            " that it does not have, of the worst replica. Needs exposition: full.",
            f"max(mlguard_feature_out_of_range_ratio{{{_WINDOW}}})"
            f" or max(mlguard_feature_unseen_ratio{{{_WINDOW}}})",
            p.RATIO,
            decimals=1,
        ),
    ]


def _limit(name: str, baseline: str = "") -> str:
    limit = f"max(mlguard_feature_{name}_ratio_threshold{{{ONE_MODEL}}} > 0)"
    if not baseline:
        return limit
    return f"{limit} + max(mlguard_baseline_{baseline}_ratio{{{_COLUMN}}})"


def _distribution() -> Placed:
    return dist.bin_chart(
        "Baseline and window chosen",
        "Share of each bin in the baseline and among the values of the window chosen, over all"
        " replicas. Bins are those of the index, of about equal share in the baseline.",
        {
            "baseline": q.with_upper_edge(q.baseline_ratio(_BINS)),
            "window": q.with_upper_edge(q.bin_ratio(_BINS, "$window")),
        },
        width=14,
        height=9,
    )


def _moved() -> Placed:
    return dist.ranking(
        "Bins that moved",
        "Summand of each bin in the index, over all replicas: together they are the PSI, and the"
        " largest explains most of it.",
        {"{{bin}}": f"sort_desc({q.bin_contribution(_BINS, '$window')})"},
        "none",
        width=10,
        height=9,
    )


def _psi() -> Placed:
    return p.graph(
        "Drift from the baseline",
        "Population stability index against the baseline for each window, its limit (dashed), and"
        " what chance alone would rarely exceed (dotted). The alert needs every window above the"
        " limit, and one beyond chance. With exposition: fleet it is that of all replicas, by"
        " recording rules.",
        {
            "PSI {{window}}": f"max by (window) ({q.psi(_COLUMN)})",
            "chance {{window}}": f"max by (window) ({q.psi_critical(_COLUMN)})",
            "limit": f"max({q.limit('mlguard_drift_psi_threshold', ONE_MODEL)})",
        },
        "none",
    )


def _reference() -> Placed:
    return p.graph(
        "Drift from the days before, and Jensen-Shannon distance",
        "Population stability index against the days before, which tells a sudden change from a"
        " slow one, with chance (dotted); its limit is shown where drift.reference makes alerts"
        " use it. The Jensen-Shannon distance to the baseline is between 0 and 1. Needs"
        " exposition: full.",
        {
            "PSI {{window}}": f"max by (window) (mlguard_drift_reference_psi{{{_COLUMN}}})",
            "chance {{window}}": "max by (window)"
            f" (mlguard_drift_reference_psi_critical{{{_COLUMN}}})",
            "Jensen-Shannon {{window}}": "max by (window)"
            f" (mlguard_drift_js_distance{{{_COLUMN}}})",
            "limit": f"max({q.limit('mlguard_drift_reference_psi_threshold', ONE_MODEL)})",
        },
        "none",
    )


def _values() -> Placed:
    mean, spread = (f"avg(mlguard_feature_{name}{{{_WINDOW}}})" for name in ("mean", "stddev"))
    return p.graph(
        "Mean and spread",
        "Mean over the window chosen, one standard deviation above and below it, smallest and"
        " largest value. Mean of the replicas. Of numeric features; needs exposition: full.",
        {
            "mean": mean,
            "mean + stddev": f"{mean} + {spread}",
            "mean - stddev": f"{mean} - {spread}",
            "smallest": f"min(mlguard_feature_min{{{_WINDOW}}})",
            "largest": f"max(mlguard_feature_max{{{_WINDOW}}})",
        },
        "none",
        from_zero=False,
    )


def _quality() -> Placed:
    return p.graph(
        "Missing, invalid, out of range, unseen",
        "Shares of bad values in the window chosen, of the worst replica, with the limits of"
        " their alerts (dashed). Those of missing and unseen count beyond the baseline's share."
        " Needs exposition: full.",
        {
            "missing": f"max(mlguard_feature_missing_ratio{{{_WINDOW}}})",
            "invalid": f"max(mlguard_feature_invalid_ratio{{{_WINDOW}}})",
            "out of range": f"max(mlguard_feature_out_of_range_ratio{{{_WINDOW}}})",
            "unseen": f"max(mlguard_feature_unseen_ratio{{{_WINDOW}}})",
            "limit of missing": _limit("missing", "missing"),
            "limit of invalid": _limit("invalid"),
            "limit of out of range": f"{_limit('out_of_range')}"
            f" and max(mlguard_feature_out_of_range_ratio{{{_WINDOW}}})",
            "limit of unseen": _limit("unseen", "unseen"),
        },
        p.RATIO,
    )


def _shares() -> Placed:
    return p.graph(
        "Share of each bin over time",
        "Share of each of the baseline's bins among the values between two points of the graph,"
        " over all replicas: a band that widens shows since when values have moved.",
        {"{{bin}}": q.bin_ratio(_BINS, "$__rate_interval")},
        p.RATIO,
        width=24,
        stacked=True,
        largest=1,
    )
