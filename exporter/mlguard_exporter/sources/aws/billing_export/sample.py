"""The header and first rows of an export, for `mlguard-exporter check`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mlguard_exporter.sources.aws.billing_export.formats import line_format
from mlguard_exporter.sources.aws.billing_export.manifest import find_month_files
from mlguard_exporter.sources.aws.billing_export.month import located, located_row, open_table
from mlguard_exporter.sources.aws.billing_export.tags import owner_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlguard_exporter.config import TagsConfig
    from mlguard_exporter.sources.aws.billing_export.manifest import Month
    from mlguard_exporter.sources.aws.billing_export.storage import FileStorage
    from mlguard_exporter.spend import Basis

MAX_ROWS = 20_000
"""Rows that are read, which takes less than a second."""


@dataclass(frozen=True)
class Sample:
    """The first rows of one file.

    Attributes:
        where: the file.
        format: CUR 2.0 or FOCUS.
        rows: the number of rows that were read.
        usage: the number of those that are usage.
        tag_columns: the columns that hold tags.
        tagged: for each of the three tags, the number of rows of usage that carry it.
    """

    where: str
    format: str
    rows: int
    usage: int
    tag_columns: tuple[str, ...]
    tagged: Mapping[str, int]


def read_sample(
    storage: FileStorage, export: str, month: Month, tags: TagsConfig, basis: Basis, now: float
) -> Sample:
    """Read the header and the first rows of a month's smallest file, as the daemon reads all.

    Args:
        storage: of the export.
        export: its folder.
        month: with its manifest.
        tags: names of the three tags.
        basis: on which amounts must be there.
        now: epoch seconds.

    Raises:
        SourceError: the manifest, the columns or a row are not as expected, or the basis is
            lacking.
    """
    files = find_month_files(storage, export, month, now).files
    file = min(files, key=lambda each: each.size)
    where = storage.where(file.name)
    rows, owners = 0, []
    with storage.open(file) as stream, located(where), open_table(stream, file.name) as table:
        form = line_format(table.header)
        form.require(basis)
        owner = owner_of(tags, form.tags)
        with located_row(where, table):
            for cells in islice(table.rows(form.columns), MAX_ROWS):
                rows += 1
                item = form.read(cells)
                if item is not None and item.usage:
                    owners.append(owner(item.tags))
    tagged = {tag: sum(1 for each in owners if each[place]) for place, tag in enumerate(tags.names)}
    return Sample(where, form.name, rows, len(owners), form.tags, tagged)
