"""The metrics of a process, as rules read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric

    from mlguard_rules.promql import Labels


def snapshot_of(families: Iterable[Metric]) -> dict[str, list[tuple[Labels, float]]]:
    """Return samples by the name that they have on /metrics, each with its sorted labels.

    A label without a value is no label.
    """
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in families:
        for sample in family.samples:
            labels = tuple(sorted((n, v) for n, v in sample.labels.items() if v))
            found.setdefault(sample.name, []).append((labels, float(sample.value)))
    return found
