"""Where the sidecar's socket and data are. SDK and sidecar look in the same order."""

import os
from collections.abc import Iterator
from pathlib import Path

SOCKET_NAME = "mlguard.sock"


def socket_to_serve() -> Path:
    """Return the socket's path for a sidecar that is to serve it: the first that can be used."""
    return next(_socket_candidates())


def socket_to_reach() -> Path:
    """Return the first candidate that exists, else the path where a sidecar would serve."""
    candidates = list(_socket_candidates())
    return next((path for path in candidates if _exists(path)), candidates[0])


def data_dir() -> Path:
    """Return the folder for what the sidecar keeps: the system's, else the user's state folder."""
    system = Path("/var/lib/mlguard")
    if _usable(system):
        return system
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state else Path.home() / ".local" / "state") / "mlguard"


def _socket_candidates() -> Iterator[Path]:
    """Yield the socket's possible places in order; never none."""
    named = os.environ.get("MLGUARD_SOCKET", "")
    if named:
        yield Path(named)
        return
    system = Path("/run/mlguard")
    if _usable(system):
        yield system / SOCKET_NAME
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime:
        yield Path(runtime) / "mlguard" / SOCKET_NAME
    user = Path(f"/run/user/{os.getuid()}")
    if _usable(user):
        yield user / "mlguard" / SOCKET_NAME
    import tempfile  # noqa: PLC0415 - slow to import, and seldom needed

    yield Path(tempfile.gettempdir()) / f"mlguard-{os.getuid()}" / SOCKET_NAME


def _usable(folder: Path) -> bool:
    """Tell whether files can be made in the folder, or the folder itself can be made."""
    if _exists(folder):
        return os.access(folder, os.W_OK | os.X_OK)
    return os.access(folder.parent, os.W_OK | os.X_OK)


def _exists(path: Path) -> bool:
    """Tell whether the path exists; one that may not be looked at counts as absent."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises where this answers False
