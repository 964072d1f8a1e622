"""Baseline files, `mlguard-baseline/1`: canonical JSON, identified by its hash."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import numpy as np

from mlguard_sidecar.baseline.baseline import Baseline, ColumnBaseline
from mlguard_sidecar.baseline.quality import (
    QualityFile,
    quality_from_file,
    quality_to_file,
)
from mlguard_sidecar.histogram import OTHER, Column, Kind, Role

if TYPE_CHECKING:
    from mlguard_sidecar.baseline.quality import BaselineQuality

FORMAT = "mlguard-baseline/1"


Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _ColumnFile(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    kind: Literal["numeric", "categorical"]
    counts: list[Count]
    missing: Count = 0
    invalid: Count = 0
    edges: list[float] = []
    psi_edges: list[float] = []
    categories: list[str] = []
    codes: bool = False  # files of earlier versions have it; all numbers are valid categories now
    missing_words: list[str] = []
    mean: float | None = None
    m2: float | None = None
    min: float | None = None
    max: float | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    format: str
    created: datetime
    source: str
    samples: int
    features: dict[str, _ColumnFile]
    predictions: dict[str, _ColumnFile]
    not_watched: dict[str, str] = {}
    quality: QualityFile | None = None


def check_column(tree: object) -> None:
    """Check the form of one column of a file, given as decoded JSON.

    Raises:
        msgspec.ValidationError: it has another form.
    """
    msgspec.convert(tree, _ColumnFile)


_decoder = msgspec.json.Decoder(_File)


def baseline_of(
    columns: tuple[ColumnBaseline, ...],
    *,
    samples: int,
    source: str,
    created: float,
    not_watched: dict[str, str],
) -> Baseline:
    """Return a baseline of these columns; `created` is in epoch seconds."""
    by_role = {
        role: {c.column.name: _to_file(c) for c in columns if c.column.role is role}
        for role in Role
    }
    moment = datetime.fromtimestamp(int(created), UTC)
    file = _File(
        FORMAT,
        moment,
        source,
        samples,
        by_role[Role.FEATURE],
        by_role[Role.PREDICTION],
        not_watched,
    )
    return load(msgspec.json.encode(file, order="sorted"))


def with_quality(baseline: Baseline, quality: BaselineQuality) -> Baseline:
    """Return a baseline with the quality of the predictions in its data."""
    file = _decoder.decode(baseline.body)
    file.quality = quality_to_file(quality)
    return load(msgspec.json.encode(file, order="sorted"))


def dump(baseline: Baseline) -> bytes:
    """Return the content of a baseline file: one line of JSON with a line feed."""
    return baseline.body + b"\n"


def load(data: bytes) -> Baseline:
    """Read a baseline file.

    The hash is that of the canonical form, so that formatting does not change the ID.

    Raises:
        ValueError: the file is invalid; the text is one line.
    """
    try:
        file = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"not a baseline file: {error}") from error
    if file.format != FORMAT:
        raise ValueError(f"format: found {file.format!r}, expected {FORMAT!r}")
    columns = [
        _from_file(name, role, part)
        for role, group in ((Role.FEATURE, file.features), (Role.PREDICTION, file.predictions))
        for name, part in sorted(group.items())
    ]
    body = msgspec.json.encode(file, order="sorted")
    created = file.created if file.created.tzinfo else file.created.replace(tzinfo=UTC)
    return Baseline(
        id=hashlib.sha256(body).hexdigest()[:12],
        created=created.timestamp(),
        source=file.source,
        samples=file.samples,
        columns=tuple(columns),
        not_watched=file.not_watched,
        body=body,
        quality=None if file.quality is None else quality_from_file(file.quality),
    )


def _to_file(part: ColumnBaseline) -> _ColumnFile:
    column, counts = part.column, part.counts.tolist()
    _, mean, m2, low, high = part.moments or (None,) * 5
    return _ColumnFile(
        kind="numeric" if column.kind is Kind.NUMERIC else "categorical",
        counts=counts[: column.bins],
        missing=counts[column.missing],
        invalid=counts[column.invalid],
        edges=list(column.edges),
        psi_edges=list(part.psi_edges),
        categories=list(column.categories),
        missing_words=list(column.missing_words),
        mean=mean,
        m2=m2,
        min=low,
        max=high,
    )


def _from_file(name: str, role: Role, part: _ColumnFile) -> ColumnBaseline:
    column = Column(
        name,
        Kind(part.kind),
        role,
        edges=tuple(part.edges),
        categories=tuple(part.categories),
        missing_words=tuple(part.missing_words),
    )
    where = f"{role}s.{name}"
    if len(part.counts) != column.bins:
        raise ValueError(
            f"{where}.counts: found {len(part.counts)}, expected {column.bins}, one a bin"
        )
    if not any(part.counts):
        raise ValueError(f"{where}.counts: expected at least one above 0")
    if name == "y_proba" and role is Role.PREDICTION and column.kind is not Kind.NUMERIC:
        raise ValueError(f"{where}.kind: found {part.kind}, expected numeric")
    counts = np.array([*part.counts, part.missing, part.invalid], dtype=np.int64)
    if column.kind is Kind.CATEGORICAL:
        if not part.categories or len({*part.categories, OTHER}) != column.bins:
            raise ValueError(
                f"{where}.categories: expected at least one, each once, and no {OTHER}"
            )
        return ColumnBaseline(column, counts)
    for edges, label in ((part.edges, "edges"), (part.psi_edges, "psi_edges")):
        if not edges or any(a >= b for a, b in pairwise(edges)):
            raise ValueError(f"{where}.{label}: expected ascending numbers, at least one")
    if not set(part.psi_edges) <= set(part.edges):
        raise ValueError(f"{where}.psi_edges: expected some of the edges")
    if part.mean is None or part.m2 is None or part.min is None or part.max is None:
        raise ValueError(f"{where}: expected mean, m2, min and max")
    moments = (float(sum(part.counts)), part.mean, part.m2, part.min, part.max)
    return ColumnBaseline(column, counts, moments, tuple(part.psi_edges))
