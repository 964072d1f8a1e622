"""Baseline files of the configuration and of its folder: found, read, and read again on changes.

A file that cannot be read or used keeps what it held before, so that a half-written one costs
nothing. A file of the folder counts as removed when it is gone in two looks, as some tools delete
a file before they write it again.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from mlguard.protocol import DEFAULT_ENDPOINT
from mlguard_sidecar.baseline import MAX_FILE_BYTES, Baseline, read_file
from mlguard_sidecar.histogram import OTHER
from mlguard_sidecar.wire import ModelKey, is_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SUFFIX = ".json"
_SEPARATOR = "__"
_GONE_AFTER = 2

_Stamp = tuple[int, ...]


@dataclass(frozen=True)
class FileState:
    """What is known of one file.

    Attributes:
        stamp: what changes when the file does: times, size and number; None if it is not there.
        baseline: what was last read from it; None if it never held a baseline.
        error: why it cannot be used; None if it can.
        gone: number of looks in a row in which it was not there.
    """

    stamp: _Stamp | None = None
    baseline: Baseline | None = None
    error: str | None = None
    gone: int = 0


@dataclass(frozen=True)
class BaselineFiles:
    """Baseline files as they were last read.

    Attributes:
        configured: path -> state of each configured file.
        folder: name -> state of each file of the folder.
        folder_error: why the folder cannot be listed; None if it can.
        keys: model -> name of its file in the folder.
        path: path of the folder; None for none.
    """

    configured: Mapping[str, FileState] = field(default_factory=dict)
    folder: Mapping[str, FileState] = field(default_factory=dict)
    folder_error: str | None = None
    keys: Mapping[ModelKey, str] = field(default_factory=dict)
    path: str | None = None

    def of_path(self, path: str | None) -> Baseline | None:
        """Return the baseline of a configured file."""
        return None if path is None else self.configured[path].baseline

    def of_model(self, key: ModelKey) -> Baseline | None:
        """Return the baseline of a model's file in the folder; None if there is none."""
        name = self.keys.get(key)
        return None if name is None else self.folder[name].baseline

    def errors(self) -> set[tuple[str, str, _Stamp | None]]:
        """Return what is wrong now: file, reason, and the stamp by which a change is known."""
        found = {
            (name, state.error, state.stamp)
            for name, state in (*self.configured.items(), *self.folder.items())
            if state.error is not None
        }
        return found | ({("", self.folder_error, None)} if self.folder_error else set())

    def shows_the_same(self, other: BaselineFiles) -> bool:
        """Return whether others give every model the same baseline."""
        return self._shown() == other._shown()

    def _shown(self) -> tuple[dict[str, str], dict[ModelKey, str]]:
        files = {p: s.baseline.id for p, s in self.configured.items() if s.baseline}
        found = {key: self.folder[name].baseline for key, name in self.keys.items()}
        return files, {key: baseline.id for key, baseline in found.items() if baseline}


def look(
    paths: Collection[str], folder: str | None, before: BaselineFiles | None = None
) -> BaselineFiles:
    """Return the state of the files; those that have not changed are not read again.

    Args:
        paths: the configured files.
        folder: folder of further files; None for none.
        before: what was found before.
    """
    known = before or BaselineFiles()
    configured = {
        path: _keep(known.configured.get(path, FileState()), Path(path), path)
        for path in sorted(paths)
    }
    if folder is None:
        return BaselineFiles(configured)
    if known.path != folder:
        known = BaselineFiles()
    try:
        names = [
            name
            for name in os.listdir(folder)  # noqa: PTH208 - many names, no paths
            if name.endswith(SUFFIX) and not name.startswith(".")
        ]
    except OSError as error:
        text = f"baseline.folder {folder} cannot be read: {error.strerror}"
        return replace(known, configured=configured, folder_error=text, path=folder)
    states: dict[str, FileState] = {}
    keys: dict[ModelKey, str] = {}
    for name in sorted({*names, *known.folder}):
        path = Path(folder, name)
        where = f"baseline.folder: {path}"
        old = known.folder.get(name, FileState())
        key = model_of(name)
        if key is None:
            if name in names:
                states[name] = FileState(error=_misnamed(where))
            continue
        if key in keys:
            text = f"{where}: {keys[key]} is a file of the same model, and is used"
            states[name] = FileState(error=text)
            continue
        state = _keep(old, path, where)
        if state.gone >= _GONE_AFTER or (state.gone and state.baseline is None):
            continue
        states[name] = state
        if state.baseline is not None:
            keys[key] = name
    return BaselineFiles(configured, states, None, keys, folder)


def file_name(key: ModelKey) -> str:
    """Return the name of a model's file in the folder."""
    names = key if key.endpoint != DEFAULT_ENDPOINT else key[:2]
    return _SEPARATOR.join(map(_encoded, names)) + SUFFIX


def model_of(name: str) -> ModelKey | None:
    """Return the model of a file in the folder, `PROJECT__MODEL[__ENDPOINT].json`.

    Each part is percent-encoded. An underscore beside another one, or at an end of a part, must be
    written as `%5F`, as it would be taken for a separator.

    Returns:
        The model; None if the name has another form, or is that of `__other__`, which pools models.
    """
    parts = name.removesuffix(SUFFIX).split(_SEPARATOR)
    if not 2 <= len(parts) <= 3 or any(p.startswith("_") or p.endswith("_") for p in parts):
        return None
    try:
        names = [unquote_to_bytes(part).decode() for part in [*parts, DEFAULT_ENDPOINT][:3]]
    except UnicodeError:
        return None
    if not all(is_name(each) for each in names) or set(names) == {OTHER}:
        return None
    return ModelKey(*names)


def _encoded(name: str) -> str:
    """Return a name as a part of a file's name, in the characters of a key of a ConfigMap and %."""
    keep = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")
    text = "".join(chr(c) if c in keep else f"%{c:02X}" for c in name.encode())
    text = text.replace("__", "%5F%5F")
    text = text if not text.startswith((".", "_")) else f"%{ord(text[0]):02X}{text[1:]}"
    return text if not text.endswith("_") else f"{text[:-1]}%5F"


def _misnamed(where: str) -> str:
    return (
        f"{where}: expected PROJECT__MODEL.json or PROJECT__MODEL__ENDPOINT.json,"
        " each name percent-encoded"
    )


def _read(path: Path, found: os.stat_result) -> Baseline:
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("found no regular file, expected a baseline file")
    if found.st_size > MAX_FILE_BYTES:
        raise ValueError(f"found {found.st_size} bytes, expected at most {MAX_FILE_BYTES}")
    return read_file(path.read_bytes())


def _keep(old: FileState, path: Path, where: str) -> FileState:
    """Return the state of a file: read again if it has changed, as it was if it cannot be used."""
    try:
        found = path.stat()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns)
        if stamp == old.stamp:
            return old
        baseline = _read(path, found)
    except FileNotFoundError:
        error = f"{where} cannot be read: No such file or directory"
        return FileState(None, old.baseline, error, old.gone + 1)
    except OSError as error:
        text = f"{where} cannot be read: {error.strerror}"
        return FileState(None, old.baseline, text)
    except ValueError as error:
        return FileState(stamp, old.baseline, f"{where}: {error}")
    return FileState(stamp, baseline)
