"""JSON Patch (RFC 6902), as far as things are added."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_injector.pod import Json


def pointer(path: Sequence[str]) -> str:
    """Return the JSON Pointer (RFC 6901) of a path."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


class Patch:
    """Collects what is added to a document; sections that are missing are added as well.

    Args:
        document: the document; not changed.

    Attributes:
        operations: the patch.
    """

    def __init__(self, document: Json) -> None:
        self._document = document
        self._added: set[tuple[str, ...]] = set()
        self.operations: list[Json] = []

    def append(self, path: tuple[str, ...], item: object) -> None:
        """Add an item at the end of a list."""
        self._ensure(path, [])
        self._add((*path, "-"), item)

    def insert_first(self, path: tuple[str, ...], item: object) -> None:
        """Add an item at the begin of a list."""
        self._ensure(path, [])
        self._add((*path, "0"), item)

    def set(self, path: tuple[str, ...], value: object) -> None:
        """Set a key of an object."""
        for i in range(1, len(path)):
            self._ensure(path[:i], {})
        self._add(path, value)

    def _ensure(self, path: tuple[str, ...], empty: object) -> None:
        """Add an empty section, unless there is one; null counts as none."""
        if path not in self._added and _at(self._document, path) is None:
            self._add(path, empty)
            self._added.add(path)

    def _add(self, path: tuple[str, ...], value: object) -> None:
        self.operations.append({"op": "add", "path": pointer(path), "value": value})


def _at(document: Any, path: Sequence[str]) -> Any:
    here = document
    for part in path:
        if isinstance(here, list) and part.isdigit() and int(part) < len(here):
            here = here[int(part)]
        elif isinstance(here, dict):
            here = here.get(part)
        else:
            return None
    return here


def applied(document: Json, operations: Sequence[Json]) -> Json:
    """Return a document with what a patch of this module adds."""
    result: Json = copy.deepcopy(document)
    for operation in operations:
        parts = operation["path"].split("/")[1:]
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in parts]
        parent, value = _at(result, way), copy.deepcopy(operation["value"])
        if isinstance(parent, list):
            parent.insert(len(parent) if last == "-" else int(last), value)
        else:
            parent[last] = value
    return result
