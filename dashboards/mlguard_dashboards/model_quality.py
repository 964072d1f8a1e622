"""Panels of a model's data and of its outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_dashboards import panels as p
from mlguard_dashboards import queries as q
from mlguard_dashboards import tables
from mlguard_dashboards.frame import ONE_MODEL

if TYPE_CHECKING:
    from mlguard_dashboards.layout import Placed


def data_quality() -> Placed:
    """Return the table of shares of bad values by feature."""
    limits = "mlguard_feature_{}_ratio_threshold"

    def share(name: str, baseline: bool) -> str:
        found = f"max by (feature) (mlguard_feature_{name}_ratio{{{ONE_MODEL}}})"
        limit = f"max({q.limit(limits.format(name), ONE_MODEL)})"
        if baseline:
            usual = f"max by (feature) (mlguard_baseline_{name}_ratio{{{ONE_MODEL}}})"
            found = f"{found}\n- {usual}"
        return f"({found}) / on () group_left () {limit}"

    shares = {
        "Missing": share("missing", baseline=True),
        "Invalid": share("invalid", baseline=False),
        "Out of range": share("out_of_range", baseline=False),
        "Unseen": share("unseen", baseline=True),
    }
    each = "\nor\n".join(
        f'label_replace({found}, "figure", "{name}", "", "")' for name, found in shares.items()
    )
    columns = {"Worst": f"max by (feature) ({each})", **shares}
    return tables.rows(
        "Data quality as a share of its limits",
        "Of each feature, the share of bad values divided by the limit of its alert, of the worst"
        " window and replica: from 100 % on the alert fires, if there are enough events. Missing"
        " and unseen count beyond the baseline's share, so that they may be negative. Needs"
        " exposition: full.",
        {"feature": "Column"},
        [tables.Column(*column, p.RATIO, p.OVER_ONE, 0) for column in columns.items()],
        sort_by="Worst",
        width=12,
    )


def outcomes() -> list[Placed]:
    """Return the panels of what predictions turned out to be worth."""
    return [_classification(), _probabilities(), _errors()]


def _windowed(name: str, labels: str = "window") -> str:
    return f"avg by ({labels}) (mlguard_quality_{name}{{{ONE_MODEL}}})"


def _classification() -> Placed:
    baseline = f"max(mlguard_baseline_accuracy{{{ONE_MODEL}}})"
    drop = f"max(mlguard_quality_accuracy_drop_threshold{{{ONE_MODEL}}} > 0)"
    chance = f"max by (window) (mlguard_quality_accuracy_drop_critical{{{ONE_MODEL}}})"
    total = (
        f"{q.rate('mlguard_quality_correct_total', ONE_MODEL)}\n"
        f"/ ({q.rate('mlguard_outcomes_total', ONE_MODEL)} > 0)"
    )
    total = f'label_replace({total}, "window", "$__rate_interval", "", "")'
    return p.graph(
        "Accuracy, precision, recall",
        "Over the outcomes that arrived in each window; mean of the replicas, and with"
        " exposition: fleet the accuracy of all replicas. The alert fires below the dashed limit"
        " and the dotted line of chance, which need a baseline built with --y-true.",
        {
            "accuracy {{window}}": f"{_windowed('accuracy')}\nor on ()\n{total}",
            "precision {{window}}": _windowed("precision"),
            "recall {{window}}": _windowed("recall"),
            "baseline": baseline,
            "limit": f"{baseline} - {drop}",
            "chance {{window}}": f"{baseline} - on () group_right () {chance}",
        },
        p.RATIO,
        width=8,
        from_zero=False,
    )


def _probabilities() -> Placed:
    return p.graph(
        "Probabilities against outcomes",
        "Log loss in nats and Brier score of each window, less is better; and how far the mean"
        " probability of the positive class lies from its share among the truths: 0 is calibrated."
        " Needs y_proba and exposition: full.",
        {
            "log loss {{window}}": _windowed("log_loss"),
            "Brier {{window}}": _windowed("brier_score"),
            "calibration {{window}}": f"{_windowed('positive_score_mean')}\n"
            f"- {_windowed('positive_ratio')}",
        },
        "none",
        width=8,
        from_zero=False,
    )


def _errors() -> Placed:
    baseline = f"max(mlguard_baseline_absolute_error_mean{{{ONE_MODEL}}})"
    rise = f"max(mlguard_quality_error_rise_ratio_threshold{{{ONE_MODEL}}} > 0)"
    chance = f"max by (window) (mlguard_quality_error_rise_critical{{{ONE_MODEL}}})"
    return p.graph(
        "Errors of a regression",
        "Mean absolute error and root of the mean squared error of each window, mean of the"
        " replicas. The alert fires above the dashed limit and the dotted line of chance. Empty"
        " for classes.",
        {
            "absolute {{window}}": _windowed("absolute_error_mean"),
            "root mean square {{window}}": f"sqrt({_windowed('squared_error_mean')})",
            "baseline": baseline,
            "limit": f"{baseline} * (1 + {rise})",
            "chance {{window}}": f"{baseline} + on () group_right () {chance}",
        },
        "none",
        width=8,
    )


def coverage() -> Placed:
    """Return how many predictions have an outcome."""
    return p.graph(
        "Outcomes",
        "Predictions with an ID and outcomes a second, outcomes that were not counted, by reason."
        " Many unmatched ones mean that IDs differ between prediction and outcome.",
        {
            "predictions with an ID": q.rate("mlguard_outcome_predictions_total", ONE_MODEL),
            "outcomes": q.rate("mlguard_outcomes_total", ONE_MODEL),
            "not counted: {{reason}}": q.rate(
                "mlguard_outcomes_uncounted_total", ONE_MODEL, "reason"
            )
            + " > 0",
        },
        p.RATE,
        width=24,
        height=6,
    )
