"""What expressions are made of: labels, samples, vectors, and what can go wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values of labels, sorted by name, no value empty."""

Snapshot: TypeAlias = Mapping[str, Sequence[tuple[Labels, float]]]
"""The current samples by metric; the labels are without `__name__`."""

Vector: TypeAlias = dict[Labels, float]
"""Values by labels, with `__name__` among them wherever Prometheus keeps it."""

NAME = "__name__"


class UnsupportedError(ValueError):
    """Why an expression cannot be used, in one line."""


class EvaluationError(Exception):
    """An expression has no result on the data of the moment, as Prometheus too would say."""


def milliseconds(at: float) -> int:
    """Epoch seconds as Prometheus counts time."""
    return round(at * 1000)


def with_name(name: str, labels: Labels) -> Labels:
    """Labels of a series with the name of its metric among them."""
    if not labels or labels[0][0] > NAME:
        return ((NAME, name), *labels)
    return tuple(sorted(((NAME, name), *labels)))


def without_name(labels: Labels) -> Labels:
    """Labels without the name of the metric."""
    if not labels:
        return labels
    first = labels[0][0]
    if first == NAME:
        return labels[1:]
    if first > NAME:
        return labels
    return tuple([pair for pair in labels if pair[0] != NAME])


def kept(labels: Labels, names: frozenset[str]) -> Labels:
    """Only the labels of these names."""
    return tuple([pair for pair in labels if pair[0] in names])


def dropped(labels: Labels, names: frozenset[str]) -> Labels:
    """All but the labels of these names."""
    return tuple([pair for pair in labels if pair[0] not in names])


def unique(samples: Iterable[tuple[Labels, float]]) -> Vector:
    """The vector of these samples.

    Raises:
        EvaluationError: two samples have the same labels.
    """
    pairs = list(samples)
    vector = dict(pairs)
    if len(vector) != len(pairs):
        raise EvaluationError("vector cannot contain metrics with the same labelset")
    return vector


def text_of(labels: Labels) -> str:
    """Labels as people write them."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"
