"""What the commands of all daemons do the same."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Protocol

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
        from mlguard_common.config import ConfigError  # noqa: PLC0415 - to tell a missing extra
        from mlguard_common.database import StoreError  # noqa: PLC0415
        from mlguard_common.web import BindError  # noqa: PLC0415

        try:
            return run()
        except (ConfigError, BindError, StoreError) as error:
            return _fail(program, str(error))
    except ModuleNotFoundError as error:
        if str(error.name).startswith("mlguard"):
            raise
        return _fail(program, f"{error.name} is not installed; run: pip install 'mlguard[{extra}]'")


class Daemon(Protocol):
    """What runs until it is told to stop."""

    async def run(self, stop: asyncio.Event) -> bool:
        """Serve until then; whether all ended well."""

    def reload(self) -> str | None:
        """Use the changed configuration."""


async def serve(make: Callable[[], Daemon]) -> bool:
    """Run a daemon until SIGTERM or SIGINT, and have SIGHUP reload it; whether all ended well."""
    daemon, stop, loop = make(), asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    return await daemon.run(stop)


def _fail(program: str, text: str) -> int:
    print(f"{program}: {text}", file=sys.stderr)  # noqa: T201 - what a command says
    return USAGE_ERROR
