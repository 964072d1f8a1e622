"""Names of projects, models and endpoints."""

import os

from mlguard.protocol import MAX_NAME_LENGTH


def resolve_name(what: str, given: str | None, variable: str, default: str = "") -> str:
    """Return the given name, else the one in the environment, else the default.

    Raises:
        ValueError: there is none, or it is invalid.
    """
    name = given if given is not None else os.environ.get(variable, "") or default
    if not name:
        raise ValueError(f"{what} is missing: give Guard a {what}, or set {variable}")
    if not isinstance(name, str) or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise ValueError(
            f"{what} must be 1 to {MAX_NAME_LENGTH} printable characters, not {name!r:.200}"
        )
    return name
