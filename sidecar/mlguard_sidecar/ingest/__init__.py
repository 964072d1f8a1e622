"""The ingestion pipeline, and the protocols that use it."""

from mlguard_sidecar.ingest.connection import Connection
from mlguard_sidecar.ingest.connections import Connections
from mlguard_sidecar.ingest.listener import SocketListener, accept_connections
from mlguard_sidecar.ingest.pipeline import Pipeline, Reject
from mlguard_sidecar.ingest.receipt import CommitFaultError, Receipt, Rejection

__all__ = [
    "CommitFaultError",
    "Connection",
    "Connections",
    "Pipeline",
    "Receipt",
    "Reject",
    "Rejection",
    "SocketListener",
    "accept_connections",
]
