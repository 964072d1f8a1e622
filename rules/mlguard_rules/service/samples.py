"""The metrics of a process, as rules read them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric

    from mlguard_rules.promql import Labels

    Samples = list[tuple[Labels, float]]


_MAX_INTERNED = 50_000


class SampleConverter:
    """Converts metrics to snapshots; what has not changed since the last one is not converted.

    A metric is unchanged if it is the same object. Its samples are then the same object too, by
    which expressions see that they need not be evaluated again.
    """

    def __init__(self) -> None:
        # by identity; a weak reference tells whether it still is that of the same object
        self._converted: dict[int, tuple[ref[Metric], dict[str, Samples]]] = {}
        self._merged: dict[str, tuple[list[Samples], Samples]] = {}
        self._names: frozenset[str] = frozenset()
        # labels as a metric has them -> sorted; the same object each time, which compares fast
        self._labels: dict[tuple[tuple[str, str], ...], Labels] = {}

    def convert(self, metrics: Iterable[Metric], names: frozenset[str]) -> dict[str, Samples]:
        """Return samples by the name that they have on /metrics, each with its sorted labels.

        Labels with an empty value are left out, as in Prometheus.

        Args:
            metrics: not to be changed later.
            names: of the samples that are wanted.
        """
        before, self._converted = self._converted, {}
        if names != self._names:
            before, self._names = {}, names
        parts: dict[str, list[Samples]] = {}
        for metric in metrics:
            converted = before.get(id(metric))
            if converted is None or converted[0]() is not metric:
                converted = ref(metric), self._convert(metric, names)
            self._converted[id(metric)] = converted
            for name, samples in converted[1].items():
                parts.setdefault(name, []).append(samples)
        merged, self._merged = self._merged, {}
        snapshot = {}
        for name, lists in parts.items():
            if len(lists) == 1:
                snapshot[name] = lists[0]
                continue
            last = merged.get(name)
            if last is None or not _same_objects(last[0], lists):
                last = lists, [sample for samples in lists for sample in samples]
            self._merged[name] = last
            snapshot[name] = last[1]
        return snapshot

    def _convert(self, metric: Metric, names: frozenset[str]) -> dict[str, Samples]:
        interned = self._labels
        if len(interned) > _MAX_INTERNED:
            interned.clear()
        found: dict[str, Samples] = {}
        for sample in metric.samples:
            if sample.name not in names:
                continue
            key = tuple(sample.labels.items())
            labels = interned.get(key)
            if labels is None:
                labels = interned[key] = tuple(sorted(pair for pair in key if pair[1]))
            found.setdefault(sample.name, []).append((labels, float(sample.value)))
        return found


def _same_objects(one: list[Samples], other: list[Samples]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
