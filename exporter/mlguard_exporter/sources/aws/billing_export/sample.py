"""The header and first rows of an export, for `mlguard-exporter check`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import localcontext
from itertools import islice
from typing import TYPE_CHECKING

from mlguard_exporter.sources.aws.billing_export.formats import line_format
from mlguard_exporter.sources.aws.billing_export.manifest import find_month_files
from mlguard_exporter.sources.aws.billing_export.month import (
    EXACT,
    MonthTotals,
    located,
    located_row,
    open_table,
)
from mlguard_exporter.sources.aws.billing_export.tags import owner_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlguard_exporter.config import TagsConfig
    from mlguard_exporter.sources.aws.billing_export.manifest import Month
    from mlguard_exporter.sources.aws.billing_export.storage import FileStorage, StoredFile
    from mlguard_exporter.spend import Basis

MAX_ROWS = 20_000
"""Rows that are read, which takes less than a second."""
_MAX_FILES = 4
_MAX_PARQUET_BYTES = 64 << 20
"""Size from which a Parquet file, which S3 has to send as a whole, is read only if all are."""


@dataclass(frozen=True)
class Sample:
    """The first rows of a month's largest files.

    Attributes:
        where: the files.
        format: CUR 2.0 or FOCUS.
        rows: the number of rows that were read.
        usage: the number of those that are usage.
        tag_columns: the columns that hold tags.
        tagged: for each of the three tags, the number of rows of usage that carry it.
        is_all: whether the month has no further rows.
    """

    where: str
    format: str
    rows: int
    usage: int
    tag_columns: tuple[str, ...]
    tagged: Mapping[str, int]
    is_all: bool


def read_sample(
    storage: FileStorage, export: str, month: Month, tags: TagsConfig, basis: Basis, now: float
) -> Sample:
    """Read the header and the first rows of a month's largest files, as the daemon reads all.

    Args:
        storage: of the export.
        export: its folder.
        month: with its manifest.
        tags: names of the three tags.
        basis: on which amounts must be there.
        now: epoch seconds.

    Raises:
        LackingError: a file has no amounts on the basis.
        SourceError: the manifest, the columns or a row are not as expected.
    """
    files = find_month_files(storage, export, month, now).files
    chosen = _chosen(files)
    totals, owners, columns = MonthTotals(month.first, month.end), [], []
    rows, name, is_all = 0, "", len(chosen) == len(files)
    with localcontext(EXACT):
        for left, file in zip(range(len(chosen), 0, -1), chosen, strict=True):
            share, before = (MAX_ROWS - rows) // left, rows
            where = storage.where(file.name)
            with (
                storage.open(file) as stream,
                located(where),
                open_table(stream, file.name) as table,
            ):
                form = line_format(table.header)
                form.require(basis)
                owner = owner_of(tags, form.tags)
                with located_row(where, table):
                    for cells in islice(table.rows(form.columns), share):
                        rows += 1
                        item = form.read(cells)
                        if item is not None:
                            whose = owner(item.tags) if item.usage else None
                            totals.add(item, whose)
                            owners += [] if whose is None else [whose]
            name = form.name
            columns += [each for each in form.tags if each not in columns]
            is_all = is_all and rows - before < share
    more = f" and {len(chosen) - 1} more" if chosen[1:] else ""
    where = f"{storage.where(chosen[-1].name)}{more}"
    tagged = {tag: sum(1 for each in owners if each[place]) for place, tag in enumerate(tags.names)}
    return Sample(where, name, rows, len(owners), tuple(columns), tagged, is_all)


def _chosen(files: Sequence[StoredFile]) -> list[StoredFile]:
    """Return the largest of a month's files that can be sampled quickly, the largest last."""
    by_size = sorted(files, key=lambda each: each.size)
    quick = [
        file
        for file in by_size
        if file.size <= _MAX_PARQUET_BYTES or not file.name.lower().endswith(".parquet")
    ]
    return quick[-_MAX_FILES:] or by_size[:1]
