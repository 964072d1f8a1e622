"""Labels, samples and vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from mlguard_rules.errors import EvaluationError

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values of labels, sorted by name; no value is empty."""

Samples: TypeAlias = Sequence[tuple[Labels, float]]
"""Samples of one metric; the labels are without `__name__`."""

Snapshot: TypeAlias = Mapping[str, Samples]
"""The current samples by metric; the labels are without `__name__`."""

Vector: TypeAlias = dict[Labels, float]
"""Values by labels, with `__name__` among them if Prometheus keeps it."""

NAME = "__name__"


def milliseconds(at: float) -> int:
    """Return epoch seconds in milliseconds, Prometheus' unit."""
    return round(at * 1000)


def with_name(name: str, labels: Labels) -> Labels:
    """Return the labels of a series with the name of its metric among them."""
    if not labels or labels[0][0] > NAME:
        return ((NAME, name), *labels)
    return tuple(sorted(((NAME, name), *labels)))


def without_name(labels: Labels) -> Labels:
    """Return labels without the name of the metric."""
    if not labels:
        return labels
    first = labels[0][0]
    if first == NAME:
        return labels[1:]
    if first > NAME:
        return labels
    return tuple([pair for pair in labels if pair[0] != NAME])


def keep_labels(labels: Labels, names: frozenset[str]) -> Labels:
    """Return the labels of these names."""
    return tuple([pair for pair in labels if pair[0] in names])


def drop_labels(labels: Labels, names: frozenset[str]) -> Labels:
    """Return the labels of other names than these."""
    return tuple([pair for pair in labels if pair[0] not in names])


def vector_of(samples: Iterable[tuple[Labels, float]]) -> Vector:
    """Return the vector of these samples.

    Raises:
        EvaluationError: two samples have the same labels.
    """
    pairs = list(samples)
    vector = dict(pairs)
    if len(vector) != len(pairs):
        raise EvaluationError("vector cannot contain metrics with the same labelset")
    return vector


def format_labels(labels: Labels) -> str:
    """Return labels in PromQL's notation."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"
