"""Options and errors that several commands share."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

URL = click.option(
    "--url",
    default="http://127.0.0.1:9520",
    show_default=True,
    callback=lambda _context, _option, url: url.rstrip("/"),
)
"""Option: address of a running sidecar."""


def fail(text: str) -> NoReturn:
    """Print an error, and end with status 2."""
    click.echo(f"mlguard: {text}", err=True)
    sys.exit(2)
