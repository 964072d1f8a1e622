"""How the command of a daemon starts, before anything that may be missing is imported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mlguard_common.errors import MLGuardError

if TYPE_CHECKING:
    from collections.abc import Callable

USAGE_ERROR = 2

# sqlite-utils imports pandas where it finds it, which is 40 MiB that nothing here uses
sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]


def run_command(program: str, extra: str, run: Callable[[], int]) -> int:
    """Run a daemon; its exit status. What keeps it from running is told in one line.

    Args:
        program: its name.
        extra: of the distribution, with what it needs.
        run: imports what it needs, and runs it.
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
