"""Quality of the predictions in a data file that has their truths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.baseline import BaselineQuality
from mlguard_sidecar.histogram import merge_panes
from mlguard_sidecar.histogram.values import is_missing
from mlguard_sidecar.outcomes import Classes, Judged, Tally, sums_of
from mlguard_sidecar.training_data.chunk import DataFileError
from mlguard_sidecar.training_data.records import read_proba, read_records

if TYPE_CHECKING:
    from pathlib import Path

    from mlguard_sidecar.training_data.read import ReadOptions


def quality_from_file(
    path: Path,
    options: ReadOptions,
    y_true: str,
    *,
    positive: str | None,
    are_values: bool | None,
) -> BaselineQuality:
    """Return the sums of the predictions in a data file beside their truths.

    Args:
        path: the file.
        options: how to read it, and which columns are predictions.
        y_true: column of the truths.
        positive: class whose probability a number is; None for the larger of two.
        are_values: whether predictions are values; None if that is not known.

    Raises:
        DataFileError: it cannot be read, or no row has both; the text is one line.
        OSError: it cannot be opened.
    """
    roles, classes, panes = options.roles, Classes(), []
    for part in read_records(path, options, [y_true, roles.y_pred, roles.y_proba]):
        nothing = [None] * part.rows
        columns = [part.columns[name] or nothing for name in (y_true, roles.y_pred, roles.y_proba)]
        judged = [
            Judged(truth, predicted, read_proba(score))
            for truth, predicted, score in zip(*columns, strict=True)
            if not (is_missing(truth) or is_missing(predicted))
        ]
        panes.append(sums_of(judged, classes, positive=positive, are_values=are_values))
    pane = merge_panes(panes)
    if not len(pane.counts) or not pane.counts[Tally.OUTCOMES]:
        raise DataFileError(f"{path}: no row has a value of both {y_true} and {roles.y_pred}")
    return BaselineQuality(pane, tuple(classes.names))
