"""The owner of a line, by its tags, in each of the ways that AWS writes their keys."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mlguard_exporter.config import TagsConfig

Cell = str | tuple[tuple[str, str], ...]
"""The content of one column of one line: text, or the pairs of a map."""

_MAPS = ("tags", "Tags", "resource_tags")
"""Columns that hold every tag of a line; those with unchanged keys come first."""
_ALIASES = ("mlguard.io/project", "mlguard.io/model", "mlguard.io/endpoint")
"""Kubernetes labels that count like the tags; their keys cannot hold colons."""
_REMEMBERED = 1 << 14
"""Distinct tag cells whose parsed result is cached."""
_RAW = re.compile(r"^(?:resourceTags/)?(?:user:)?")
_PLAIN = re.compile(r"^(?:resource_tags_)?(?:user_)?")
_OF_COLUMN = re.compile(r"^tags_")
_COLUMN = re.compile(r"^(?:tags|resource_tags)_.")
_CAPITAL = re.compile(r"(?=[A-Z])")
_OTHER = re.compile(r"[\W_]+")


class Owner(NamedTuple):
    """Values of the three tags; empty where a line lacks one."""

    project: str = ""
    model: str = ""
    endpoint: str = ""


def raw(key: str) -> str:
    """Return a tag's key without the prefix that AWS puts before it."""
    return _RAW.sub("", key)


def plain(key: str) -> str:
    """Return a tag's key reduced to lower case, digits and underscores, without AWS's prefixes.

    All ways of writing the key of a resource tag become the same: `mlguard:project`,
    `user:mlguard:project`, `user_mlguard_project`, `resourceTags/mlguard:project`. Tags of
    accounts, attributes of users and cost categories keep their prefixes, and so are not taken for
    resource tags.
    """
    return _PLAIN.sub("", _lower(key))


def tag_columns(header: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that hold tags: maps, then tags that were selected one by one."""
    names = list(header)
    maps = [name for name in _MAPS if name in names]
    return (*maps, *(n for n in names if n not in _MAPS and _COLUMN.match(_lower(n))))


def owner_of(tags: TagsConfig, columns: Sequence[str]) -> Callable[[tuple[Cell, ...]], Owner]:
    """Return a function from the cells in the columns that hold tags to the line's owner.

    A key written exactly as configured takes precedence over one that is equal when reduced; the
    Kubernetes aliases count where there is neither. An empty value counts as none. Values are not
    changed.

    The function raises ValueError for a cell that cannot be parsed.
    """
    columns = tuple(columns)
    ranks = _ranks(tags)

    @lru_cache(_REMEMBERED)
    def read(cells: tuple[Cell, ...]) -> Owner:
        best: list[tuple[int, int, str, str] | None] = [None, None, None]
        for place, cell in enumerate(cells):
            if cell:
                for key, value in _pairs(columns[place], cell):
                    for i, rank in ranks(key):
                        found = (rank, place, key, value)
                        if value and ((old := best[i]) is None or found < old):
                            best[i] = found
        return Owner(*(found[3] if found else "" for found in best))

    return read


def _ranks(tags: TagsConfig) -> Callable[[str], tuple[tuple[int, int], ...]]:
    """Return a function from a key to (tag, rank) pairs; a lower rank takes precedence."""
    ways = [
        ((raw, raw(key)), (plain, plain(key)), (raw, alias), (plain, plain(alias)))
        for key, alias in zip(tags.names, _ALIASES, strict=True)
    ]

    @lru_cache(_REMEMBERED)
    def read(key: str) -> tuple[tuple[int, int], ...]:
        return tuple(
            (i, rank)
            for i, those in enumerate(ways)
            for rank, (written, wanted) in enumerate(those)
            if written(key) == wanted
        )

    return read


def _pairs(column: str, cell: Cell) -> Iterable[tuple[str, str]]:
    if column in _MAPS:
        return pairs_of(column, cell)
    return ((_OF_COLUMN.sub("", _lower(column)), str(cell)),)


def pairs_of(column: str, cell: Cell) -> Iterable[tuple[str, str]]:
    """Return the keys and values of a map.

    Raises:
        ValueError: the cell is not a map.
    """
    if not isinstance(cell, str):
        return cell
    if not cell:
        return ()
    try:
        given = json.loads(cell)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(
        isinstance(value, str | None) for value in given.values()
    ):
        raise ValueError(f"{column} is {cell[:80]!r}; expected a JSON object of texts")
    return given.items()


def _lower(key: str) -> str:
    return _OTHER.sub("_", _CAPITAL.sub("_", key)).strip("_").lower()
