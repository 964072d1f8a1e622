"""Text files: their encoding, their header, and the reading of their cells."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from mlguard_sidecar.histogram.values import is_plain_number
from mlguard_sidecar.training_data.chunk import DataFileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SEPARATORS = ",;\t|"


def encoding_of(path: Path, given: str | None) -> str:
    """Return the encoding of a text file: given, else by its byte order mark, else UTF-8.

    Raises:
        DataFileError: there is no such encoding.
        OSError: the file cannot be read.
    """
    if given is not None:
        try:
            "".encode(given)  # some codecs are no encodings of text
            return codecs.lookup(given).name
        except (LookupError, UnicodeError):
            raise DataFileError(f"--encoding: {given} is not known, try latin-1") from None
    with path.open("rb") as file:
        head = file.read(4)
    return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")


def decoding_error(path: Path, encoding: str) -> DataFileError:
    """Return the error of a file that does not have this encoding, with the first bad line."""
    with path.open("rb") as file:
        decoder = codecs.getincrementaldecoder(encoding)()
        line = 1
        try:
            for raw in file:
                decoder.decode(raw)
                line += 1
        except UnicodeError:
            pass
    hint = "try --encoding latin-1" if encoding.startswith("utf-8") else "try another --encoding"
    return DataFileError(f"{path}:{line}: not {encoding.removesuffix('-sig').upper()}; {hint}")


def check_header(path: Path, names: Sequence[str], separator: str) -> None:
    """Check the names of the columns of a file with separated values.

    Raises:
        DataFileError: there is no header, a name is there twice, or the separator is wrong.
    """
    if not any(names):
        raise DataFileError(f"{path}: no rows, and no header with the names of the columns")
    (text,) = names if len(names) == 1 else ("",)
    other = next((each for each in SEPARATORS if each != separator and each in text), None)
    if other is not None:
        shown = repr(other).strip("'\"")
        raise DataFileError(f"{path}:1: one column {text[:60]!r}; try --sep '{shown}'")
    if all(map(is_plain_number, names)):
        shown = ", ".join(names[:3])
        raise DataFileError(
            f"{path}:1: found numbers ({shown}), expected the names of the columns; add a header"
        )
    for name in names:
        if names.count(name) > 1:
            raise DataFileError(
                f"{path}:1: the name {name[:60]!r} is there {names.count(name)} times,"
                " expected each once; rename the columns"
            )
