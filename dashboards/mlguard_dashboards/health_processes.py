"""Panels of rules, notifications, faults and processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_dashboards import distributions as dist
from mlguard_dashboards import panels as p
from mlguard_dashboards import queries as q
from mlguard_dashboards import tables

if TYPE_CHECKING:
    from mlguard_dashboards.layout import Placed

_FAULTS = {
    "figures that could not be computed": "sidecar_statistics_errors",
    "histograms that could not be read": "sidecar_panes_dropped",
    "databases that were damaged": "sidecar_store_recreated",
    "baseline files that could not be used": "sidecar_baseline_file_errors",
    "socket files that were deleted": "sidecar_socket_recreated",
    "replies that a client did not read": "sidecar_replies_dropped",
    "batches that were sent again": "sidecar_duplicate_batches",
    "models that gave way to others": "sidecar_models_retired",
    "models that were deleted after the retention": "sidecar_models_forgotten",
    "settled days that AWS restated": "cost_restated_days",
}
"""What happened -> its counter."""


def notifications(process: str) -> Placed:
    """Return what became of notifications."""
    return p.graph(
        "Notifications",
        "Attempts to send a notification between two points of the graph, by receiver and"
        " outcome, failures by reason, and notifications that wait. Failed ones are tried again.",
        {
            "{{receiver}} {{outcome}}": _between(
                "mlguard_notifications_total", process, "receiver", "outcome"
            ),
            "{{receiver}}: {{reason}}": _between(
                "mlguard_notification_failures_total", process, "receiver", "reason"
            )
            + " > 0",
            "{{receiver}} waiting": "sum by (receiver)"
            f" (mlguard_notifications_pending{{{process}}})",
        },
        p.COUNT,
        width=8,
    )


def rules(process: str) -> Placed:
    """Return how the embedded engine fares."""
    evaluations = q.rate("mlguard_rule_evaluations_total", process)
    return p.graph(
        "Evaluation of rules",
        "Seconds that one evaluation of all rules takes in the embedded engine, mean of all"
        " processes, and evaluations of single rules that failed, a second: their alerts stand"
        " still. How many rules each process evaluates is in the table of processes.",
        {
            "seconds": f"{q.rate('mlguard_rule_evaluation_seconds_total', process)}\n"
            f"/ ({evaluations} > 0)",
            "failures": q.rate("mlguard_rule_evaluation_failures_total", process),
        },
        p.SECONDS,
        width=8,
    )


def aws(process: str) -> Placed:
    """Return what the exporter asks AWS, and what that costs."""
    return p.graph(
        "Cost Explorer's API",
        "What the exporters' requests to Cost Explorer have cost at most, in US dollars over 30"
        " days, and requests by outcome over 30 days. cost.max_requests_per_month limits them.",
        {
            "dollars {{account}}": "sum by (account)"
            f" (increase(mlguard_cost_api_spend_usd_total{{{process}}}[30d]))",
            "requests {{outcome}}": "sum by (outcome)"
            f" (increase(mlguard_cost_api_requests_total{{{process}}}[30d]))",
        },
        p.COUNT,
        width=8,
        daily=True,
    )


def values(process: str) -> Placed:
    """Return values that are not counted as they were sent."""
    return p.graph(
        "Values that are not counted as sent",
        "Values a second without a meaning in events that are counted otherwise, by source and"
        " reason; values beyond the limits on models, features and classes, which are pooled as"
        " __other__ or left out; IDs that are not kept for outcomes any more.",
        {
            "invalid: {{source}} {{reason}}": q.rate(
                "mlguard_sidecar_invalid_values_total", process, "source", "reason"
            )
            + " > 0",
            "too many: {{metric}}": q.rate(
                "mlguard_sidecar_series_overflow_total", process, "metric"
            )
            + " > 0",
            "ID dropped: {{reason}}": q.rate(
                "mlguard_sidecar_outcome_ids_dropped_total", process, "reason"
            )
            + " > 0",
        },
        p.RATE,
        height=10,
    )


def faults(process: str) -> Placed:
    """Return what happened seldom, and should be known."""
    series = {
        name: q.increase(f"mlguard_{metric}_total", process) for name, metric in _FAULTS.items()
    }
    reloads = (
        '{{__name__=~"mlguard_(sidecar|exporter)_config_reloads_total", outcome="failure", {}}}'
    )
    failed = f"sum(increase({reloads.format(process)}[$__range]))"
    return dist.ranking(
        "What happened in the time range",
        "How often each of these happened in the time range, over all processes. The reasons are"
        " in the processes' logs.",
        {**series, "configurations that could not be reloaded": failed},
        p.COUNT,
        steps=((None, "text"), (1, "orange")),
        height=10,
    )


def builds(process: str) -> Placed:
    """Return the processes with their versions."""
    return tables.rows(
        "Processes",
        "Sidecars and exporters with their versions. Rules is how many rules the embedded engine"
        " evaluates: 0 where a Prometheus does it. Different versions are normal during an update"
        " only.",
        {"instance": "Instance", "component": "Component", "version": "Version"},
        [
            tables.Column(
                "Rules",
                "max by (instance, component, version)"
                f" (mlguard_rules{{{process}}} * on (job, instance) group_left (component, version)"
                f" mlguard_build_info{{{process}}})",
                p.COUNT,
            )
        ],
        sort_by="Rules",
        width=10,
    )


def baselines(process: str) -> Placed:
    """Return the baseline of each model."""

    def by(*labels: str) -> str:
        return ", ".join((q.MODEL, *labels))

    info = f"mlguard_baseline_info{{{process}}}"
    created = f"max by ({by('baseline')}) (mlguard_baseline_created_timestamp_seconds{{{process}}})"
    rows = f"max by ({by('baseline')}) (mlguard_baseline_samples{{{process}}})"
    unknown = f"max by ({q.MODEL}) (mlguard_features_unknown{{{process}}})"
    progress = f"min by ({q.MODEL}) (mlguard_baseline_learning_ratio{{{process}}})"
    counted = f"count by ({by('baseline')}) ({info})"
    return tables.rows(
        "Baselines",
        "The baseline of each model, how many replicas use it, from how many rows and when it was"
        " built. Replicas of a model should share one. New features are those that events have and"
        " the baseline does not: their drift is not measured. Learnt is the progress of a model"
        " without a baseline.",
        {**tables.MODEL_KEYS, "baseline": "Baseline"},
        [
            tables.Column("Replicas", counted, p.COUNT),
            tables.Column("Rows", rows, p.COUNT),
            tables.Column("Built", f"1000 * {created}", "dateTimeFromNow"),
            tables.Column(
                "New features",
                f"{unknown} * on ({q.MODEL}) group_right () {counted} / {counted}",
                p.COUNT,
                p.ANY_IS_BAD,
            ),
            tables.Column("Learnt", progress, p.RATIO),
        ],
        sort_by="Replicas",
        link=("Model", tables.TO_MODEL),
        width=14,
    )


def _between(metric: str, selector: str, *by: str) -> str:
    return f"sum by ({', '.join(by)}) (increase({metric}{{{selector}}}[$__rate_interval]))"
