"""Samples by metric, and the text format that Prometheus reads.

Written out here rather than by prometheus_client, which takes some ten times as long for each
series; a scrape shares its thread with the events.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: as on /metrics.
        type: counter, gauge or histogram.
        help: its meaning and unit.
        labels: names, in the order in which values are given; None where each sample names its own.
    """

    name: str
    type: str
    help: str
    labels: tuple[str, ...] | None


class Sample(NamedTuple):
    """One value.

    Attributes:
        suffix: what a histogram's series have behind the name of the metric.
        labels: values of the metric's labels, and `le` for a bucket; where the metric has no names,
            names and values in turn.
        value: the value.
    """

    suffix: str
    labels: Sequence[str]
    value: float


class Families:
    """Samples gathered by metric."""

    def __init__(self) -> None:
        self.samples: dict[Metric, list[Sample]] = {}

    def declare(self, metric: Metric) -> None:
        """Show a metric even without a sample."""
        self.samples.setdefault(metric, [])

    def add(self, metric: Metric, labels: Sequence[str], value: float) -> None:
        """Add a value of a counter or gauge."""
        self.samples.setdefault(metric, []).append(Sample("", labels, value))

    def add_histogram(
        self,
        metric: Metric,
        labels: Sequence[str],
        bounds: Sequence[float],
        cumulative: Sequence[int],
        total: float,
    ) -> None:
        """Add a histogram.

        Args:
            metric: of type histogram.
            labels: values of its labels.
            bounds: upper bounds of the buckets, without the infinite one.
            cumulative: counts up to each bound, then up to infinity.
            total: sum of the values.
        """
        samples = self.samples.setdefault(metric, [])
        for bound, count in zip((*map(str, bounds), "+Inf"), cumulative, strict=True):
            samples.append(Sample("_bucket", (*labels, bound), count))
        samples.append(Sample("_count", labels, cumulative[-1]))
        samples.append(Sample("_sum", labels, total))


class Collector(Protocol):
    """Whatever has figures to show."""

    def collect(self, families: Families) -> None:
        """Add its samples."""


def exposition(collectors: Iterable[Collector], order: Sequence[Metric]) -> bytes:
    """Everything that the collectors have to show, in the text format, metrics in this order."""
    families = Families()
    for collector in collectors:
        collector.collect(families)
    lines = []
    for metric in order:
        samples = families.samples.get(metric)
        if samples is None:
            continue
        lines.append(f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.type}\n")
        names = metric.labels or ()
        with_bound = (*names, "le")
        for suffix, labels, value in samples:
            if metric.labels is None:
                pairs = ",".join(map(label_pair, labels[::2], labels[1::2]))
            else:
                pairs = ",".join(
                    map(label_pair, with_bound if suffix == "_bucket" else names, labels)
                )
            block = f"{{{pairs}}}" if pairs else ""
            lines.append(f"{metric.name}{suffix}{block} {_number(value)}\n")
    return "".join(lines).encode()


@lru_cache(maxsize=8192)
def label_pair(name: str, value: str) -> str:
    """A label as the text format has it."""
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{name}="{escaped}"'


def _number(value: float) -> str:
    if value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
