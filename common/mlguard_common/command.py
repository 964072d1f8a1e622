"""Start of a daemon's command, before any package that may be missing is imported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mlguard_common.errors import MLGuardError

if TYPE_CHECKING:
    from collections.abc import Callable

USAGE_ERROR = 2

# sqlite-utils imports pandas if it is installed: 40 MiB that nothing here uses
sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]


def run_command(program: str, extra: str, run: Callable[[], int]) -> int:
    """Run a daemon, and return its exit status.

    An `MLGuardError` or a missing package becomes one line on standard error and the status 2.

    Args:
        program: name of the command.
        extra: extra of the distribution with the daemon's dependencies.
        run: imports the daemon, runs it, and returns its exit status.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - the SDK in the same wheel runs on 3.10
        return _fail(program, "needs Python 3.11 or newer; the SDK alone runs on 3.10")
    try:
        return run()
    except MLGuardError as error:
        return _fail(program, str(error))
    except ModuleNotFoundError as error:
        if str(error.name).startswith("mlguard"):
            raise
        return _fail(program, f"{error.name} is not installed; run: pip install 'mlguard[{extra}]'")


def _fail(program: str, text: str) -> int:
    print(f"{program}: {text}", file=sys.stderr)  # noqa: T201 - what a command says
    return USAGE_ERROR
