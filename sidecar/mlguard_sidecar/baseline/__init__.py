"""Baselines: frozen histograms that windows are compared with, built from data, stored as files."""

from mlguard_sidecar.baseline.baseline import Baseline, ColumnBaseline
from mlguard_sidecar.baseline.bins import close_values
from mlguard_sidecar.baseline.build import Binning, Method, build
from mlguard_sidecar.baseline.file import FORMAT, dump, load, with_quality
from mlguard_sidecar.baseline.kinds import NUMERIC_SHARE, decide_feature, decide_prediction
from mlguard_sidecar.baseline.outside import values_outside
from mlguard_sidecar.baseline.quality import BaselineQuality
from mlguard_sidecar.baseline.sample import ColumnSample

__all__ = [
    "FORMAT",
    "NUMERIC_SHARE",
    "Baseline",
    "BaselineQuality",
    "Binning",
    "ColumnBaseline",
    "ColumnSample",
    "Method",
    "build",
    "close_values",
    "decide_feature",
    "decide_prediction",
    "dump",
    "load",
    "values_outside",
    "with_quality",
]
