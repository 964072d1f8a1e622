"""An export in a bucket of S3."""

from __future__ import annotations

import io
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from mlguard_exporter.aws.errors import code, explain
from mlguard_exporter.files.errors import MonthError
from mlguard_exporter.files.store import Found
from mlguard_exporter.spend import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_GONE = ("NoSuchKey", "404")
_RIGHTS = "an export needs s3:ListBucket of the bucket and s3:GetObject of what is in it"
_BUFFER = 1 << 18


class S3:
    """What lies under a prefix of a bucket.

    Args:
        bucket: its name.
        prefix: without slashes at its ends; may be empty.
        client: gives a boto3 client of a service; asked once, when it is needed.
    """

    def __init__(self, bucket: str, prefix: str, client: Callable[[str], Any]) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._make = client
        self._made: Any = None

    def folders(self, path: str) -> list[str]:
        """Names of the folders in a folder."""
        below = self._key(path, folder=True)
        pages = self._list(path, Prefix=below, Delimiter="/")
        found = (common["Prefix"] for page in pages for common in page.get("CommonPrefixes", ()))
        return [prefix[len(below) : -1] for prefix in found]

    def files(self, path: str) -> list[Found]:
        """Every file below a folder."""
        root = len(self._key("", folder=True))
        return [
            Found(
                entry["Key"][root:],
                entry["Size"],
                entry["LastModified"].timestamp(),
                f"{entry['ETag']} {entry['LastModified'].isoformat()} {entry['Size']}",
            )
            for page in self._list(path, Prefix=self._key(path, folder=True))
            for entry in page.get("Contents", ())
        ]

    @contextmanager
    def open(self, file: Found) -> Iterator[BinaryIO]:
        """The bytes of a file, as they come."""
        where = self.where(file.name)
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(file.name))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _GONE:
                raise MonthError(f"{where} vanished while the export was read") from error
            raise _refused(where, error) from error
        except BotoCoreError as error:
            raise _refused(where, error) from error
        with closing(answer["Body"]) as body:
            if not file.mark.startswith(f"{answer['ETag']} "):
                raise MonthError(f"{where} was replaced while it was read; read it again")
            raw = _Body(body, file.size, where)
            yield cast("BinaryIO", io.BufferedReader(raw, _BUFFER))

    def where(self, name: str) -> str:
        """An s3:// address."""
        return f"s3://{self._bucket}/{self._key(name)}".rstrip("/")

    @property
    def _client(self) -> Any:
        if self._made is None:
            self._made = self._make("s3")
        return self._made

    def _key(self, name: str, *, folder: bool = False) -> str:
        key = "/".join(part for part in (self._prefix, name) if part)
        return f"{key}/" if folder and key else key

    def _list(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        try:
            pages = self._client.get_paginator("list_objects_v2")
            yield from pages.paginate(Bucket=self._bucket, **query)
        except (BotoCoreError, ClientError) as error:
            raise _refused(self.where(path), error) from error


def _refused(where: str, error: Exception) -> SourceError:
    is_denied = isinstance(error, ClientError) and code(error) == "denied"
    needed = f" ({_RIGHTS})" if is_denied else ""
    return SourceError(f"{where}: {explain(error)}{needed}")


class _Body(io.RawIOBase):
    """The body of an answer, which must be as long as was promised."""

    def __init__(self, body: Any, size: int, where: str) -> None:
        super().__init__()
        self._body = body
        self._left = size
        self._where = where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._body.read(len(buffer))
        except BotoCoreError as error:
            raise self._cut(explain(error)) from error
        except (HTTPError, OSError) as error:
            raise self._cut(" ".join(str(error).split())) from error
        self._left -= len(data)
        if self._left < 0 or (not data and self._left):
            said = "too many" if self._left < 0 else "missing"
            raise self._cut(f"{abs(self._left):,} bytes are {said}")
        buffer[: len(data)] = data
        return len(data)

    def _cut(self, how: str) -> MonthError:
        return MonthError(f"{self._where} was cut off: {how.rstrip('.')}; it is read again later")
