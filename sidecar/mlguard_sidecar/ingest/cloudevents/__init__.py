"""Events of the payload loggers of KServe and Seldon."""

from mlguard_sidecar.ingest.cloudevents.api import PATH, CloudEventsApi
from mlguard_sidecar.ingest.cloudevents.receiver import CloudEventReceiver

__all__ = ["PATH", "CloudEventReceiver", "CloudEventsApi"]
