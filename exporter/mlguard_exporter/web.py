"""The HTTP server of the exporter: the relay, the API and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard import __version__
from mlguard_common.page import Renderer, Site
from mlguard_common.web import Host, HttpServer, api_routes, routes
from mlguard_exporter.page import TEMPLATES, SpendPages
from mlguard_exporter.relay import RELAY_PATHS, Credentials, relay_operations
from mlguard_exporter.report import InferenceSource
from mlguard_rules.service import AlertApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_common.daemon import Lifecycle
    from mlguard_exporter.config import Config
    from mlguard_exporter.exposition import SpendCollector
    from mlguard_rules.service import Alerting

_INDEX = """ML Guard exporter

/metrics               figures for Prometheus
/healthz               the process runs
/readyz                alerts are accepted
/api/v1/spend          spend by owner and service, and its daily trend
/api/v1/alerts         alerts that are pending or firing
/api/v1/silences       alerts that notify nobody
/api/v1/alertmanager   POST: Alertmanager's webhook
/api/v2/alerts         POST: alerts, as to an Alertmanager
"""


def http_server(
    host: Host,
    lifecycle: Lifecycle[Config],
    alerting: Alerting,
    spend: SpendCollector,
    credentials: Callable[[], Credentials],
    clock: Callable[[], float],
) -> HttpServer:
    """Return the server.

    Args:
        host: the daemon.
        lifecycle: its configuration.
        alerting: has the alerts.
        spend: has the data of spend.
        credentials: returns who may post alerts.
        clock: epoch seconds.
    """
    alert_api = AlertApi(alerting, clock)
    pages = SpendPages(
        lambda: spend.snapshot,
        InferenceSource(clock),
        alert_api.alerts,
        alerting.queue.states,
        clock,
    )
    operations = [
        *alert_api.operations(),
        *pages.operations(),
        *relay_operations(alerting, credentials, clock),
    ]
    site = Site(
        Renderer([TEMPLATES], product="ML Guard", component="exporter", version=__version__),
        lambda: lifecycle.access,
        lambda: lifecycle.config.http,
        _INDEX,
        clock,
    )
    pages_and_files = site.routes(pages.handlers())
    return HttpServer(
        [
            *routes(host),
            *api_routes("ML Guard exporter", __version__, operations),
            *pages_and_files,
        ],
        lambda: lifecycle.access,
        exempt=[*RELAY_PATHS, *site.paths],
    )
