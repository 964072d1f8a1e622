"""What the SDK and the sidecar agree on: the limits of the wire format, and where the socket is."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 1_048_576
"""Bytes of a line, including its line feed."""
MAX_BATCH_ROWS = 65_536
MAX_FEATURES = 512
"""Features of an event or a batch."""
MAX_NAME_LENGTH = 128
"""Characters of a project's, model's or endpoint's name, all printable."""
MAX_SEQ = 2**63 - 1
"""Largest sequence number of a batch; the smallest is 1."""
DEFAULT_ENDPOINT = "predict"

SOCKET_VARIABLE = "MLGUARD_SOCKET"
SOCKET_NAME = "mlguard.sock"
SYSTEM_RUN_DIR = Path("/run/mlguard")
SYSTEM_DATA_DIR = Path("/var/lib/mlguard")


def configured_socket() -> Path | None:
    """Return the socket that the environment names; None if it names none."""
    named = os.environ.get(SOCKET_VARIABLE, "")
    return Path(named) if named else None


def default_sockets() -> Iterator[Path]:
    """Yield the paths where a socket may be, in lookup order, if the environment names none."""
    yield SYSTEM_RUN_DIR / SOCKET_NAME
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime:
        yield Path(runtime) / "mlguard" / SOCKET_NAME
    yield Path(f"/run/user/{os.getuid()}") / "mlguard" / SOCKET_NAME
    import tempfile  # noqa: PLC0415 - slow to import, and rarely needed

    with contextlib.suppress(FileNotFoundError):  # where the root is read-only there may be none
        yield Path(tempfile.gettempdir()) / f"mlguard-{os.getuid()}" / SOCKET_NAME
    yield SYSTEM_DATA_DIR / SOCKET_NAME
    yield user_data_dir() / SOCKET_NAME


def user_data_dir() -> Path:
    """Return the folder for this user's data, below the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if state:
        return Path(state) / "mlguard"
    # unlike Path.home, it knows no error: in a container the user may have no name and no home
    home = Path(os.path.expanduser("~"))  # noqa: PTH111
    return (home if home.is_absolute() else Path("/")) / ".local" / "state" / "mlguard"


def is_trusted(folder: Path) -> bool:
    """Return whether a folder belongs to this user or to root; false if it does not exist."""
    try:
        return os.stat(folder).st_uid in (0, os.getuid())  # noqa: PTH116 - faster than Path.stat
    except OSError:
        return False
