"""Billing exports as a source of spend."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

from mlguard_exporter.files.errors import MonthError
from mlguard_exporter.files.location import store_at
from mlguard_exporter.files.manifest import find_data, find_months, refuse_late
from mlguard_exporter.files.reading import read_month
from mlguard_exporter.spend import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import date

    from mlguard_exporter.config import TagsConfig
    from mlguard_exporter.files.manifest import Delivery, Month
    from mlguard_exporter.spend import Reading

_RULES = "1"
"""Of how lines are added up: another one has every month read again."""


class FileSource:
    """Reads what AWS Data Exports deliver: CUR 2.0 or FOCUS, as CSV or Parquet.

    A billing month is read as a whole, by its manifest, which AWS writes last: files that it does
    not name do not count, and where it names one that is missing the month is an error. Months
    replace each other, so each line counts in the month that bills it, on the nearest of its days.

    Args:
        url: s3://BUCKET/PREFIX or /FOLDER, of the export itself or of the folder that holds it.
        tags: the tags that say whose spend it is.
        client: gives a boto3 client of a service; asked for S3 alone, once a reading.
        clock: epoch seconds.
    """

    def __init__(
        self,
        url: str,
        tags: TagsConfig,
        client: Callable[[str], Any],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._tags = tags
        self._client = client
        self._clock = clock

    def read(self, first: date, end: date, known: Collection[str]) -> Iterator[Reading]:
        """Read the months that overlap a range of days.

        Args:
            first: first UTC day.
            end: the day after the last.
            known: versions that are kept already; of those months nothing but manifests is read.

        Yields:
            Whole months, in order, each when it has been read to its end.

        Raises:
            SourceError: something cannot be read now, or nothing new has been delivered. What is
                wrong with one month alone is raised when the others have been given.
        """
        store, now = store_at(self._url, self._client), self._clock()
        export, months = find_months(store)
        wrong: list[MonthError] = []
        for month in months:
            if month.first >= end or month.end <= first:
                continue
            try:
                delivery = find_data(store, export, month, now)
                version = self._version(month, delivery)
                if version in known:
                    continue
                reading = read_month(store, month, delivery.files, self._tags, version)
            except MonthError as error:
                wrong.append(error)
                continue
            yield reading
        if wrong:
            more = f" (and {len(wrong) - 1} more months)" if len(wrong) > 1 else ""
            raise SourceError(f"{wrong[0]}{more}") from wrong[0]
        refuse_late(store, months, now)

    def _version(self, month: Month, delivery: Delivery) -> str:
        """Tells what would be read, and how, from anything else."""
        tags = self._tags
        parts = [_RULES, *tags.names, delivery.digest]
        for file in (month.manifest, *delivery.files):
            parts += [file.name, file.mark]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()
