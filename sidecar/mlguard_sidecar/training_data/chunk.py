"""Chunks of a data file, and the samples of its columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline import ColumnSample
from mlguard_sidecar.histogram.encoded_column import EncodedColumn
from mlguard_sidecar.histogram.values import INVALID, as_numbers, as_scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.histogram.encoded_column import Values


class DataFileError(ValueError):
    """A data file cannot be read; the text is one line, and says where and what to do."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of a data file.

    Attributes:
        rows: number of rows.
        columns: name -> its values, in parts, in any order.
        without_features: number of further rows, which have predictions but no features.
        progress: share of the file that is read, 0 to 1.
    """

    rows: int
    columns: Mapping[str, Sequence[Values]]
    without_features: int = 0
    progress: float = 0.0

    def parts_of(self, name: str, roles: Roles) -> Sequence[Values]:
        """Return the values of a column as events would have them, in parts."""
        parts = self.columns.get(name, ())
        if name != roles.y_proba:
            return parts
        return [part for values in parts for part in _scores(values)]

    def without_first(self, rows: int) -> Chunk:
        """Return this chunk, whose columns have one part each, without its first rows."""
        columns = {name: [part[rows:] for part in parts] for name, parts in self.columns.items()}
        return replace(self, rows=self.rows - rows, columns=columns)


@dataclass(frozen=True)
class Roles:
    """Which columns of a data file are predictions, and which are left out.

    Attributes:
        y_pred: column of the predictions.
        y_proba: column of the probabilities.
        left_out: columns that are neither features nor predictions.
    """

    y_pred: str = "y_pred"
    y_proba: str = "y_proba"
    left_out: frozenset[str] = frozenset()

    def prediction_of(self, name: str) -> str | None:
        """Return `y_pred` or `y_proba` for the column that is one, else None."""
        return {self.y_pred: "y_pred", self.y_proba: "y_proba"}.get(name)


@dataclass
class TableSample:
    """Values of all columns of a data file.

    Attributes:
        rows: number of rows.
        names: names of all columns, those that are left out included.
        features: name -> values.
        predictions: `y_pred` and `y_proba`, if the file has them -> values.
    """

    rows: int = 0
    names: dict[str, None] = field(default_factory=dict)
    features: dict[str, ColumnSample] = field(default_factory=dict)
    predictions: dict[str, ColumnSample] = field(default_factory=dict)
    _with_features: int = 0

    def add(self, chunk: Chunk, roles: Roles) -> None:
        """Add the rows of a chunk; a column that a chunk lacks is missing in its rows."""
        self.names |= dict.fromkeys(chunk.columns)
        self.rows += chunk.rows + chunk.without_features
        self._with_features += chunk.rows
        for name in chunk.columns:
            role = roles.prediction_of(name)
            if role is not None:
                self._add(self.predictions, role, chunk.parts_of(name, roles))
            elif name not in roles.left_out:
                self._add(self.features, name, chunk.parts_of(name, roles))
        for samples, rows in (
            (self.features, self._with_features),
            (self.predictions, self.rows),
        ):
            for sample in samples.values():
                sample.add(missing(rows - sample.rows))

    @staticmethod
    def _add(samples: dict[str, ColumnSample], name: str, parts: Sequence[Values]) -> None:
        sample = samples.setdefault(name, ColumnSample())
        for part in parts:
            sample.add(part)


def missing(rows: int) -> NDArray[np.float64]:
    """Return missing values."""
    return np.full(rows, np.nan)


def _scores(values: Values) -> Iterator[Values]:
    """Yield probabilities as raw values, as they are read in events."""
    numbers, wrong = as_numbers(values)
    is_wrong = wrong if len(wrong) else np.zeros(len(numbers), dtype=bool)
    scores = as_scores(np.where(np.isfinite(numbers), numbers, np.nan))
    invalid = is_wrong | np.isinf(scores)
    yield scores[~invalid]
    if invalid.any():
        yield EncodedColumn([INVALID], np.zeros(int(invalid.sum()), dtype=np.intp))
