"""Names of projects, models and endpoints."""

import os

from mlguard.protocol import DEFAULT_ENDPOINT, MAX_NAME_LENGTH


def resolve_names(project: str | None, model: str | None, endpoint: str | None) -> dict[str, str]:
    """Return the given names, else those in the environment.

    Raises:
        ValueError: one is missing or invalid.
    """
    return {
        "project": _resolve("project", project, "MLGUARD_PROJECT"),
        "model": _resolve("model", model, "MLGUARD_MODEL"),
        "endpoint": _resolve("endpoint", endpoint, "MLGUARD_ENDPOINT", DEFAULT_ENDPOINT),
    }


def _resolve(what: str, given: str | None, variable: str, default: str = "") -> str:
    name = given if given is not None else os.environ.get(variable, "") or default
    if not name:
        raise ValueError(f"{what} is missing: give Guard a {what}, or set {variable}")
    if not isinstance(name, str) or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise ValueError(
            f"{what} must be 1 to {MAX_NAME_LENGTH} printable characters, not {name!r:.200}"
        )
    return name
