"""What AWS says has been delivered of each month."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from mlguard_exporter.files.errors import MonthError
from mlguard_exporter.spend import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlguard_exporter.files.store import Found, Store

_MANIFEST = re.compile(
    r"(?:^|/)metadata/billing_period=(\d{4})-(\d\d)/(?P<execution>[^/]+/)?[^/]*manifest\.json$",
    re.IGNORECASE,
)
_DATA = re.compile(r"(?:^|/)(data/billing_period=\d{4}-\d\d/.+)$", re.IGNORECASE)
_MOST_BYTES = 16 << 20
LATE_SECONDS = 259_200.0
"""AWS delivers at least once a day, and the first of a month a little later."""
UNDER_WAY_SECONDS = 3600.0
"""A data file that is younger than its manifest is of the next delivery for so long."""


@dataclass(frozen=True)
class Month:
    """One billing month, by its newest manifest.

    Attributes:
        first: its first day.
        end: the first day of the next.
        manifest: the file that names its data.
    """

    first: date
    end: date
    manifest: Found


@dataclass(frozen=True)
class Delivery:
    """What a month's manifest names.

    Attributes:
        files: the data.
        digest: of the manifest's text.
    """

    files: tuple[Found, ...]
    digest: str


def _find_export(store: Store) -> str:
    """The export's folder: the root, or the one folder of the root that holds an export.

    Raises:
        SourceError: there is none, or more than one.
    """
    top = store.folders("")
    if "metadata" in top:
        return ""
    exports = [name for name in top if "metadata" in store.folders(name)]
    if len(exports) > 1:
        raise SourceError(
            f"{store.where('')} holds several exports, which would be counted twice: "
            f"{', '.join(exports[:5])}; name the folder of one"
        )
    if not exports:
        raise _no_manifest(store, "")
    return exports[0]


def _no_manifest(store: Store, export: str) -> SourceError:
    return SourceError(
        f"{store.where(export)}: no manifest was found, and files are read only if one names them; "
        "give the folder of an AWS Data Export, which holds data/ and metadata/"
    )


def find_months(store: Store) -> tuple[str, list[Month]]:
    """The export's folder, and the months of which manifests are there, in order.

    Deliveries that keep the older ones write each manifest twice: into a folder of the delivery,
    and over that of the month, which is the newest. Where the latter is missing it is found by
    time.

    Raises:
        SourceError: there are none, or more than one export.
    """
    export = _find_export(store)
    chosen: dict[date, tuple[tuple[bool, float, str], Found]] = {}
    for file in store.files(f"{export}/metadata" if export else "metadata"):
        match = _MANIFEST.search(file.name)
        if match is None or not 1 <= int(match[2]) <= 12:
            continue
        first = date(int(match[1]), int(match[2]), 1)
        rank = (match["execution"] is None, file.modified, file.name)
        if first not in chosen or rank > chosen[first][0]:
            chosen[first] = (rank, file)
    if not chosen:
        raise _no_manifest(store, export)
    return export, [Month(first, _next(first), chosen[first][1]) for first in sorted(chosen)]


def refuse_late(store: Store, months: Iterable[Month], now: float) -> None:
    """Refuse an export whose newest delivery is so old that another must have failed.

    Raises:
        SourceError: it has stopped.
    """
    newest = max(months, key=lambda month: month.manifest.modified)
    if newest.manifest.modified < now - LATE_SECONDS:
        delivered = datetime.fromtimestamp(newest.manifest.modified, UTC)
        raise SourceError(
            f"nothing new is there: {newest.first:%Y-%m} was delivered at"
            f" {delivered:%Y-%m-%d %H:%M} UTC; look why AWS writes nothing new to"
            f" {store.where('')}, in the AWS console of the account that pays: Billing and Cost"
            " Management, Data Exports"
        )


def find_data(store: Store, export: str, month: Month, now: float) -> Delivery:
    """What the manifest of a month names, all of it there.

    Args:
        store: where.
        export: the export's folder.
        month: which.
        now: seconds since 1970.

    Raises:
        MonthError: the manifest cannot be understood, a file is missing, or a new delivery is
            under way.
    """
    where = store.where(month.manifest.name)
    with store.open(month.manifest) as stream:
        text = stream.read(_MOST_BYTES)
    wanted = [_place(uri, export, where) for uri in _names(text, where)]
    if len(set(wanted)) != len(wanted):
        raise MonthError(f"{where} names a file twice")
    there = {
        file.name: file
        for folder in sorted({posixpath.dirname(name) for name in wanted})
        for file in store.files(folder)
    }
    for name in wanted:
        if name not in there:
            raise MonthError(f"{where} names {store.where(name)}, which is missing; copy it too")
        if month.manifest.modified < there[name].modified > now - UNDER_WAY_SECONDS:
            raise MonthError(
                f"{store.where(name)} is newer than its manifest: a delivery seems to be under "
                "way; it is read when its manifest has come, or in an hour"
            )
    files = tuple(there[name] for name in wanted)
    return Delivery(files, hashlib.sha256(text).hexdigest())


def _names(text: bytes, where: str) -> list[str]:
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MonthError(f"{where} is not JSON; have the export delivered again") from error
    names = manifest.get("dataFiles") if isinstance(manifest, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise MonthError(f"{where} has no dataFiles; expected the manifest of an AWS Data Export")
    if not names:
        raise MonthError(f"{where} names no data files; have the export delivered again")
    return names


def _place(uri: str, export: str, where: str) -> str:
    """Path of a data file below the store's root, wherever the export was copied to."""
    match = _DATA.search(uri)
    path = posixpath.normpath(match[1] if match else "")
    if not path.lower().startswith("data/"):
        raise MonthError(
            f"{where} names {uri!r}; expected .../data/BILLING_PERIOD=YYYY-MM/..., as AWS writes it"
        )
    return posixpath.join(export, path)


def _next(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
