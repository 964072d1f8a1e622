"""How each cloud lays out the files of an export: folders, manifests, and what these name."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_YEARS, _MONTHS = range(1, 9999), range(1, 13)
"""Years with a month after their last, as a date; a folder of another is no month's."""


@dataclass(frozen=True)
class Layout:
    """The layout of one cloud.

    Attributes:
        marker: matches the name of a folder directly in an export's.
        folder: the folder of the export in which manifests are; empty for the export's own.
        manifest: matches the path of a manifest, with the groups year, month, perhaps day, and
            execution where the manifest is one delivery's own.
        data: matches the path of a data file as a manifest names it; the first group is the path
            below the export.
        names: returns what a decoded manifest names, which is yet to be checked.
        key: of a manifest, under which they are.
        expected: the paths of data files, for error texts.
        console: who writes the files, and where to look why not, for error texts.
    """

    marker: re.Pattern[str]
    folder: str
    manifest: re.Pattern[str]
    data: re.Pattern[str]
    names: Callable[[dict[str, Any]], Any]
    key: str
    expected: str
    console: str

    def month_of(self, path: str) -> tuple[date, bool] | None:
        """Return the first day of a manifest's month, and whether it is one delivery's own.

        Returns:
            None for a file that is no manifest of a whole month.
        """
        match = self.manifest.search(path)
        if match is None:
            return None
        year, month = int(match["year"]), int(match["month"])
        if year not in _YEARS or month not in _MONTHS:
            return None
        first = date(year, month, 1)
        last = match.groupdict().get("day")
        if last is not None and int(last) != monthrange(first.year, first.month)[1]:
            return None
        return first, match["execution"] is not None


AWS = Layout(
    re.compile(r"metadata"),
    "metadata",
    re.compile(
        r"(?:^|/)metadata/billing_period=(?P<year>\d{4})-(?P<month>\d\d)/(?P<execution>[^/]+/)?"
        r"[^/]*manifest\.json$",
        re.IGNORECASE,
    ),
    re.compile(r"(?:^|/)(data/billing_period=\d{4}-\d\d/.+)$", re.IGNORECASE),
    lambda manifest: manifest.get("dataFiles"),
    "dataFiles",
    ".../data/BILLING_PERIOD=YYYY-MM/..., as AWS writes it",
    "AWS writes nothing new to {}, in the AWS console of the account that pays: Billing and Cost"
    " Management, Data Exports",
)
_PERIOD = r"(?P<year>\d{4})(?P<month>\d\d)01-(?P=year)(?P=month)(?P<day>\d\d)"
AZURE = Layout(
    re.compile(_PERIOD),
    "",
    re.compile(rf"(?:^|/){_PERIOD}/(?P<execution>(?:[^/]+/)+)?manifest\.json$", re.IGNORECASE),
    re.compile(r"(?:^|/)(\d{8}-\d{8}/.+)$"),
    lambda manifest: _blobs(manifest.get("blobs")),
    "blobs",
    ".../YYYYMMDD-YYYYMMDD/..., as Azure Cost Management writes it",
    "Azure writes nothing new, or nothing is copied to {}, in the Azure portal: Cost Management,"
    " Exports",
)


def layout_of(folders: Iterable[str]) -> Layout | None:
    """Return the layout of the export that has these folders; None where it is no export."""
    names = list(folders)
    return next(
        (each for each in (AWS, AZURE) if any(each.marker.fullmatch(name) for name in names)), None
    )


def _blobs(given: Any) -> Any:
    if not isinstance(given, list):
        return None
    return [blob.get("blobName") if isinstance(blob, dict) else None for blob in given]
