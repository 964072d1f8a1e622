"""The source that reads billing exports."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING, Any

from mlguard_exporter.sources.aws.billing_export.manifest import (
    find_month_files,
    find_months,
    refuse_late,
)
from mlguard_exporter.sources.aws.billing_export.month import LackingError, read_month
from mlguard_exporter.sources.aws.billing_export.storage import MonthError, open_storage
from mlguard_exporter.sources.protocol import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import date

    from mlguard_exporter.config import TagsConfig
    from mlguard_exporter.sources.aws.billing_export.manifest import Month, MonthFiles
    from mlguard_exporter.spend import Basis, CostReport

log = logging.getLogger(__name__)

_RULES = "1"
"""Version of the code that adds lines up: a change has every month read again."""


class BillingExportSource:
    """A `CostSource` for AWS Data Exports: CUR 2.0 or FOCUS, as CSV or Parquet.

    A billing month is read as a whole, by its manifest, which AWS writes last: files that it does
    not name do not count, and where it names one that is missing the month is an error. Months
    replace each other, so each line counts in the month that bills it, on the nearest of its days.

    Args:
        url: s3://BUCKET/PREFIX or /FOLDER, of the export itself or of the folder that holds it.
        tags: names of the three tags.
        basis: on which amounts must be there.
        client: makes a boto3 client of a service; called for S3 only, once a read.
        clock: epoch seconds.
    """

    def __init__(
        self,
        url: str,
        tags: TagsConfig,
        basis: Basis,
        client: Callable[[str], Any],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._tags = tags
        self._basis = basis
        self._client = client
        self._clock = clock

    def read(self, first: date, end: date, known: Collection[str]) -> Iterator[CostReport]:
        """Read the months that overlap a range of days.

        Args:
            first: first UTC day.
            end: the day after the last.
            known: versions that are stored already; of those months only manifests are read.

        Yields:
            Whole months, in order, each when it has been read to its end.

        Raises:
            SourceError: something cannot be read now, nothing new has been delivered, or the
                newest month has no amounts on the basis. What is wrong with one month is raised
                after the others have been yielded.
        """
        storage, now = open_storage(self._url, self._client), self._clock()
        export, months = find_months(storage)
        wrong: list[MonthError] = []
        wanted = [month for month in months if month.first < end and month.end > first]
        for month in wanted:
            try:
                files = find_month_files(storage, export, month, now)
                version = self._version(month, files)
                if version in known:
                    continue
                report = read_month(storage, month, files.files, self._tags, self._basis, version)
            except LackingError as error:
                if month is wanted[-1]:
                    wrong.append(error)
                else:  # AWS does not write closed months again after a column was added
                    log.warning("%s is left out: %s", f"{month.first:%Y-%m}", error)
                continue
            except MonthError as error:
                wrong.append(error)
                continue
            yield report
        if wrong:
            more = f" (and {len(wrong) - 1} more months)" if len(wrong) > 1 else ""
            raise SourceError(f"{wrong[0]}{more}") from wrong[0]
        refuse_late(storage, months, now)

    def active_tags(self) -> None:
        """Return None: an export holds every tag that it includes, activated or not."""

    def _version(self, month: Month, files: MonthFiles) -> str:
        """Return an identifier of the files and of how they are read."""
        tags = self._tags
        parts = [_RULES, self._basis.value, *tags.names, files.digest]
        for file in (month.manifest, *files.files):
            parts += [file.name, file.etag]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()
