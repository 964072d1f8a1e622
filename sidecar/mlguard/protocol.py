"""Where the sidecar's socket and data are. SDK and sidecar look in the same order."""

import os
from collections.abc import Iterator
from pathlib import Path

SOCKET_NAME = "mlguard.sock"
_SYSTEM = Path("/run/mlguard")


def socket_to_serve() -> Path:
    """Return the socket's path for a sidecar that is to serve it: the first that can be used."""
    *candidates, last = _socket_candidates()
    return next((path for path in candidates if _servable(path)), last)


def socket_to_reach() -> Path:
    """Return the first candidate that exists, else the path where a sidecar would serve.

    A sidecar of the system may serve in a folder that this process may only look into.
    """
    existing = (path for path in _socket_candidates() if _exists(path) and _trusted(path.parent))
    return next(existing, None) or socket_to_serve()


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
    yield _SYSTEM / SOCKET_NAME
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime:
        yield Path(runtime) / "mlguard" / SOCKET_NAME
    yield Path(f"/run/user/{os.getuid()}") / "mlguard" / SOCKET_NAME
    import tempfile  # noqa: PLC0415 - slow to import, and seldom needed

    yield Path(tempfile.gettempdir()) / f"mlguard-{os.getuid()}" / SOCKET_NAME
    yield data_dir() / SOCKET_NAME


def _servable(path: Path) -> bool:
    """Tell whether a sidecar could serve there: in its folder, or in one that it can make."""
    folder = path.parent
    if _exists(folder) and not _trusted(folder):
        return False
    return _usable(folder if folder == _SYSTEM else folder.parent)


def _trusted(folder: Path) -> bool:
    """Tell whether a folder belongs to this user or to root, and is not laid out by another."""
    try:
        return os.stat(folder).st_uid in (0, os.getuid())  # noqa: PTH116 - as light as it gets
    except OSError:
        return False


def _usable(folder: Path) -> bool:
    """Tell whether files can be made in the folder, or the folder itself can be made."""
    if _exists(folder):
        return os.access(folder, os.W_OK | os.X_OK)
    return os.access(folder.parent, os.W_OK | os.X_OK)


def _exists(path: Path) -> bool:
    """Tell whether the path exists; one that may not be looked at counts as absent."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises where this answers False
