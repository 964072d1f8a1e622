"""Histograms that merge by addition: columns, panes of them, and latency quantiles."""

from mlguard_sidecar.histogram.column import OTHER, Column, Kind, Layout, Role
from mlguard_sidecar.histogram.encode import decode, encode
from mlguard_sidecar.histogram.pane import Pane
from mlguard_sidecar.histogram.traffic import (
    CLASS_LIMIT,
    LATENCY_BUCKETS_SECONDS,
    LONGEST_LATENCY_MS,
    Traffic,
)

__all__ = [
    "CLASS_LIMIT",
    "LATENCY_BUCKETS_SECONDS",
    "LONGEST_LATENCY_MS",
    "OTHER",
    "Column",
    "Kind",
    "Layout",
    "Pane",
    "Role",
    "Traffic",
    "decode",
    "encode",
]
