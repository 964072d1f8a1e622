"""Metrics with the labels of a model."""

from __future__ import annotations

from typing import Literal

from mlguard_common.metrics import MetricDefinition

_MODEL = ("project", "model", "model_endpoint")


def model_metric(
    name: str, kind: Literal["counter", "gauge", "histogram"], text: str, *labels: str
) -> MetricDefinition:
    """Return the definition of a metric of models.

    Args:
        name: without `mlguard_`.
        kind: type.
        text: HELP text.
        labels: labels besides those of the model.
    """
    return MetricDefinition(f"mlguard_{name}", kind, text, (*_MODEL, *labels))
