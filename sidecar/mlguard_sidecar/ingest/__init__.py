"""The ingestion pipeline, and the protocols that use it."""

from mlguard_sidecar.ingest.body import BodyReader
from mlguard_sidecar.ingest.cloudevents import PATH as CLOUDEVENTS_PATH
from mlguard_sidecar.ingest.cloudevents import CloudEventReceiver, CloudEventsApi
from mlguard_sidecar.ingest.connection import Connection
from mlguard_sidecar.ingest.connections import Connections
from mlguard_sidecar.ingest.events_api import PATH as EVENTS_PATH
from mlguard_sidecar.ingest.events_api import EventsApi
from mlguard_sidecar.ingest.listener import SocketListener, accept_connections
from mlguard_sidecar.ingest.pipeline import Pipeline, Reject
from mlguard_sidecar.ingest.receipt import CommitFaultError, Receipt, Rejection

__all__ = [
    "CLOUDEVENTS_PATH",
    "EVENTS_PATH",
    "BodyReader",
    "CloudEventReceiver",
    "CloudEventsApi",
    "CommitFaultError",
    "Connection",
    "Connections",
    "EventsApi",
    "Pipeline",
    "Receipt",
    "Reject",
    "Rejection",
    "SocketListener",
    "accept_connections",
]
