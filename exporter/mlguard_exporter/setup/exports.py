"""Whether a billing export is there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlguard_exporter.files.location import store_at
from mlguard_exporter.files.manifest import find_export, find_months, no_manifest
from mlguard_exporter.setup.report import Mark
from mlguard_exporter.spend import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_exporter.setup.report import Report

_LATE_DAYS = 3
"""AWS delivers at least once a day, and the first of a month a little later."""


def check_export(url: str, client: Callable[[str], Any], today: date, report: Report) -> None:
    """Look for the manifest of this month; no data is read.

    Args:
        url: s3://BUCKET/PREFIX or /FOLDER.
        client: gives a boto3 client of a service.
        today: the UTC day.
        report: takes what is found.
    """
    try:
        store = store_at(url, client)
        export = find_export(store)
        months = find_months(store.files(f"{export}/metadata" if export else "metadata"))
        if not months:
            raise no_manifest(store, export)
    except (SourceError, OSError, ValueError) as error:
        report.failed("export", error)
        return
    newest = months[-1]
    delivered = datetime.fromtimestamp(newest.manifest.modified, UTC)
    text = f"{newest.first:%Y-%m} was delivered at {delivered:%Y-%m-%d %H:%M} UTC"
    latest = today - timedelta(days=_LATE_DAYS)
    if newest.first >= latest.replace(day=1) and delivered.date() >= latest:
        there = "1 month is" if len(months) == 1 else f"{len(months)} months are"
        report.found(Mark.OK, "export", f"{there} there; {text}")
        return
    report.found(Mark.MISSING, "export", f"nothing new is there; {text}")
    report.to_do(
        f"Look why AWS writes nothing new to {store.where('')}: in the AWS console of the account"
        " that pays, Billing and Cost Management, Data Exports."
    )
