"""Addresses of pages, and of the same figures in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from mlguard_sidecar.wire import ModelKey

MODEL_PATH = "/models/{project}/{model}/{endpoint}"
COLUMN_PATH = f"{MODEL_PATH}/{{kind}}"


def model_path(key: ModelKey) -> str:
    """Return the address of the page of a model."""
    return "/models/" + _names(*key)


def column_path(key: ModelKey, role: str, name: str) -> str:
    """Return the address of the page of a column; its name may be anything, even dots."""
    return f"{model_path(key)}/{role}?{urlencode({'name': name})}"


def model_json(key: ModelKey) -> str:
    """Return the address of a model in the API."""
    return "/api/v1/models/" + _names(*key)


def column_json(key: ModelKey, role: str, name: str) -> str:
    """Return the address of a column in the API."""
    return f"{model_json(key)}/columns/{_names(role, name)}"


def _names(*names: str) -> str:
    return "/".join(quote(name, safe="") for name in names)
