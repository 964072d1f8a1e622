"""Where a billing export is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlguard_exporter.files.local import Local
from mlguard_exporter.files.s3 import S3
from mlguard_exporter.spend import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_exporter.files.store import Store

_S3 = "s3://"


def store_at(url: str, client: Callable[[str], Any]) -> Store:
    """What holds the files of an export.

    Args:
        url: s3://BUCKET/PREFIX or /FOLDER.
        client: gives a boto3 client of a service; asked for S3 alone.

    Raises:
        SourceError: it names no bucket.
    """
    if not url.startswith(_S3):
        return Local(url)
    bucket, _, prefix = url.removeprefix(_S3).partition("/")
    if not bucket:
        raise SourceError(f"{url!r} names no bucket; expected s3://BUCKET/PREFIX")
    return S3(bucket, prefix.strip("/"), client)
