"""An export in a folder of this machine."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mlguard_exporter.files.errors import MonthError
from mlguard_exporter.files.store import Found
from mlguard_exporter.spend import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Local:
    """A folder, such as `aws s3 sync` makes.

    Args:
        root: an absolute path.
    """

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def folders(self, path: str) -> list[str]:
        """Names of the folders in a folder."""
        try:
            return sorted(entry.name for entry in (self._root / path).iterdir() if entry.is_dir())
        except OSError as error:
            raise SourceError(_told(self.where(path), error)) from error

    def files(self, path: str) -> list[Found]:
        """Every file below a folder."""
        try:
            return [
                found
                for folder, _, names in os.walk(self._root / path, onerror=_refuse)
                for name in names
                if (found := self._found(Path(folder, name))) is not None
            ]
        except OSError as error:
            raise SourceError(_told(self.where(path), error)) from error

    @contextmanager
    def open(self, file: Found) -> Iterator[BinaryIO]:
        """The bytes of a file."""
        path = self._root / file.name
        try:
            with path.open("rb") as stream:
                if _mark(os.fstat(stream.fileno())) != file.mark:
                    raise MonthError(f"{path} was replaced while it was read; read it again")
                yield stream
        except FileNotFoundError as error:
            raise MonthError(f"{path} vanished while the export was read") from error
        except OSError as error:
            if not _is_of_system(error):  # such as gzip.BadGzipFile, which readers tell better
                raise
            raise MonthError(_told(str(path), error)) from error

    def where(self, name: str) -> str:
        """A path."""
        return str(self._root / name)

    def _found(self, path: Path) -> Found | None:
        try:
            status = path.stat()
        except FileNotFoundError:  # such as a name that a copying program uses for a while
            return None
        name = path.relative_to(self._root).as_posix()
        return Found(name, status.st_size, status.st_mtime, _mark(status))


def _mark(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns} {status.st_size}"


def _is_of_system(error: OSError) -> bool:
    return error.errno is not None


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _told(where: str, error: OSError) -> str:
    return f"{where} cannot be read: {error.strerror or error}; see `export` in the configuration"
