"""Options and errors that several commands share."""

from __future__ import annotations

import sys
from typing import NoReturn
from urllib.parse import quote, unquote

import click

from mlguard.protocol import DEFAULT_ENDPOINT

URL = click.option(
    "--url",
    default="http://127.0.0.1:9520",
    show_default=True,
    callback=lambda _context, _option, url: url.rstrip("/"),
)
"""Option: address of a running sidecar."""


def model_path(model: str) -> str:
    """Return a model's name PROJECT/MODEL[/ENDPOINT] as a path of the API; end if it is none."""
    names = model.split("/")
    if not 2 <= len(names) <= 3 or not all(names):
        fail(f"{model}: expected PROJECT/MODEL or PROJECT/MODEL/ENDPOINT")
    return "/".join(quote(unquote(part), safe="") for part in [*names, DEFAULT_ENDPOINT][:3])


def fail(text: str) -> NoReturn:
    """Print an error, and end with status 2."""
    click.echo(f"mlguard: {text}", err=True)
    sys.exit(2)
