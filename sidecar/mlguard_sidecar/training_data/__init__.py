"""Data files from which baselines are built: CSV, NDJSON and Parquet, read in chunks."""

from mlguard_sidecar.training_data.build import BuildSettings, Built, build_from_file
from mlguard_sidecar.training_data.chunk import DataFileError, Roles
from mlguard_sidecar.training_data.read import DataFile, ReadOptions, open_data_file, read_table
from mlguard_sidecar.training_data.records import Records, read_proba, read_records
from mlguard_sidecar.training_data.report import column_table, doubts

__all__ = [
    "BuildSettings",
    "Built",
    "DataFile",
    "DataFileError",
    "ReadOptions",
    "Records",
    "Roles",
    "build_from_file",
    "column_table",
    "doubts",
    "open_data_file",
    "read_proba",
    "read_records",
    "read_table",
]
