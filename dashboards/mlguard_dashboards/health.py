"""Health: whether ML Guard itself works, and loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_dashboards import health_processes as processes
from mlguard_dashboards import panels as p
from mlguard_dashboards import queries as q
from mlguard_dashboards import tables
from mlguard_dashboards.frame import dashboard, query_variable

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from mlguard_dashboards.layout import Placed

_PROCESS = 'instance=~"$instance"'
_SUBJECTS = (
    "SidecarGone", "ExporterGone", "Events.*", "SeriesOverflowed", "StoreErrors",
    "NotificationsFailing", "RuleEvaluationFailing", "CostStale", "CostUnread", "CostAbsent",
    "CostTagInactive",
)  # fmt: skip
_ALERT_KEYS = {
    "instance": "Instance",
    "receiver": "Receiver",
    "metric": "Metric",
    "account": "Account",
    "tag": "Tag",
}
_ALERTS = f"MLGuard({'|'.join(_SUBJECTS)})"


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        "health",
        "ML Guard itself: sidecars and exporters, events, database, rules, notifications, API of"
        " AWS.",
        [
            query_variable(
                "instance", "Instance", "label_values(mlguard_build_info, instance)", several=True
            )
        ],
        [
            _numbers(),
            [
                tables.alerts(
                    _PROCESS,
                    "Firing alerts about ML Guard itself, with what to do.",
                    keys=_ALERT_KEYS,
                    names=_ALERTS,
                    without="engine",
                )
            ],
            [_events(), _rejected()],
            [_commits(), _store(), _connections()],
            [processes.notifications(_PROCESS), processes.rules(_PROCESS), processes.aws(_PROCESS)],
            [processes.values(_PROCESS), processes.faults(_PROCESS)],
            [processes.builds(_PROCESS), processes.baselines(_PROCESS)],
        ],
        alerts=q.firing(_PROCESS, _ALERTS, "engine"),
        links=("fleet", "cost"),
    )


def _numbers() -> list[Placed]:
    rejected = q.increase("mlguard_sidecar_events_rejected_total", _PROCESS)
    received = q.increase("mlguard_sidecar_events_received_total", _PROCESS)
    return [
        p.number(
            "Not answering",
            "Sidecars and exporters that Prometheus scrapes and does not reach. Pods that a"
            " deployment removed are not counted.",
            f"count(up{{{_PROCESS}}} == 0 and on (job, instance)"
            f" max_over_time(mlguard_build_info{{{_PROCESS}}}[1d])) or vector(0)",
            p.COUNT,
            steps=p.ANY_IS_BAD,
        ),
        p.number(
            "Events pending",
            "Events that wait because the database refused them. While it is not 0, figures do"
            " not change; nothing is lost unless the process is killed.",
            f"sum(mlguard_sidecar_events_pending{{{_PROCESS}}})",
            p.COUNT,
            steps=p.ANY_IS_BAD,
        ),
        p.number(
            "Rejected",
            "Share of the events of the time range that were rejected and not counted. The alert"
            " fires from 1 % over 15 minutes.",
            f"{rejected}\n/ ({received} > 0)",
            p.RATIO,
            steps=((None, "green"), (0.01, "red")),
            graph=False,
            decimals=2,
        ),
        p.number(
            "Dropped by clients",
            "Events of the time range that model servers had to drop before they were sent,"
            " because their queue was full.",
            q.increase("mlguard_sidecar_client_dropped_events_total", _PROCESS),
            p.COUNT,
            steps=p.ANY_IS_BAD,
            graph=False,
            decimals=0,
        ),
        p.number(
            "Database errors",
            "Commits and reads of the time range that the database of a process refused, alerts"
            " and notifications included.",
            f"{q.increase('mlguard_sidecar_store_errors_total', _PROCESS)}\n"
            f"+ {q.increase('mlguard_alerting_store_errors_total', _PROCESS)}",
            p.COUNT,
            steps=p.ANY_IS_BAD,
            graph=False,
            decimals=0,
        ),
        p.number(
            "Notifications lost",
            "Notifications of the time range that were dropped, after a week of attempts or"
            " because too many waited.",
            q.increase("mlguard_notifications_total", f'{_PROCESS}, outcome="dropped"'),
            p.COUNT,
            steps=p.ANY_IS_BAD,
            graph=False,
            decimals=0,
            no_value="no receivers",
        ),
    ]


def _events() -> Placed:
    return p.graph(
        "Events",
        "Events a second that sidecars received, committed and rejected, and that clients"
        " dropped. Received is always committed + rejected + pending.",
        {
            name: q.rate(f"mlguard_sidecar_{metric}_total", _PROCESS)
            for name, metric in {
                "received": "events_received",
                "committed": "events_committed",
                "rejected": "events_rejected",
                "dropped by clients": "client_dropped_events",
            }.items()
        },
        p.RATE,
    )


def _rejected() -> Placed:
    return p.graph(
        "Rejected events, refused requests and connections",
        "Events a second that were rejected, by source and reason, and requests and connections"
        " that were refused as a whole. The last 100 rejected events are at /api/v1/rejects of"
        " each sidecar.",
        {
            "{{source}} {{reason}}": q.rate(
                "mlguard_sidecar_events_rejected_total", _PROCESS, "source", "reason"
            )
            + " > 0",
            "request {{reason}}": q.rate(
                "mlguard_sidecar_requests_refused_total", _PROCESS, "reason"
            )
            + " > 0",
            "connections": q.rate("mlguard_sidecar_connections_refused_total", _PROCESS) + " > 0",
            "CloudEvents {{result}}": q.rate(
                "mlguard_sidecar_cloudevents_total", f'{_PROCESS}, result!="joined"', "result"
            )
            + " > 0",
        },
        p.RATE,
    )


def _commits() -> Placed:
    buckets = q.rate("mlguard_sidecar_commit_seconds_bucket", _PROCESS, "le")
    return p.graph(
        "Time of a commit",
        "Median and 99th percentile of the duration of commits, over all sidecars."
        " Acknowledgements wait for them.",
        {
            "p50": f"histogram_quantile(0.5, {buckets})",
            "p99": f"histogram_quantile(0.99, {buckets})",
        },
        p.SECONDS,
        width=8,
    )


def _store() -> Placed:
    return p.graph(
        "Size of the database",
        "Used part of each sidecar's database, the eight largest. Older histograms are folded"
        " when it reaches its limit.",
        {
            "{{instance}}": f"mlguard_sidecar_store_bytes{{{_PROCESS}}}\n"
            f"and topk(8, mlguard_sidecar_store_bytes{{{_PROCESS}}} @ end())"
        },
        "bytes",
        width=8,
    )


def _connections() -> Placed:
    return p.graph(
        "Connections and waiting CloudEvents",
        "Open connections on the event sockets, and CloudEvents that wait for their other half,"
        " over all sidecars.",
        {
            "connections": f"sum(mlguard_sidecar_connections{{{_PROCESS}}})",
            "CloudEvents waiting": f"sum(mlguard_sidecar_cloudevents_pending{{{_PROCESS}}})",
        },
        p.COUNT,
        width=8,
    )
