"""Where the files of an export lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Found(NamedTuple):
    """One file as a listing tells it.

    Attributes:
        name: its path below the store's root, with slashes.
        size: in bytes.
        modified: seconds since 1970.
        mark: tells this content from another under the same name.
    """

    name: str
    size: int
    modified: float
    mark: str


class Store(Protocol):
    """A tree of files. Whatever fails is a SourceError that says where."""

    def folders(self, path: str) -> list[str]:
        """Names of the folders directly in a folder; the root is the empty path."""

    def files(self, path: str) -> list[Found]:
        """Every file below a folder; none where there is no such folder."""

    def open(self, file: Found) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file, from first to last.

        A file that ends early, or is another than was listed, is a MonthError while it is read.
        """

    def where(self, name: str) -> str:
        """A file or folder as a person would name it."""
