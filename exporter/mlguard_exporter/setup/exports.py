"""Whether a billing export is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlguard_exporter.files.location import store_at
from mlguard_exporter.files.manifest import find_months, refuse_late
from mlguard_exporter.setup.report import Mark
from mlguard_exporter.spend import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mlguard_exporter.setup.report import Report


def check_export(url: str, client: Callable[[str], Any], now: datetime, report: Report) -> None:
    """Look for new manifests; no data is read.

    Args:
        url: s3://BUCKET/PREFIX or /FOLDER.
        client: gives a boto3 client of a service.
        now: the time.
        report: takes what is found.
    """
    try:
        store = store_at(url, client)
        _, months = find_months(store)
        refuse_late(store, months, now.timestamp())
    except (SourceError, OSError, ValueError) as error:
        report.failed("export", error)
        return
    there = "1 month is" if len(months) == 1 else f"{len(months)} months are"
    report.found(Mark.OK, "export", f"{there} there; the newest is {months[-1].first:%Y-%m}")
