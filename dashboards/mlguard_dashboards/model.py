"""Model: one model on one page, from what its callers notice to what explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_dashboards import distributions as dist
from mlguard_dashboards import model_quality as quality
from mlguard_dashboards import panels as p
from mlguard_dashboards import queries as q
from mlguard_dashboards import tables
from mlguard_dashboards.frame import ONE_MODEL, dashboard, link_to, of_model, query_variable

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from mlguard_dashboards.layout import Placed

_TO_FEATURE = link_to(
    "feature",
    project="${project:percentencode}",
    model="${model:percentencode}",
    endpoint="${endpoint:percentencode}",
    feature="${__data.fields.Column:percentencode}",
)
_SCORE = f'{{{ONE_MODEL}, window="$window"}}'


def build() -> Dashboard:
    """Return the dashboard."""
    window = query_variable(
        "window",
        "Window",
        f"label_values(mlguard_inferences_per_second{{{ONE_MODEL}}}, window)",
    ).description(
        "Window of latency, predictions and score; sidecars with exposition: fleet have none"
    )
    return dashboard(
        "model",
        "One model: alerts, latency, traffic, predictions, drift, data quality and outcomes.",
        [*of_model(), window],
        [
            _numbers(),
            [tables.alerts(ONE_MODEL, "Firing alerts of this model, with what to do.")],
            [_latency(), _latency_heat_map()],
            [_traffic(), _classes(), _score()],
            [_columns(), _drift()],
            [_prediction_drift(), quality.data_quality()],
            quality.outcomes(),
            [quality.coverage()],
        ],
        alerts=q.firing(ONE_MODEL),
        links=("fleet", "feature", "cost", "health"),
    )


def _numbers() -> list[Placed]:
    return [
        p.number(
            "Alerts",
            "Firing alerts of this model; the table below names them.",
            f"count({q.firing(ONE_MODEL)}) or vector(0)",
            p.COUNT,
            steps=p.ANY_IS_BAD,
        ),
        p.number(
            "p95 of latency",
            "95th percentile of latency, as alerts compare it with the limit: red from"
            " thresholds.latency_p95_seconds on. Of several replicas it is the slowest.",
            q.judged_p95(ONE_MODEL),
            p.SECONDS,
            limit=q.limit("mlguard_latency_p95_threshold_seconds", ONE_MODEL),
        ),
        p.number(
            "Inferences",
            "Inferences a second, over all replicas.",
            q.rate("mlguard_inferences_total", ONE_MODEL),
            p.RATE,
        ),
        p.number(
            "Drifted columns",
            "Features and predictions whose index exceeds the limit in each window and chance in"
            " one. The alert fires after half an hour. `no data` while the baseline is learnt or"
            " there are few events.",
            q.drifted_columns(ONE_MODEL),
            p.COUNT,
            steps=p.ANY_IS_BAD,
        ),
        p.number(
            "Accuracy",
            "Share of correct predictions among all outcomes that arrived in the time range."
            " Needs outcomes; of a regression see the absolute error below.",
            f"{q.increase('mlguard_quality_correct_total', ONE_MODEL)}\n"
            f"/ ({q.increase('mlguard_outcomes_total', ONE_MODEL)} > 0)",
            p.RATIO,
            no_value="no outcomes",
            graph=False,
            decimals=1,
        ),
        p.number(
            "Age of the baseline",
            "Time since the oldest baseline in use was built. While one is being learnt from the"
            " first events there is none, and no drift.",
            f"time() - min(mlguard_baseline_created_timestamp_seconds{{{ONE_MODEL}}})",
            p.SECONDS,
            no_value="being learnt",
            graph=False,
        ),
    ]


def _latency() -> Placed:
    return p.graph(
        "Latency",
        "Percentiles over the window chosen, within 1 %, of the slowest replica; with exposition:"
        " fleet from the histogram over all replicas, to the width of its buckets. The dashed line"
        " is thresholds.latency_p95_seconds.",
        {
            "p50": q.latency(50, ONE_MODEL, "$window"),
            "p95": q.latency(95, ONE_MODEL, "$window"),
            "p99": q.latency(99, ONE_MODEL, "$window"),
            "limit of p95": q.limit("mlguard_latency_p95_threshold_seconds", ONE_MODEL),
        },
        p.SECONDS,
    )


def _latency_heat_map() -> Placed:
    return dist.heat_map(
        "Distribution of latency",
        "Inferences a second in each bucket of latency, over all replicas: two bands are two"
        " kinds of request, a band that climbs is load.",
        q.rate("mlguard_inference_latency_seconds_bucket", ONE_MODEL, "le"),
        p.SECONDS,
    )


def _traffic() -> Placed:
    usual = (
        f"sum without (window) (mlguard_inferences_per_second{{{ONE_MODEL}}}\n"
        f'  and ignoring (figure) mlguard_judged_window_events{{figure="usual"}})'
    )
    limit = q.limit("mlguard_traffic_drop_ratio_threshold", ONE_MODEL)
    return p.graph(
        "Traffic",
        "Inferences a second, over all replicas. `expected` is the rate over the longest window,"
        " the dashed limit is thresholds.traffic_drop_ratio of it; both need exposition: full.",
        {
            "inferences": q.rate("mlguard_inferences_total", ONE_MODEL),
            "expected": f"sum({usual})",
            "limit": f"{limit}\n* sum by ({q.MODEL}) ({usual})",
        },
        p.RATE,
        width=8,
    )


def _classes() -> Placed:
    return p.graph(
        "Predicted classes",
        "Share of each class among the predictions of the window chosen; with exposition: fleet"
        " of the last hour, by recording rules. Empty for a regression.",
        {"{{prediction}}": q.prediction_ratio(ONE_MODEL, "$window")},
        p.RATIO,
        width=8,
        stacked=True,
        largest=1,
    )


def _score() -> Placed:
    mean = f"avg(mlguard_prediction_score_mean{_SCORE})"
    spread = f"avg(mlguard_prediction_score_stddev{_SCORE})"
    return p.graph(
        "Score",
        "Mean of y_proba, or of y_pred of a regression, over the window chosen, and one standard"
        " deviation above and below it. Mean of the replicas. Needs exposition: full.",
        {
            "mean": mean,
            "mean + stddev": f"{mean} + {spread}",
            "mean - stddev": f"{mean} - {spread}",
        },
        "none",
        width=8,
        from_zero=False,
    )


def _columns() -> Placed:
    def largest(expression: str) -> str:
        return f"max by (feature, kind) ({expression})"

    js = f"mlguard_drift_js_distance{{{ONE_MODEL}}}"
    samples = (
        f"min by (feature, kind) (mlguard_drift_samples{{{ONE_MODEL}}})\n"
        f"or min by (feature, kind) (mlguard:feature_samples:increase{{{ONE_MODEL}}})"
    )
    return tables.rows(
        "Columns by drift",
        "Features and predictions, the most drifted first. Drift / limit is the index as a"
        " multiple of its limit, of the window that has least, which is what alerts judge; PSI and"
        " chance are the largest of the windows. An index below chance means nothing. Samples are"
        " of the shortest window.",
        {"feature": "Column", "kind": "Kind"},
        [
            tables.Column(
                "Drift / limit", largest(q.drift_ratio(ONE_MODEL)), "none", p.OVER_ONE, 2
            ),
            tables.Column("PSI", largest(q.psi(ONE_MODEL)), "none", decimals=3),
            tables.Column("Chance", largest(q.psi_critical(ONE_MODEL)), "none", decimals=3),
            tables.Column("Jensen-Shannon", largest(js), "none", decimals=3),
            tables.Column("Samples", samples, p.COUNT),
        ],
        sort_by="Drift / limit",
        link=("Feature", _TO_FEATURE),
        linked="Column",
        width=12,
    )


def _drift() -> Placed:
    ratio = f"max by (feature, kind) ({q.drift_ratio(ONE_MODEL)})"
    # the same columns over the whole range: those that are first at its end
    last = f"topk(8, last_over_time(({ratio})[$__range:$__interval] @ end()))"
    return p.graph(
        "Drift as a multiple of its limit",
        "The eight columns that drift most at the end of the time range. Above the line at 1, and"
        " beyond chance, a column has drifted. Absent with little data.",
        {"{{feature}}": f"({ratio})\nand\n{last}"},
        "none",
        steps=((None, "green"), (1, "red")),
    )


def _prediction_drift() -> Placed:
    selector = f'{ONE_MODEL}, kind="prediction"'
    return p.graph(
        "Drift of predictions",
        "Population stability index of y_pred and y_proba against the baseline, for each window,"
        " with its limit (dashed) and what chance alone would rarely exceed (dotted). With"
        " exposition: fleet it is that of all replicas, by recording rules.",
        {
            "{{feature}} {{window}}": q.psi(selector),
            "chance {{feature}} {{window}}": q.psi_critical(selector),
            "limit": q.limit("mlguard_drift_psi_threshold", ONE_MODEL),
        },
        "none",
    )
