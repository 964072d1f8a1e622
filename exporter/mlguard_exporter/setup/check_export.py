"""The part of `mlguard-exporter check` that reads a billing export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlguard_exporter.setup.client import PROBLEMS
from mlguard_exporter.setup.report import Report, Status
from mlguard_exporter.sources.aws.billing_export.manifest import find_months, refuse_late
from mlguard_exporter.sources.aws.billing_export.month import LackingError
from mlguard_exporter.sources.aws.billing_export.sample import Sample, read_sample
from mlguard_exporter.sources.aws.billing_export.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mlguard_exporter.config import CostConfig
    from mlguard_exporter.sources.aws.billing_export.manifest import Month
    from mlguard_exporter.sources.aws.billing_export.storage import FileStorage


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
        sample = _sample_of(storage, export, months, cost, now.timestamp())
    except PROBLEMS as error:
        report.failed("data", error)
        return
    _report_sample(sample, cost, report)


def _sample_of(
    storage: FileStorage, export: str, months: list[Month], cost: CostConfig, now: float
) -> Sample:
    """Return a sample of the newest month; of the one before where that holds no usage yet."""
    newest = read_sample(storage, export, months[-1], cost.tags, cost.basis, now)
    if newest.usage or not months[1:]:
        return newest
    try:
        before = read_sample(storage, export, months[-2], cost.tags, cost.basis, now)
    except LackingError:  # the daemon leaves such a month out
        return newest
    return before if before.usage else newest


def _report_sample(sample: Sample, cost: CostConfig, report: Report) -> None:
    found = f"{sample.rows:,} {'row' if sample.rows == 1 else 'rows'} of {sample.where}"
    if not sample.usage:
        report.unsure("data", f"no usage yet in {found}, which can be read")
        report.to_do(
            "Wait a day, if the month or the account is new.",
            "If there should be spend, check of which account the export is.",
        )
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
        subject, text = f"tag {tag}", f"on {count:,} of {sample.usage:,} rows of usage"
        if count or sample.is_all:
            report.found(Status.OK if count else Status.MISSING, subject, text)
        else:
            report.unsure(subject, f"{text} that were read; the month has more")
        unused += [] if count else [tag]
    if unused:
        report.to_tag(unused)
