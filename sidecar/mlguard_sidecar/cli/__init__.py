"""The command-line tool `mlguard`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `mlguard`."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the SDK in the same wheel runs on 3.10
        sys.stderr.write("mlguard: this command needs Python 3.11 or newer\n")
        sys.exit(2)
    try:
        from mlguard_sidecar.cli.commands import mlguard  # noqa: PLC0415 - may be missing
    except ModuleNotFoundError as error:
        if str(error.name).startswith("mlguard"):
            raise
        sys.stderr.write(
            f"mlguard: {error.name} is not installed; run: pip install 'mlguard[sidecar]'\n"
        )
        sys.exit(2)
    mlguard()
