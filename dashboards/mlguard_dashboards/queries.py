"""PromQL that several dashboards share.

A sidecar with `exposition: full` exports gauges of windows; one with `exposition: fleet` only what
can be summed, of which recording rules compute the same figures. Each expression here returns the
first where there is one, else the second. Of several replicas it is the worst, as in the alerts.
"""

from __future__ import annotations

MODEL = "project, model, model_endpoint"
"""Labels of a model."""

COLUMN = f"{MODEL}, feature, kind"
"""Labels of a feature or prediction."""

REPLICA = "job, instance, pod, engine"
"""Labels by which the same alert of several processes differs."""


def rate(metric: str, selector: str, *by: str) -> str:
    """Return the rate of a counter per second, summed by labels."""
    labels = f" by ({', '.join(by)})" if by else ""
    return f"sum{labels} (rate({metric}{{{selector}}}[$__rate_interval]))"


def increase(metric: str, selector: str, *by: str) -> str:
    """Return the increase of a counter over the dashboard's time range, summed by labels."""
    labels = f" by ({', '.join(by)})" if by else ""
    return f"sum{labels} (increase({metric}{{{selector}}}[$__range]))"


def firing(selector: str, alerts: str = "MLGuard.*", without: str = REPLICA) -> str:
    """Return the firing alerts, each once however many processes report it.

    As in notifications, a warning is left out while the critical alert of the same labels fires.

    Args:
        selector: matchers of the alerts.
        alerts: regular expression of their names.
        without: labels that do not make another alert.
    """

    def of(severity: str) -> str:
        matchers = f'alertname=~"{alerts}", alertstate="firing", severity=~"{severity}"'
        return f"max without ({without}) (ALERTS{{{matchers}{_more(selector)}}})"

    critical = of("critical")
    return f"{critical}\nor\n({of('.*')} unless ignoring (severity) {critical})"


def active_since(selector: str, alerts: str = "MLGuard.*", without: str = REPLICA) -> str:
    """Return since when each alert of `firing` is active, in epoch milliseconds."""
    matchers = f'alertname=~"{alerts}"{_more(selector)}'
    since = f"min without ({without}) (ALERTS_FOR_STATE{{{matchers}}})"
    return f"1000 * {since}\nand ignoring (alertstate) ({firing(selector, alerts, without)})"


def latency(quantile: int, selector: str, window: str) -> str:
    """Return a percentile of latency, in seconds, by model.

    Args:
        quantile: 50, 95 or 99.
        selector: matchers of the model.
        window: window of the gauge; that of the histogram is `$__rate_interval`.
    """
    gauge = (
        f'max by ({MODEL}) (mlguard_latency_p{quantile}_seconds{{{selector}, window="{window}"}})'
    )
    buckets = rate("mlguard_inference_latency_seconds_bucket", selector, MODEL, "le")
    # comparing drops what is not a number, as without a latency
    return f"{gauge}\nor\n(histogram_quantile(0.{quantile}, {buckets}) >= 0)"


def judged_p95(selector: str) -> str:
    """Return the 95th percentile that alerts compare with its limit, in seconds, by model."""
    return (
        f"max by ({MODEL}) (mlguard_latency_p95_seconds{{{selector}}}\n"
        f'  and ignoring (figure) mlguard_judged_window_events{{figure="latency"}})\n'
        f"or\nmax by ({MODEL}) (mlguard:latency_seconds:p95_rate5m{{{selector}}} >= 0)"
    )


def limit(metric: str, selector: str) -> str:
    """Return a configured limit by model; none where it is 0, which disables the alert."""
    return f"max by ({MODEL}) ({metric}{{{selector}}} > 0)"


def psi(selector: str) -> str:
    """Return the index of each column and window against the baseline."""
    return _windows("mlguard_drift_psi", "mlguard:drift_psi:pooled", selector)


def psi_critical(selector: str) -> str:
    """Return the index of each column and window that chance alone rarely exceeds."""
    return _windows("mlguard_drift_psi_critical", "mlguard:drift_psi_critical:pooled", selector)


def drift_ratio(selector: str, column: str = "") -> str:
    """Return the index of each column as a multiple of its limit: of the window that has least.

    The reference is the one that alerts use: the baseline, or the days before.

    Args:
        selector: matchers of the model.
        column: matchers of the column.
    """
    columns = f"{selector}{_more(column)}"
    return (
        f"({_smallest(psi(columns))})\n"
        f"/ on ({MODEL}) group_left () {limit('mlguard_drift_psi_threshold', selector)}\n"
        f"or\n"
        f"({_smallest(_reference('psi', columns))})\n"
        f"/ on ({MODEL}) group_left () {limit('mlguard_drift_reference_psi_threshold', selector)}"
    )


def beyond_chance(selector: str) -> str:
    """Return the columns whose index is beyond chance in a window."""
    return (
        f"max without (window) (({psi(selector)})\n  > ({psi_critical(selector)}))\n"
        f"or\n"
        f"max without (window) ({_reference('psi', selector)}\n"
        f"  > {_reference('psi_critical', selector)})"
    )


def drifted(selector: str) -> str:
    """Return the columns that have drifted, with their index as a multiple of its limit."""
    return f"({drift_ratio(selector)}) > 1\nand\n({beyond_chance(selector)})"


def drifted_columns(selector: str) -> str:
    """Return how many columns of each model have drifted; none where nothing is measured."""
    return (
        f"count by ({MODEL}) ({drifted(selector)})\n"
        f"or\n0 * max by ({MODEL}) ({drift_ratio(selector)})"
    )


def prediction_ratio(selector: str, window: str) -> str:
    """Return the share of each class among the predictions of a window, 0 to 1."""
    counts = (
        f"sum by ({MODEL}, prediction) "
        f'(mlguard_prediction_ratio{{{selector}, window="{window}"}}'
        f" * ignoring (prediction) group_left ()"
        f' mlguard_inferences_per_second{{{selector}, window="{window}"}})'
    )
    return (
        f"{counts}\n/ ignoring (prediction) group_left () sum by ({MODEL}) ({counts})\n"
        f"or\nmax by ({MODEL}, prediction) (mlguard:predictions:ratio_increase1h{{{selector}}})"
    )


def bins(selector: str, window: str) -> str:
    """Return how many values fell into each bin of a baseline over a window."""
    return f"sum by (bin) (increase(mlguard_feature_bin_total{{{selector}}}[{window}]))"


def bin_ratio(selector: str, window: str, smoothing: float = 0.0) -> str:
    """Return the share of each bin over a window, 0 to 1."""
    counts = bins(selector, window)
    if smoothing:
        counts = f"({counts} + {smoothing})"
    return f"{counts}\n/ ignoring (bin) group_left () sum ({counts})"


def baseline_ratio(selector: str) -> str:
    """Return the share of each bin in the baseline, 0 to 1."""
    return f"max by (bin) (mlguard_baseline_bin_ratio{{{selector}}})"


def bin_contribution(selector: str, window: str) -> str:
    """Return the summand of each bin in the index of a window against the baseline."""
    # 0.5 is the default of drift.smoothing
    now, then = f"({bin_ratio(selector, window, 0.5)})", baseline_ratio(selector)
    return f"({now} - {then})\n* ln({now} / {then})"


def with_upper_edge(expression: str) -> str:
    """Return an expression by bin with the label `upper`, by which numeric bins are ordered."""
    edge = f'label_replace({expression}, "upper", "$1", "bin", "<=(.*)")'
    return f'label_replace({edge}, "upper", "1e308", "bin", ">.*")'


def per_thousand(selector: str) -> str:
    """Return the cost of 1,000 inferences of the settled day, in US dollars, by model."""
    return f"max by ({MODEL}) (mlguard:cost_per_1000_inferences_usd:settled_day{{{selector}}})"


def settled_day(selector: str, *by: str) -> str:
    """Return the spend of the UTC day two days ago, in US dollars, summed by labels."""
    return spend("mlguard_cost_settled_day_usd", selector, *by)


def spend(metric: str, selector: str, *by: str) -> str:
    """Return a metric of spend in US dollars, summed by labels."""
    labels = f" by ({', '.join(by)})" if by else ""
    return f'sum{labels} ({metric}{{currency=""{_more(selector)}}})'


def _windows(full: str, pooled: str, selector: str) -> str:
    by = f"{COLUMN}, window"
    return (
        f"max by ({by}) ({full}{{{selector}}})\n"
        f"or on ({COLUMN}) max by ({by}) ({pooled}{{{selector}}})"
    )


def _reference(figure: str, selector: str) -> str:
    return f"max by ({COLUMN}, window) (mlguard_drift_reference_{figure}{{{selector}}})"


def _smallest(expression: str) -> str:
    return f"min without (window) ({expression})"


def _more(selector: str) -> str:
    return f", {selector}" if selector else ""
