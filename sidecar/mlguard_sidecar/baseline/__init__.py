"""Baselines: frozen histograms that windows are compared with, built from data, stored as files."""

from mlguard_sidecar.baseline.baseline import Baseline, ColumnBaseline
from mlguard_sidecar.baseline.build import Binning, Method, build
from mlguard_sidecar.baseline.file import FORMAT, dump, load
from mlguard_sidecar.baseline.table import read_table

__all__ = [
    "FORMAT",
    "Baseline",
    "Binning",
    "ColumnBaseline",
    "Method",
    "build",
    "dump",
    "load",
    "read_table",
]
