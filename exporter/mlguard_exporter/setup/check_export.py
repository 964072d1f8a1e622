"""The part of `mlguard-exporter check` that reads a billing export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlguard_exporter.setup.client import PROBLEMS
from mlguard_exporter.setup.report import Report, Status
from mlguard_exporter.sources.aws.billing_export.manifest import find_months, refuse_late
from mlguard_exporter.sources.aws.billing_export.sample import Sample, read_sample
from mlguard_exporter.sources.aws.billing_export.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mlguard_exporter.config import CostConfig


def check_export(
    url: str, client: Callable[[str], Any], cost: CostConfig, now: datetime, report: Report
) -> None:
    """Report whether new deliveries are there, with the basis and the tags that are configured.

    Args:
        url: s3://BUCKET/PREFIX or /FOLDER.
        client: makes a boto3 client of a service.
        cost: the basis and the tags.
        now: the time.
        report: takes what is found.
    """
    try:
        storage = open_storage(url, client)
        export, months = find_months(storage)
        refuse_late(storage, months, now.timestamp())
    except PROBLEMS as error:
        report.failed("export", error)
        return
    there = "1 month is" if len(months) == 1 else f"{len(months)} months are"
    report.found(Status.OK, "export", f"{there} there; the newest is {months[-1].first:%Y-%m}")
    try:
        sample = read_sample(storage, export, months[-1], cost.tags, cost.basis, now.timestamp())
    except PROBLEMS as error:
        report.failed("data", error)
        return
    _report_sample(sample, cost, report)


def _report_sample(sample: Sample, cost: CostConfig, report: Report) -> None:
    found = f"{sample.rows:,} {'row' if sample.rows == 1 else 'rows'} of {sample.where}"
    if not sample.usage:
        report.found(Status.UNKNOWN, "data", f"no usage in {found}")
        return
    report.found(
        Status.OK,
        "data",
        f"{found} can be read: {sample.format}, with cost.basis {cost.basis.value}",
    )
    if not sample.tag_columns:
        report.found(Status.MISSING, "tags", "the export has no column of resource tags")
        report.to_do("Include resource tags in the export (CUR 2.0: resource_tags; FOCUS: Tags).")
        return
    unused = []
    for tag, count in sample.tagged.items():
        status = Status.OK if count else Status.UNKNOWN
        report.found(status, f"tag {tag}", f"on {count:,} of {sample.usage:,} rows of usage")
        unused += [] if count else [tag]
    if unused:
        report.to_tag(unused)
