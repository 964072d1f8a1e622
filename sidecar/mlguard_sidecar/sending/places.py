"""Files of a folder, or of a bucket at S3."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlguard_sidecar.sending.lines import SendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

S3 = "s3://"
_CHUNK_BYTES = 1 << 18
_HEAD_BYTES = 4096
_GZIP = b"\x1f\x8b"
_SUFFIXES = (".jsonl", ".json", ".ndjson")


class StoredFile(NamedTuple):
    """A file, here or at S3.

    Attributes:
        name: its path, or its address.
        size: bytes.
        chunks: returns its content in pieces, from the beginning.
    """

    name: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


def stored_files(place: str) -> Iterator[StoredFile]:
    """Yield a file, or all JSON files below a folder, in the order of their names.

    Args:
        place: a path, or s3://BUCKET/PREFIX.

    Raises:
        SendError: there are none, or S3 refuses.
        OSError: they cannot be read.
    """
    found = _objects(place) if place.startswith(S3) else _files(Path(place))
    is_empty = True
    for file in found:
        is_empty = False
        yield file
    if is_empty:
        raise SendError(f"{place}: no files with a name that ends in {', '.join(_SUFFIXES)}")


def check_form(path: Path, *, is_json_lines: bool) -> None:
    """Check that a file is not of a form that is taken for damaged lines.

    Args:
        path: the file.
        is_json_lines: whether each line has to be an object.

    Raises:
        SendError: it is compressed, or one JSON array.
        OSError: it cannot be read.
    """
    if not path.is_file():  # reading would take from a pipe
        return
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(_GZIP):
        raise SendError(f"{path}: compressed with gzip; gunzip it first")
    if is_json_lines and head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        text = "a JSON array, expected one event a line; write it so (jq -c '.[]')"
        raise SendError(f"{path}: {text}, or post it to /api/v1/events")


def _files(path: Path) -> Iterator[StoredFile]:
    if path.is_dir():
        paths = sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES and p.is_file())
    else:
        paths = [path]
    for each in paths:
        yield StoredFile(str(each), each.stat().st_size, partial(_read, each))


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(_CHUNK_BYTES), b"")


def _objects(place: str) -> Iterator[StoredFile]:
    try:
        import boto3  # noqa: PLC0415 - of the exporter's extra
    except ImportError:
        text = "reading from S3 needs boto3: pip install '.[exporter]' in a checkout"
        raise SendError(f"{place}: {text}") from None
    bucket, _, prefix = place.removeprefix(S3).partition("/")
    with _errors_of(place):
        client: Any = boto3.client("s3")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:  # in the order of names
            for entry in page.get("Contents", ()):
                key = entry["Key"]
                is_within = (
                    not prefix or prefix.endswith("/") or key[len(prefix) :][:1] in ("", "/")
                )
                if is_within and key.endswith(_SUFFIXES):
                    name = f"{S3}{bucket}/{key}"
                    yield StoredFile(name, entry["Size"], partial(_object, client, bucket, key))


def _object(client: Any, bucket: str, key: str) -> Iterator[bytes]:
    with _errors_of(f"{S3}{bucket}/{key}"):
        yield from client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(_CHUNK_BYTES)


@contextmanager
def _errors_of(place: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as boto3

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SendError(f"{place}: {' '.join(str(error).split())}") from error
