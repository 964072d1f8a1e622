"""Which files AWS has delivered for each month, by its manifests."""

from __future__ import annotations

import hashlib
import json
import posixpath
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from mlguard_exporter.sources.aws.billing_export.layouts import layout_of
from mlguard_exporter.sources.aws.billing_export.storage import MonthError
from mlguard_exporter.sources.aws.billing_export.wrong_folder import explain_folder
from mlguard_exporter.sources.protocol import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlguard_exporter.sources.aws.billing_export.layouts import Layout
    from mlguard_exporter.sources.aws.billing_export.storage import FileStorage, StoredFile

_MAX_BYTES = 16 << 20
LATE_SECONDS = 259_200.0
"""Age of the newest delivery from which the export counts as stopped: AWS delivers daily."""
UNDER_WAY_SECONDS = 3600.0
"""Seconds for which a data file newer than its manifest belongs to the next delivery."""


@dataclass(frozen=True)
class Month:
    """One billing month, by its newest manifest.

    Attributes:
        first: its first day.
        end: the first day of the next.
        manifest: the file that names its data.
        layout: of the export.
    """

    first: date
    end: date
    manifest: StoredFile
    layout: Layout


@dataclass(frozen=True)
class MonthFiles:
    """The files that a month's manifest names.

    Attributes:
        files: with the data.
        digest: of the manifest's text.
    """

    files: tuple[StoredFile, ...]
    digest: str


def _find_export(storage: FileStorage) -> tuple[str, Layout]:
    """Return the export's folder, the root or the one in it that is an export, and its layout.

    Raises:
        SourceError: there is none, or more than one.
    """
    top = storage.folders("")
    own = layout_of(top)
    if own is not None:
        return "", own
    found = {name: layout for name in top if (layout := layout_of(storage.folders(name)))}
    if len(found) > 1:
        raise SourceError(
            f"{storage.where('')} holds several exports, which would be counted twice: "
            f"{', '.join([*found][:5])}; name the folder of one"
        )
    for export, layout in found.items():
        return export, layout
    raise SourceError(explain_folder(storage, ""))


def find_months(storage: FileStorage) -> tuple[str, list[Month]]:
    """Return the export's folder, and its months with manifests, in order.

    An export that keeps older deliveries writes each manifest twice: into a folder of the delivery,
    and over the one of the month, which is the newest. Where the latter is missing, the newest is
    found by time.

    Raises:
        SourceError: there are none, or more than one export.
    """
    export, layout = _find_export(storage)
    newest: dict[date, tuple[tuple[bool, float, str], StoredFile]] = {}
    for file in storage.files(posixpath.join(export, layout.folder).rstrip("/")):
        found = layout.month_of(file.name)
        if found is None:
            continue
        first, is_of_delivery = found
        rank = (not is_of_delivery, file.modified, file.name)
        if first not in newest or rank > newest[first][0]:
            newest[first] = (rank, file)
    if not newest:
        raise SourceError(explain_folder(storage, export))
    months = [Month(first, _next(first), newest[first][1], layout) for first in sorted(newest)]
    return export, months


def refuse_late(storage: FileStorage, months: Iterable[Month], now: float) -> None:
    """Raise an error for an export whose newest delivery is older than `LATE_SECONDS`.

    Raises:
        SourceError: deliveries have stopped.
    """
    newest = max(months, key=lambda month: month.manifest.modified)
    if newest.manifest.modified < now - LATE_SECONDS:
        delivered = datetime.fromtimestamp(newest.manifest.modified, UTC)
        raise SourceError(
            f"nothing new is there: {newest.first:%Y-%m} was delivered at"
            f" {delivered:%Y-%m-%d %H:%M} UTC; check why"
            f" {newest.layout.console.format(storage.where(''))}"
        )


def find_month_files(storage: FileStorage, export: str, month: Month, now: float) -> MonthFiles:
    """Return the files that the manifest of a month names.

    Args:
        storage: of the export.
        export: its folder.
        month: with its manifest.
        now: epoch seconds.

    Raises:
        MonthError: the manifest cannot be read, a file is missing, or a new delivery is
            under way.
    """
    where = storage.where(month.manifest.name)
    with storage.open(month.manifest) as stream:
        text = stream.read(_MAX_BYTES)
    names = _names(text, month.layout, where)
    wanted = [_place(uri, export, month.layout, where) for uri in names]
    if len(set(wanted)) != len(wanted):
        raise MonthError(f"{where} names a file twice")
    there = {
        file.name: file
        for folder in sorted({posixpath.dirname(name) for name in wanted})
        for file in storage.files(folder)
    }
    for name in wanted:
        if name not in there:
            raise MonthError(f"{where} names {storage.where(name)}, which is missing; copy it too")
        if month.manifest.modified < there[name].modified > now - UNDER_WAY_SECONDS:
            raise MonthError(
                f"{storage.where(name)} is newer than its manifest: a delivery seems to be under "
                "way; it is read when its manifest has come, or in an hour"
            )
    files = tuple(there[name] for name in wanted)
    return MonthFiles(files, hashlib.sha256(text).hexdigest())


def _names(text: bytes, layout: Layout, where: str) -> list[str]:
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MonthError(f"{where} is not JSON; have the export delivered again") from error
    names = layout.names(manifest) if isinstance(manifest, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise MonthError(
            f"{where} has no {layout.key}; expected the manifest of an export with its files"
        )
    if not names:
        raise MonthError(f"{where} names no data files; have the export delivered again")
    return names


def _place(uri: str, export: str, layout: Layout, where: str) -> str:
    """Return the path of a data file below the storage's root, even in a copy of the export."""
    match = layout.data.search(uri)
    path = posixpath.normpath(match[1] if match else "")
    if match is None or layout.data.fullmatch(path) is None:
        raise MonthError(f"{where} names {uri!r}; expected {layout.expected}")
    return posixpath.join(export, path)


def _next(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
