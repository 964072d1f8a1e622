"""Default paths of the sidecar's socket and data."""

from __future__ import annotations

import os
from pathlib import Path

from mlguard.protocol import (
    SYSTEM_DATA_DIR,
    SYSTEM_RUN_DIR,
    configured_socket,
    default_sockets,
    is_trusted,
)
from mlguard_common.paths import data_dir, is_usable

__all__ = ["data_dir", "socket_to_serve"]


def socket_to_serve(configured: str | None = None) -> tuple[Path, bool]:
    """Return the path for the event socket, and whether it was named.

    It is the configured one or MLGUARD_SOCKET, else the first default path that can be used.
    """
    named = Path(configured) if configured else configured_socket()
    if named is not None:
        return named, True
    *defaults, last = default_sockets()
    return next((path for path in defaults if _can_serve(path)), last), False


def _can_serve(path: Path) -> bool:
    """Return whether the socket's folder can be used, or can be created in a usable folder."""
    folder = path.parent
    # Path.exists raises where os.path.exists returns false: in a folder that may not be searched.
    if os.path.exists(folder) and not is_trusted(folder):  # noqa: PTH110
        return False
    return is_usable(folder if folder in {SYSTEM_RUN_DIR, SYSTEM_DATA_DIR} else folder.parent)
