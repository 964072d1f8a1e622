"""What a folder holds that is no export: nothing, a legacy report, or something else."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from mlguard_exporter.sources.aws.billing_export.formats import LEGACY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlguard_exporter.sources.aws.billing_export.storage import FileStorage

_LEGACY_FOLDER = re.compile(r"\d{6}01-\d{6}01|cost_and_usage_data_status", re.IGNORECASE)
"""Folders of legacy reports: a month with its end, as CSV; the state of a delivery, as Parquet."""
_DEPTH = 4
"""Levels below the root at which a legacy report may have such folders."""
_MAX_LISTINGS = 40


def explain_folder(storage: FileStorage, export: str) -> str:
    """Return what is wrong with a folder in which no manifest was found, and what to do.

    Args:
        storage: the files.
        export: the folder.

    Raises:
        SourceError: it cannot be listed.
    """
    where = storage.where(export)
    for found in _folders(storage, export):
        if _LEGACY_FOLDER.fullmatch(posixpath.basename(found)):
            return f"{where}: {LEGACY}"
    if not storage.holds_any(export):
        return (
            f"{where}: nothing is there, no manifest was found; correct the account's `export`, in"
            " which capitals count, or wait for the first delivery, up to 24 hours"
        )
    return (
        f"{where}: no manifest was found, and only what one names is read;"
        " give the folder of an AWS Data Export, which holds data/ and metadata/"
    )


def _folders(storage: FileStorage, top: str) -> Iterator[str]:
    """Yield folders, level by level, of as many listings as are sensible."""
    level, left = [top], _MAX_LISTINGS
    for _ in range(_DEPTH):
        below: list[str] = []
        for path in level[:left]:
            left -= 1
            below += [posixpath.join(path, name) for name in storage.folders(path)]
        yield from below
        level = below
