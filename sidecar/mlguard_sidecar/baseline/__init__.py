"""Baselines: frozen histograms that windows are compared with, built from data, stored as files."""

from mlguard_sidecar.baseline.baseline import Baseline, ColumnBaseline
from mlguard_sidecar.baseline.bins import close_values
from mlguard_sidecar.baseline.build import Binning, Method, build
from mlguard_sidecar.baseline.file import FORMAT, dump, load, with_quality
from mlguard_sidecar.baseline.kinds import NUMERIC_SHARE, decide_feature, decide_prediction
from mlguard_sidecar.baseline.outside import values_outside
from mlguard_sidecar.baseline.promote import MAX_OUTSIDE_SHARE, Promotion, promote, share_outside
from mlguard_sidecar.baseline.quality import BaselineQuality
from mlguard_sidecar.baseline.reader import MAX_FILE_BYTES, SCHEMA_PATH, read_file
from mlguard_sidecar.baseline.rebin import outside_of, rebinned
from mlguard_sidecar.baseline.sample import ColumnSample

__all__ = [
    "FORMAT",
    "MAX_FILE_BYTES",
    "MAX_OUTSIDE_SHARE",
    "NUMERIC_SHARE",
    "SCHEMA_PATH",
    "Baseline",
    "BaselineQuality",
    "Binning",
    "ColumnBaseline",
    "ColumnSample",
    "Method",
    "Promotion",
    "build",
    "close_values",
    "decide_feature",
    "decide_prediction",
    "dump",
    "load",
    "outside_of",
    "promote",
    "read_file",
    "rebinned",
    "share_outside",
    "values_outside",
    "with_quality",
]
