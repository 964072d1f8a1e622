"""Changes are made only by those who agree."""

from __future__ import annotations

import sys
from typing import IO

from mlguard_common.config import ConfigError


class ConsentError(ConfigError):
    """Nobody can be asked."""


def need_consent(command: str, *, dry_run: bool, yes: bool, stdin: IO[str] | None = None) -> None:
    """See that somebody can be asked, before anything is.

    Raises:
        ConsentError: nobody can.
    """
    if not (dry_run or yes or (stdin or sys.stdin).isatty()):
        raise ConsentError(
            f"{command} changes AWS and asks before it does, for which it needs a terminal;"
            " add --yes to agree, or --dry-run to see what it would do"
        )


def agreed(question: str, *, yes: bool, out: IO[str], stdin: IO[str] | None = None) -> bool:
    """Whether a person agrees, who may have done so before."""
    if yes:
        return True
    out.write(f"{question} [y/N] ")
    out.flush()
    return (stdin or sys.stdin).readline().strip().lower() in ("y", "yes")
