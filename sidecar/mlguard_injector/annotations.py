"""Annotations of pods, by which one pod differs from the configuration."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlguard_injector.config import ResourcesConfig, is_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "mlguard.io/"
INJECT_LABEL = f"{PREFIX}inject"
STATUS = f"{PREFIX}status"
"""Annotation that says which image was put into the pod."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_IMAGE = re.compile(r"[\w.:/@-]{1,512}")
_BOOLS = {"true": True, "false": False}


class AnnotationError(ValueError):
    """An annotation with a value that cannot be used; the text names it and the fix."""


@dataclass(frozen=True)
class Wishes:
    """What a pod's annotations ask for; None for what the configuration says.

    Attributes:
        image: image of the sidecar.
        containers: names of the containers that get the socket; all of the pod by default.
        config: ConfigMap with the sidecar's configuration, under the key `config.yaml`.
        baseline: ConfigMap of baseline files.
        project: project of the model.
        model: name of the model.
        endpoint: endpoint of the model.
        native: whether the sidecar is a native one.
        port: port of its HTTP server.
        relay_secret: Secret of the pod's namespace, whose key `token` the relay wants.
        api_key_secret: Secret, whose key `api-key` is an API key of the sidecar.
        resources: key of ResourcesConfig -> value.
        unknown: names that are not known, each with the nearest that is.
    """

    image: str | None = None
    containers: tuple[str, ...] | None = None
    config: str | None = None
    baseline: str | None = None
    project: str | None = None
    model: str | None = None
    endpoint: str | None = None
    native: bool | None = None
    port: int | None = None
    relay_secret: str | None = None
    api_key_secret: str | None = None
    resources: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


def read_annotations(annotations: Mapping[str, Any]) -> Wishes:
    """Return what annotations ask for.

    Raises:
        AnnotationError: a value cannot be used.
    """
    found: dict[str, Any] = {}
    resources: dict[str, str] = {}
    unknown = []
    for key, value in annotations.items():
        if not str(key).startswith(PREFIX) or key == STATUS:
            continue
        name = key.removeprefix(PREFIX)
        if not isinstance(value, str):
            raise _refused(key, str(value), "a text, in quotes")
        if name in READERS:
            found[name.replace("-", "_")] = READERS[name](key, value.strip())
        elif name.replace("-", "_") in ResourcesConfig.__struct_fields__:
            resources[name.replace("-", "_")] = _quantity(key, value.strip())
        else:
            unknown.append(_unknown(name))
    return Wishes(**found, resources=resources, unknown=tuple(unknown))


def _unknown(name: str) -> str:
    known = [*READERS, *(each.replace("_", "-") for each in ResourcesConfig.__struct_fields__)]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
    return f"{PREFIX}{name[:63]} is not known, and ignored{hint}"


def _refused(key: str, value: str, expected: str) -> AnnotationError:
    return AnnotationError(f"{key}: found {value[:63]!r}, expected {expected}")


def _object(key: str, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise _refused(key, value, "the name of an object in the pod's namespace")
    return value


def _text(key: str, value: str) -> str:
    if not value.isprintable() or not 1 <= len(value) <= 128:
        raise _refused(key, value, "1 to 128 printable characters")
    return value


def _image(key: str, value: str) -> str:
    if not _IMAGE.fullmatch(value):
        raise _refused(key, value, "an image such as registry.example/mlguard-sidecar:0.1.0")
    return value


def _bool(key: str, value: str) -> bool:
    if value.lower() not in _BOOLS:
        raise _refused(key, value, '"true" or "false"')
    return _BOOLS[value.lower()]


def _port(key: str, value: str) -> int:
    if not re.fullmatch("[0-9]{4,5}", value) or not 1024 <= int(value) <= 65_535:
        raise _refused(key, value, "a port from 1024 to 65535")
    return int(value)


def _quantity(key: str, value: str) -> str:
    if not is_quantity(value):
        raise _refused(key, value, "a quantity such as 96Mi or 10m")
    return value


def _names(key: str, value: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in value.split(",") if part.strip())
    if not found or not all(map(_NAME.fullmatch, found)):
        raise _refused(key, value, "names of containers, with commas between")
    return found


READERS: Mapping[str, Callable[[str, str], object]] = {
    "image": _image,
    "containers": _names,
    "config": _object,
    "baseline": _object,
    "project": _text,
    "model": _text,
    "endpoint": _text,
    "native": _bool,
    "port": _port,
    "relay-secret": _object,
    "api-key-secret": _object,
}
"""Name of an annotation, without the prefix -> reads its value; resources are apart."""
