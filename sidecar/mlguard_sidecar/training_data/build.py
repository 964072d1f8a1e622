"""Baselines from data files, and their dry run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlguard.protocol import MAX_FEATURES
from mlguard_sidecar.baseline import Baseline, Binning, build, with_quality
from mlguard_sidecar.drift import psi
from mlguard_sidecar.histogram import Kind, Partition, Role
from mlguard_sidecar.training_data.chunk import DataFileError, TableSample
from mlguard_sidecar.training_data.quality import quality_from_file
from mlguard_sidecar.training_data.read import open_data_file
from mlguard_sidecar.wire import clean_text, is_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mlguard_sidecar.training_data.chunk import Roles
    from mlguard_sidecar.training_data.read import DataFile, ReadOptions


_NO_NAME = "it has no name, as the index of a DataFrame; leave it out with --index-column ''"


@dataclass(frozen=True)
class BuildSettings:
    """Settings of a baseline.

    Attributes:
        created: current time, epoch seconds.
        binning: binning of the columns that `binnings` does not name.
        binnings: feature -> its binning.
        prediction: kind of `y_pred`; None to decide from its values.
        missing_words: texts that mean a missing value, besides those of every column.
        y_true: column of the truths of the predictions; None without.
        positive_class: class whose probability a number is; None for the larger of two.
        named: columns that must be in the file.
    """

    created: float
    binning: Binning = field(default_factory=Binning)
    binnings: Mapping[str, Binning] = field(default_factory=dict)
    prediction: Kind | None = None
    missing_words: tuple[str, ...] = ()
    y_true: str | None = None
    positive_class: str | None = None
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """A baseline, and what it was built from.

    Attributes:
        baseline: the baseline.
        sample: the values of all columns.
        dry_run: column of the baseline -> its index when the file itself is counted as events.
    """

    baseline: Baseline
    sample: TableSample
    dry_run: Mapping[tuple[Role, str], float]


def build_from_file(
    path: Path,
    options: ReadOptions,
    settings: BuildSettings,
    on_progress: Callable[[float], None],
) -> Built:
    """Build a baseline from a data file, then count the file itself in its bins.

    Args:
        path: the file.
        options: how to read it.
        settings: settings of the baseline.
        on_progress: called with the share of the work that is done, 0 to 1.

    Raises:
        DataFileError: the file cannot be read, or has nothing to watch; the text is one line.
        OSError: it cannot be opened.
    """
    file = open_data_file(path, options)
    sample = TableSample()
    for chunk in file.chunks():
        sample.add(chunk, options.roles)
        on_progress(chunk.progress / 2)
    _check(path, sample, settings, file)
    not_watched = {n: why for n, why in file.not_watched.items() if n not in options.roles.left_out}
    not_watched |= {
        name[:128]: "its name is not 1 to 128 printable characters" if name else _NO_NAME
        for name in sample.features
        if not is_name(name)
    }
    baseline = build(
        {name: values for name, values in sample.features.items() if is_name(name)},
        sample.predictions,
        samples=sample.rows,
        source=clean_text(path.name),
        created=settings.created,
        default=settings.binning,
        binnings=settings.binnings,
        prediction=settings.prediction,
        missing_words=settings.missing_words,
        not_watched=not_watched,
    )
    if not baseline.columns:
        why = "; ".join(f"{name}: {reason}" for name, reason in baseline.not_watched.items())
        raise DataFileError(f"{path}: found no column to watch ({why[:300]})")
    if settings.y_true is not None:
        kinds = {(c.column.role, c.column.name): c.column.kind for c in baseline.columns}
        kind = kinds.get((Role.PREDICTION, "y_pred"))
        quality = quality_from_file(
            path,
            options,
            settings.y_true,
            positive=settings.positive_class,
            are_values=None if kind is None else kind is Kind.NUMERIC,
        )
        baseline = with_quality(baseline, quality)
    return Built(baseline, sample, _dry_run(baseline, file, options.roles, on_progress))


def _dry_run(
    baseline: Baseline, file: DataFile, roles: Roles, on_progress: Callable[[float], None]
) -> dict[tuple[Role, str], float]:
    """Return the index of each column when the rows of the file are counted as events are."""
    counts = [np.zeros(part.column.slots, dtype=np.int64) for part in baseline.columns]
    names = {"y_pred": roles.y_pred, "y_proba": roles.y_proba}
    for chunk in file.chunks():
        for part, counted in zip(baseline.columns, counts, strict=True):
            column = part.column
            is_feature = column.role is Role.FEATURE
            for values in chunk.parts_of(column.name if is_feature else names[column.name], roles):
                np.add(counted, column.fold(values, Partition.whole(len(values)))[0][0], counted)
        on_progress(0.5 + chunk.progress / 2)
    return {
        (part.column.role, part.column.name): psi(part.psi_baseline, part.psi_counts(counted))
        for part, counted in zip(baseline.columns, counts, strict=True)
    }


def _check(path: Path, sample: TableSample, settings: BuildSettings, file: DataFile) -> None:
    """Check the columns of a file.

    Raises:
        DataFileError: one that an option names is not there, or there are too many.
    """
    if not sample.rows:
        raise DataFileError(f"{path}: no rows")
    names = {**sample.names, **dict.fromkeys(file.not_watched)}
    for name in settings.named:
        if name not in names:
            known = ", ".join(list(names)[:20])
            raise DataFileError(f"{path}: no column {name}; it has {known}")
    if len(sample.features) > MAX_FEATURES:
        raise DataFileError(
            f"{path}: found {len(sample.features)} features, expected at most {MAX_FEATURES};"
            " --drop some"
        )
