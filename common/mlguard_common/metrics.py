"""Metric definitions, and prometheus_client's families made from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


@dataclass(frozen=True, eq=False)
class MetricDefinition:
    """Name, type, help text and label names of a metric.

    Attributes:
        name: name of its samples, of a counter with `_total`.
        type: type of the metric.
        documentation: its meaning and unit (HELP).
        labels: label names, in the order in which values are given.
    """

    name: str
    type: Literal["counter", "gauge", "histogram"]
    documentation: str
    labels: tuple[str, ...] = ()

    def family(self) -> Metric:
        """Return an empty family of this metric."""
        name = self.name.removesuffix("_total") if self.type == "counter" else self.name
        return Metric(name, self.documentation, self.type)


class Collector(Protocol):
    """Source of metrics, as in prometheus_client."""

    def collect(self) -> Iterable[Metric]:
        """Yield metric families with their samples."""


class Families:
    """Metric families that are filled with samples, each created with its first one.

    Iteration yields them in the order of their definitions.

    Args:
        definitions: the metrics that may be added.
    """

    def __init__(self, definitions: Iterable[MetricDefinition]) -> None:
        self._samples: dict[MetricDefinition, list[Sample] | None] = dict.fromkeys(definitions)

    def declare(self, definition: MetricDefinition) -> None:
        """Create a family, even if it gets no sample."""
        self._of(definition)

    def _of(self, definition: MetricDefinition) -> list[Sample]:
        samples = self._samples[definition]
        if samples is None:
            samples = self._samples[definition] = []
        return samples

    def add(self, definition: MetricDefinition, values: Sequence[str], value: float) -> None:
        """Add a sample of a counter or gauge, given the values of its labels in order."""
        labels = dict(zip(definition.labels, values, strict=True))
        self.add_labelled(definition, labels, value)

    def add_labelled(
        self, definition: MetricDefinition, labels: Mapping[str, str], value: float
    ) -> None:
        """Add a sample with arbitrary labels, as `ALERTS` has them."""
        self._of(definition).append(Sample(definition.name, dict(labels), value))

    def add_histogram(
        self,
        definition: MetricDefinition,
        values: Sequence[str],
        bounds: Sequence[float],
        cumulative: Sequence[int],
        total: float,
    ) -> None:
        """Add a histogram.

        Args:
            definition: metric of type histogram.
            values: values of its labels.
            bounds: upper bounds of the buckets, without +Inf.
            cumulative: number of values up to each bound, then up to +Inf.
            total: sum of the observed values.
        """
        samples = self._of(definition)
        labels = dict(zip(definition.labels, values, strict=True))
        for bound, count in zip((*bounds, float("inf")), cumulative, strict=True):
            bucket = labels | {"le": floatToGoString(bound)}
            samples.append(Sample(f"{definition.name}_bucket", bucket, count))
        samples.append(Sample(f"{definition.name}_count", labels, cumulative[-1]))
        samples.append(Sample(f"{definition.name}_sum", labels, total))

    def extend(self, other: Families) -> None:
        """Add all samples of other families with the same definitions."""
        for definition, samples in other._samples.items():
            if samples is not None:
                self._of(definition).extend(samples)

    def __iter__(self) -> Iterator[Metric]:
        for definition, samples in self._samples.items():
            if samples is not None:
                family = definition.family()
                family.samples = samples
                yield family
