"""Reading of a YAML file into a typed struct."""

from __future__ import annotations

import difflib
import os
import re
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

import msgspec
import yaml

from mlguard_common.config.units import parse
from mlguard_common.errors import MLGuardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET = re.compile(r"(notify|relay|http)\b")
"""Keys whose values are never shown in errors, as any of them may be a misplaced secret."""

_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")


class ConfigStruct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Section of a configuration; unknown keys are errors."""


T = TypeVar("T", bound=msgspec.Struct)
S = TypeVar("S")


class ConfigError(MLGuardError):
    """Invalid configuration; the text is one line with file, key, found and expected."""


def load_config(
    path: Path | None,
    kind: type[T],
    environ: Mapping[str, str] = os.environ,
    *,
    variable: str = "",
) -> T:
    """Read a configuration file; `${NAME}` in a value is replaced by an environment variable.

    Args:
        path: the file; None for none.
        kind: type of the result; if it allows unknown keys, these are ignored.
        environ: environment variables.
        variable: environment variable that may hold YAML with keys that the file leaves out.

    Raises:
        ConfigError: the file or the variable cannot be read, or is invalid.
    """
    raw: dict[Any, Any] = {}
    sources = []
    if environ.get(variable, "").strip():
        sources.append(variable)
        raw = _parsed(environ[variable].encode("utf-8", "surrogateescape"), variable)
    if path is not None:
        sources.append(str(path))
        raw = _merged(raw, _parsed(_read(path), str(path)))
    where = " over ".join(reversed(sources))
    if not kind.__struct_config__.forbid_unknown_fields:
        raw = {key: value for key, value in raw.items() if key in kind.__struct_encode_fields__}
    try:
        filled = _filled(raw, environ, where, "")
    except RecursionError as error:
        raise ConfigError(f"{where}: an alias stands for what contains it") from error
    try:
        return _convert(filled, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explain(error, kind, raw, filled)}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _parsed(text: bytes, where: str) -> dict[Any, Any]:
    """Return the mapping that is written in YAML; an empty one for nothing."""
    try:
        raw = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        # a constructor's error shows a tag, and a password that begins with ! looks like one
        of_tag = isinstance(error, yaml.constructor.ConstructorError)
        problem = "found a tag or a key that is not known" if of_tag else error.problem
        raise ConfigError(f"{where}:{line}: not YAML: {problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: not YAML: {' '.join(str(error).split())}") from error
    except ValueError as error:
        problem = "found what looks like a date or a number, and is none; put it in quotes"
        raise ConfigError(f"{where}: {problem}") from error
    raw = {} if raw is None else raw
    if not isinstance(raw, dict):
        found = "a text" if isinstance(raw, str) else _shown(raw)  # may be a file of a secret
        raise ConfigError(f"{where}: found {found}, expected keys and values")
    return raw


def _merged(under: dict[Any, Any], over: dict[Any, Any]) -> dict[Any, Any]:
    """Return both, where the second has its way; sections are merged, lists are replaced."""
    both = {
        key: _merged(under[key], over[key])
        for key in under.keys() & over.keys()
        if isinstance(under[key], dict) and isinstance(over[key], dict)
    }
    return under | over | both


def with_changes(config: S, **changes: object) -> S:
    """Return a configuration with some of its keys changed.

    Raises:
        ConfigError: the result would be invalid.
    """
    try:
        changed: S = msgspec.structs.replace(config, **changes)  # type: ignore[type-var]
        return changed
    except ValueError as error:
        raise ConfigError(str(error)) from error


def keep_immutable(config: S, running: S, names: Iterable[str]) -> tuple[S, list[str]]:
    """Return a configuration with some keys as in the running one, and those that differed.

    Args:
        config: the new configuration.
        running: the configuration in use.
        names: keys whose running values are kept.

    Raises:
        ConfigError: the result would be invalid.
    """
    kept = {n: getattr(running, n) for n in names if getattr(config, n) != getattr(running, n)}
    return with_changes(config, **kept), list(kept)


def _convert(tree: object, kind: type[T]) -> T:
    # not strict, as the value of a variable is always a string
    return msgspec.convert(tree, kind, strict=False, dec_hook=parse)


def _filled(tree: Any, environ: Mapping[str, str], where: str, key: str) -> Any:
    if isinstance(tree, dict):
        return {k: _filled(v, environ, where, f"{key}.{k}".strip(".")) for k, v in tree.items()}
    if isinstance(tree, list):
        return [_filled(v, environ, where, f"{key}[{i}]") for i, v in enumerate(tree)]
    if isinstance(tree, str):
        for name in _VARIABLE.findall(tree):
            if name not in environ:
                raise ConfigError(
                    f"{where}: {_plain(key)}: found ${{{name}}}, expected that variable to be set"
                )
        return _VARIABLE.sub(lambda found: environ[found[1]], tree)
    return tree


def _explain(error: msgspec.ValidationError, kind: type[T], raw: Any, filled: Any) -> str:
    text, _, place = str(error).partition(" - at ")
    steps = _steps(str(error), kind, place.strip("`"), filled)
    unknown = re.search(r"unknown field `(.*)`", text)
    if unknown:
        key = _key(steps)
        if not _SECRET.match(key):
            key = _key([*steps, unknown[1]])
        known = list(get_type_hints(type_at(kind, steps)))
        near = difflib.get_close_matches(unknown[1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
        return f"{key}: unknown key; {hint}"
    missing = re.search(r"missing required field `(.*)`", text)
    if missing:
        return f"{_key([*steps, missing[1]])}: found nothing, expected a value"
    value = raw
    for step in steps:
        value = value[step]
    expected = text.partition(", got ")[0].replace("`", "")
    if text.startswith("Invalid enum value"):
        expected = f"expected one of {', '.join(_choices(type_at(kind, steps)))}"
    expected = expected[:1].lower() + expected[1:]
    key = _plain(_key(steps))
    hidden = isinstance(value, dict) or _SECRET.match(key)
    found = "" if hidden else f"found {_shown(value)}, "
    return f"{key}: {found}{expected}" if key else expected


def _steps(message: str, kind: type[T], place: str, tree: Any) -> list[str | int]:
    """Return the keys that lead to a value; a key that the message omits is found by trial."""
    steps: list[str | int] = []
    here = tree
    for name, index in _STEP.findall(place):
        step: str | int = name or (index if index == "..." else int(index))
        if step == "...":
            step = next(k for k in here if _fails_alone(message, kind, tree, steps, k))
        steps.append(step)
        here = here[step]
    return steps


def _fails_alone(message: str, kind: type[T], tree: Any, steps: list[str | int], key: str) -> bool:
    """Return whether the same error remains if the mapping at these steps keeps one key only."""

    def pruned(here: Any, rest: list[str | int]) -> Any:
        if not rest:
            return {key: here[key]}
        if isinstance(here, dict):
            return here | {rest[0]: pruned(here[rest[0]], rest[1:])}
        return [pruned(v, rest[1:]) if i == rest[0] else v for i, v in enumerate(here)]

    try:
        _convert(pruned(tree, steps), kind)
    except msgspec.ValidationError as error:
        return str(error) == message
    return False


def type_at(kind: type[T], steps: list[str | int]) -> Any:
    """Return the type to which the steps from a struct lead."""
    found: Any = kind
    for step in steps:
        if isinstance(found, type) and issubclass(found, msgspec.Struct):
            found = get_type_hints(found)[str(step)]
        else:  # list[T] or dict[str, T]
            found = get_args(found)[-1]
    return found


def _choices(kind: Any) -> list[str]:
    """Return the values of a Literal or an Enum, also within a union."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    return [c for arg in get_args(kind) for c in ([arg] if isinstance(arg, str) else _choices(arg))]


def _key(steps: list[str | int]) -> str:
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).strip(".")


def _plain(key: str) -> str:
    """Return a key as shown in errors: without what follows its name, which may be a secret."""
    return re.sub(r"[^\w.\[\]-].*", "", key) if _SECRET.match(key) else key


def _shown(value: object) -> str:
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 60 else text[:57] + "..."
