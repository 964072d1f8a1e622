"""The HTTP server of the sidecar: every way in, the API and the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard import __version__
from mlguard_common.page import Renderer, Site
from mlguard_common.web import Host, HttpServer, api_routes, routes
from mlguard_rules.service import AlertApi
from mlguard_sidecar.api import INDEX, BaselineApi, ModelApi, TrendsApi
from mlguard_sidecar.ingest import (
    CLOUDEVENTS_PATH,
    EVENTS_PATH,
    BodyReader,
    CloudEventReceiver,
    CloudEventsApi,
    EventsApi,
)
from mlguard_sidecar.page import TEMPLATES, Pages
from mlguard_sidecar.series import SeriesReader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mlguard_common.daemon import Lifecycle
    from mlguard_rules.service import Alerting
    from mlguard_sidecar.baseline_service import BaselineService
    from mlguard_sidecar.config import Config
    from mlguard_sidecar.history import DayRecorder
    from mlguard_sidecar.ingest import Pipeline
    from mlguard_sidecar.models import ModelRegistry
    from mlguard_sidecar.statistics import ModelStatistics
    from mlguard_sidecar.store import Store
    from mlguard_sidecar.telemetry import Telemetry
    from mlguard_sidecar.wire import ModelKey


@dataclass(frozen=True)
class Parts:
    """Parts of the daemon that answer over HTTP.

    Attributes:
        host: the daemon.
        lifecycle: its configuration.
        pipeline: takes events.
        store: the database.
        registry: holds the models.
        telemetry: the sidecar's own counters.
        recorder: has the days.
        baselines: replaces baselines.
        alerting: has the alerts.
        statistics: returns the current statistics of each model.
        forget: erases a model.
        clock: epoch seconds.
    """

    host: Host
    lifecycle: Lifecycle[Config]
    pipeline: Pipeline
    store: Store
    registry: ModelRegistry
    telemetry: Telemetry
    recorder: DayRecorder
    baselines: BaselineService
    alerting: Alerting
    statistics: Callable[[], Sequence[ModelStatistics]]
    forget: Callable[[ModelKey], Awaitable[bool]]
    clock: Callable[[], float]


def http_server(parts: Parts) -> tuple[HttpServer, CloudEventsApi]:
    """Return the server, and the receiver of CloudEvents, which is flushed at the end."""
    lifecycle, pipeline, telemetry = parts.lifecycle, parts.pipeline, parts.telemetry
    registry, clock = parts.registry, parts.clock
    cloudevents = CloudEventsApi(
        CloudEventReceiver(pipeline, telemetry, lambda: lifecycle.config),
        lambda: lifecycle.access,
        BodyReader(),
        lambda: pipeline.is_congested,
    )
    telemetry.cloudevents_pending = lambda: cloudevents.pending
    series = SeriesReader(
        parts.store,
        parts.recorder,
        lambda: registry.views,
        lifecycle.config.pane.seconds,
        clock,
    )
    alert_api = AlertApi(parts.alerting, clock)
    operations = [
        *EventsApi(
            pipeline, parts.store.kept_answer, telemetry, parts.host.not_ready, BodyReader()
        ).operations(),
        *cloudevents.operations(),
        *ModelApi(
            parts.statistics,
            parts.recorder,
            parts.forget,
            pipeline.rejects,
            telemetry,
            registry.last_event,
            clock,
        ).operations(),
        *TrendsApi(parts.statistics, parts.recorder, series).operations(),
        *BaselineApi(parts.baselines, lambda: registry.views).operations(),
        *alert_api.operations(),
    ]
    site = Site(
        Renderer([TEMPLATES], product="ML Guard", component="sidecar", version=__version__),
        lambda: lifecycle.access,
        lambda: lifecycle.config.http,
        INDEX,
        clock,
    )
    pages = Pages(
        parts.statistics,
        alert_api.alerts,
        parts.recorder,
        series,
        pipeline.rejects,
        telemetry,
        registry.last_event,
        clock,
    )
    shown = site.routes(pages.handlers())
    server = HttpServer(
        [
            *routes(parts.host),
            *api_routes("ML Guard sidecar", __version__, operations),
            *shown,
        ],
        lambda: lifecycle.access,
        exempt=[CLOUDEVENTS_PATH, *site.paths],
        taking_events=[EVENTS_PATH, CLOUDEVENTS_PATH],
    )
    return server, cloudevents
