"""The figures of a process, as rules read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_common.samples import Families, Metric, Sample
    from mlguard_rules.promql import Labels


class FamiliesSnapshot(Mapping[str, "Sequence[tuple[Labels, float]]"]):
    """Samples by the name that they have on /metrics; only what is asked for is turned over."""

    def __init__(self, families: Families) -> None:
        self._families = {metric.name: (metric, s) for metric, s in families.samples.items()}
        self._turned: dict[str, Sequence[tuple[Labels, float]]] = {}

    def __getitem__(self, name: str) -> Sequence[tuple[Labels, float]]:
        """The samples of a name, without it among their labels."""
        if name not in self._turned:
            family, suffix = name, ""
            if family not in self._families:
                family, _, last = name.rpartition("_")
                suffix = f"_{last}"
            metric, samples = self._families[family]
            self._turned[name] = list(_of_suffix(metric, samples, suffix))
        return self._turned[name]

    def __iter__(self) -> Iterator[str]:
        for metric, samples in self._families.values():
            for suffix in dict.fromkeys(sample.suffix for sample in samples):
                yield metric.name + suffix

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _of_suffix(
    metric: Metric, samples: Sequence[Sample], suffix: str
) -> Iterator[tuple[Labels, float]]:
    names = (*(metric.labels or ()), "le") if suffix == "_bucket" else (metric.labels or ())
    order = sorted(range(len(names)), key=names.__getitem__)
    for sample in samples:
        if sample.suffix == suffix:
            values = sample.labels
            yield tuple((names[i], values[i]) for i in order if values[i]), float(sample.value)
