"""The report on spend, for the page and the API."""

from mlguard_exporter.report.answers import SpendReport
from mlguard_exporter.report.compute import spend_report
from mlguard_exporter.report.inferences import InferenceSource

__all__ = ["InferenceSource", "SpendReport", "spend_report"]
