"""Histograms that merge by addition: columns, panes, and quantiles of latency."""

from mlguard_sidecar.histogram.column import Column, Kind, Layout, Role
from mlguard_sidecar.histogram.encode import decode, encode
from mlguard_sidecar.histogram.outside import (
    MAX_OUTSIDE,
    Outside,
    OutsideCounts,
    most_frequent,
    subtract_outside,
)
from mlguard_sidecar.histogram.pane import (
    MAX_COUNT,
    Pane,
    merge_moments,
    merge_panes,
    moments_of,
    no_moments,
)
from mlguard_sidecar.histogram.partition import Partition
from mlguard_sidecar.histogram.traffic import (
    CLASS_LIMIT,
    LATENCY_BUCKETS_SECONDS,
    MAX_LATENCY_MS,
    NO_CLASS,
    Traffic,
    fold_traffic,
)
from mlguard_sidecar.histogram.values import OTHER

__all__ = [
    "CLASS_LIMIT",
    "LATENCY_BUCKETS_SECONDS",
    "MAX_COUNT",
    "MAX_LATENCY_MS",
    "MAX_OUTSIDE",
    "NO_CLASS",
    "OTHER",
    "Column",
    "Kind",
    "Layout",
    "Outside",
    "OutsideCounts",
    "Pane",
    "Partition",
    "Role",
    "Traffic",
    "decode",
    "encode",
    "fold_traffic",
    "merge_moments",
    "merge_panes",
    "moments_of",
    "most_frequent",
    "no_moments",
    "subtract_outside",
]
