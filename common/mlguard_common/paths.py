"""Folders of the daemons' data."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlguard.protocol import SYSTEM_DATA_DIR, user_data_dir

if TYPE_CHECKING:
    from pathlib import Path


def data_dir() -> Path:
    """Return the default folder for a daemon's data: the system's if usable, else the user's."""
    return SYSTEM_DATA_DIR if is_usable(SYSTEM_DATA_DIR) else user_data_dir()


def is_usable(folder: Path) -> bool:
    """Return whether files can be created in a folder, or the folder itself can be created."""
    # Path.exists raises where os.path.exists returns false: in a folder that may not be searched.
    existing = folder if os.path.exists(folder) else folder.parent  # noqa: PTH110
    return os.access(existing, os.W_OK | os.X_OK)
