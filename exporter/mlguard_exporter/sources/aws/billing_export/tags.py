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
_EMPTY = ("", "null", "NULL")
"""Cells without tags; a database that writes CSV may write NULL."""
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
    """Return the keys and values of a map, each value as text.

    A cell is a JSON object, a JSON list of objects with `key` and `value`, or pairs already.
    FOCUS allows values that are `true` or numbers: they are read as they are written.

    Raises:
        ValueError: the cell is not a map.
    """
    if not isinstance(cell, str):
        return cell
    if cell in _EMPTY:
        return ()
    try:
        given = json.loads(cell, parse_int=str, parse_float=str)
        return pairs(given)
    except (ValueError, RecursionError):
        raise ValueError(
            f"{column} is {cell[:80]!r}; expected a JSON object of texts, numbers, true or false"
        ) from None


def pairs(given: object) -> tuple[tuple[str, str], ...]:
    """Return the keys and values of a decoded map or list of keys and values, each as text.

    Raises:
        ValueError: it is neither.
    """
    items: Iterable[tuple[object, object]]
    if isinstance(given, dict):
        items = given.items()
    elif isinstance(given, list):
        items = [_item(each) for each in given]
    else:
        raise ValueError("expected a map")  # noqa: TRY004 - as for other cells
    return tuple((str(key), _text(value)) for key, value in items if value is not None)


def _item(given: object) -> tuple[object, object]:
    """Return an element of a list as a pair: `{key, value}`, as BigQuery has it, or a pair."""
    if isinstance(given, dict) and given.keys() == {"key", "value"}:
        return given["key"], given["value"]
    if isinstance(given, tuple) and len(given) == 2:
        return given
    raise ValueError("expected objects with `key` and `value`")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        raise ValueError("expected a text, a number, true or false")  # noqa: TRY004 - as above
    return str(value)


def _lower(key: str) -> str:
    return _OTHER.sub("_", _CAPITAL.sub("_", key)).strip("_").lower()
