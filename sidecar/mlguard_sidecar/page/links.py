"""Addresses of pages, and of the same figures in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from mlguard_sidecar.wire import ModelKey

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL_PATH = "/models/{project}/{model}/{endpoint}"
COLUMN_PATH = f"{MODEL_PATH}/{{kind}}"
_DOTS = (".", "..")
_ESCAPE = "~"
_MODELS = "/api/v1/models"


def model_path(key: ModelKey) -> str:
    """Return the address of the page of a model."""
    # browsers resolve the names . and .., however they are encoded
    escaped = (_ESCAPE + n if n in _DOTS or n.startswith(_ESCAPE) else n for n in key)
    return "/models/" + _names(*escaped)


def key_of(names: Mapping[str, str]) -> ModelKey:
    """Return the key of the model whose page has an address with these names."""
    found = (names[name].removeprefix(_ESCAPE) for name in ("project", "model", "endpoint"))
    return ModelKey(*found)


def column_path(key: ModelKey, role: str, name: str) -> str:
    """Return the address of the page of a column; its name may be anything, even dots."""
    return f"{model_path(key)}/{role}?{urlencode({'name': name})}"


def model_json(key: ModelKey, span: str) -> tuple[str, ...]:
    """Return the addresses in the API of what the page of a model shows.

    Args:
        key: the model.
        span: range of its series.
    """
    if any(name in _DOTS for name in key):  # no browser can ask for it alone
        return (_MODELS, "/api/v1/rejects")
    one = f"{_MODELS}/{_names(*key)}"
    parts = (f"/series?range={span}", "/explain", "/history")
    return (one, *(one + part for part in parts), "/api/v1/rejects")


def column_json(key: ModelKey, role: str, name: str) -> tuple[str, ...]:
    """Return the address in the API of a column; of its model or of all, if it has none."""
    if any(each in _DOTS for each in key):
        return (_MODELS,)
    one = f"{_MODELS}/{_names(*key)}"
    return (one, f"{one}/history") if name in _DOTS else (f"{one}/columns/{_names(role, name)}",)


def _names(*names: str) -> str:
    return "/".join(quote(name, safe="") for name in names)
