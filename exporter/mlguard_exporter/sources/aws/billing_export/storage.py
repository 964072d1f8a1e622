"""The files of an export, in a folder or under a prefix of an S3 bucket."""

from __future__ import annotations

import io
import os
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from mlguard_exporter.sources.aws.errors import denied_action, describe_error
from mlguard_exporter.sources.protocol import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class MonthError(SourceError):
    """One month cannot be read now; other months may be."""


class StoredFile(NamedTuple):
    """One file of a listing.

    Attributes:
        name: its path below the root, with slashes.
        size: in bytes.
        modified: epoch seconds.
        etag: identifies its content.
    """

    name: str
    size: int
    modified: float
    etag: str


class FileStorage(Protocol):
    """A tree of files. Every failure is a SourceError that says where."""

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders directly in a folder; the root is the empty path."""

    def files(self, path: str) -> list[StoredFile]:
        """Return every file below a folder; none where there is no such folder."""

    def holds_any(self, path: str) -> bool:
        """Return whether there is any file below a folder."""

    def open(self, file: StoredFile) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading from its begin.

        A file that ends early, or differs from the listed one, raises MonthError while it is read.
        """

    def where(self, name: str) -> str:
        """Return the path or URL of a file or folder, for error texts."""


class LocalFolder:
    """A local folder, such as `aws s3 sync` makes.

    Args:
        root: an absolute path.
    """

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders in a folder."""
        try:
            return sorted(entry.name for entry in (self._root / path).iterdir() if entry.is_dir())
        except OSError as error:
            raise SourceError(_unreadable(self.where(path), error)) from error

    def files(self, path: str) -> list[StoredFile]:
        """Return every file below a folder."""
        try:
            return [
                found
                for folder, _, names in os.walk(self._root / path, onerror=_refuse)
                for name in names
                if (found := self._found(Path(folder, name))) is not None
            ]
        except OSError as error:
            raise SourceError(_unreadable(self.where(path), error)) from error

    def holds_any(self, path: str) -> bool:
        """Return whether there is any file below a folder."""
        return any(names for _, _, names in os.walk(self._root / path))

    @contextmanager
    def open(self, file: StoredFile) -> Iterator[BinaryIO]:
        """Open a file."""
        path = self._root / file.name
        try:
            with path.open("rb") as stream:
                if _etag(os.fstat(stream.fileno())) != file.etag:
                    raise MonthError(f"{path} was replaced while it was read; read it again")
                yield stream
        except FileNotFoundError as error:
            raise MonthError(f"{path} vanished while the export was read") from error
        except OSError as error:
            if not _is_of_system(error):  # such as gzip.BadGzipFile, which readers describe better
                raise
            raise MonthError(_unreadable(str(path), error)) from error

    def where(self, name: str) -> str:
        """Return a path."""
        return str(self._root / name)

    def _found(self, path: Path) -> StoredFile | None:
        try:
            status = path.stat()
        except FileNotFoundError:  # such as a name that a copying program uses for a while
            return None
        name = path.relative_to(self._root).as_posix()
        return StoredFile(name, status.st_size, status.st_mtime, _etag(status))


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns} {status.st_size}"


def _is_of_system(error: OSError) -> bool:
    return error.errno is not None


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _unreadable(where: str, error: OSError) -> str:
    return f"{where} cannot be read: {error.strerror or error}; see `export` in the configuration"


_GONE = ("NoSuchKey", "404")
_ACTIONS = ("s3:", "ListObjects", "GetObject", "HeadObject")
"""Of S3, by their name or by that of the operation where AWS does not name them."""
_RIGHTS = "an export needs s3:ListBucket of the bucket and s3:GetObject of what is in it"
_BUFFER = 1 << 18


class S3Prefix:
    """The files under a prefix of an S3 bucket.

    Args:
        bucket: its name.
        prefix: without slashes at its ends; may be empty.
        client: makes a boto3 client of a service; called once, when it is needed.
    """

    def __init__(self, bucket: str, prefix: str, client: Callable[[str], Any]) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._make = client
        self._made: Any = None

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders in a folder."""
        below = self._key(path, folder=True)
        pages = self._list(path, Prefix=below, Delimiter="/")
        found = (common["Prefix"] for page in pages for common in page.get("CommonPrefixes", ()))
        return [prefix[len(below) : -1] for prefix in found]

    def files(self, path: str) -> list[StoredFile]:
        """Return every file below a folder."""
        root = len(self._key("", folder=True))
        return [
            StoredFile(
                entry["Key"][root:],
                entry["Size"],
                entry["LastModified"].timestamp(),
                f"{entry['ETag']} {entry['LastModified'].isoformat()} {entry['Size']}",
            )
            for page in self._list(path, Prefix=self._key(path, folder=True))
            for entry in page.get("Contents", ())
        ]

    def holds_any(self, path: str) -> bool:
        """Return whether there is any file below a folder."""
        pages = self._list(path, Prefix=self._key(path, folder=True))
        return bool(next(pages, {}).get("Contents"))

    @contextmanager
    def open(self, file: StoredFile) -> Iterator[BinaryIO]:
        """Open a file as a stream."""
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
            if not file.etag.startswith(f"{answer['ETag']} "):
                raise MonthError(f"{where} was replaced while it was read; read it again")
            raw = _Body(body, file.size, where)
            yield cast("BinaryIO", io.BufferedReader(raw, _BUFFER))

    def where(self, name: str) -> str:
        """Return an s3:// URL."""
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
    needed = f" ({_RIGHTS})" if (denied_action(error) or "").startswith(_ACTIONS) else ""
    return SourceError(f"{where}: {describe_error(error)}{needed}")


class _Body(io.RawIOBase):
    """The body of an answer; reading raises MonthError unless it has the listed size."""

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
            raise self._cut(describe_error(error)) from error
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


_S3_SCHEME = "s3://"


def open_storage(url: str, client: Callable[[str], Any]) -> FileStorage:
    """Return the storage of an export.

    Args:
        url: s3://BUCKET/PREFIX or /FOLDER.
        client: makes a boto3 client of a service; called for S3 only.

    Raises:
        SourceError: it names no bucket.
    """
    if not url.startswith(_S3_SCHEME):
        return LocalFolder(url)
    bucket, _, prefix = url.removeprefix(_S3_SCHEME).partition("/")
    if not bucket:
        raise SourceError(f"{url!r} names no bucket; expected s3://BUCKET/PREFIX")
    return S3Prefix(bucket, prefix.strip("/"), client)
