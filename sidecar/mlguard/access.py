"""Why a socket cannot be connected to: who may do so, and who wants to."""

import os
import stat
from pathlib import Path


def explain_connect_error(path: Path, error: OSError) -> OSError:
    """Return an error of the same type that names the socket, the cause, and what to do."""
    if isinstance(error, PermissionError):
        text = _explain_permission(path)
    elif isinstance(error, FileNotFoundError):
        text = (
            f"there is no socket at {path}; start the sidecar, with this path as its socket.path,"
            " --socket or MLGUARD_SOCKET"
        )
    elif isinstance(error, ConnectionRefusedError):
        text = _explain_refusal(path)
    else:
        text = f"{path}: {error}"
    return type(error)(text)


def explain_untrusted(path: Path) -> str:
    """Return why a socket at a default path is not used, and how to use it."""
    return (
        f"{path} is ignored, as its folder belongs to {_owner(path.parent)} and neither to root nor"
        f" to {_own_user()}; to use it, name it in MLGUARD_SOCKET or Guard(socket=...)"
    )


def explain_unsearchable(path: Path) -> str:
    """Return why it is not known whether there is a socket."""
    return f"{_obstacle(path)} may not be searched by {_own_user()}: {_rights(_obstacle(path))}"


def _explain_permission(path: Path) -> str:
    obstacle = _obstacle(path)
    if obstacle != path:
        return (
            f"{path} cannot be reached: {explain_unsearchable(path)}; {_give_access('the folder')}"
        )
    return (
        f"{path} may not be connected to by {_own_user()}: {_rights(path)};"
        f" {_give_access('the socket')}, or set socket.mode of the sidecar to 0666"
    )


def _explain_refusal(path: Path) -> str:
    try:
        is_socket = stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        is_socket = True
    if not is_socket:
        return f"{path} is not a socket; if it is a mount, mount the folder of the socket instead"
    return (
        f"nobody listens on {path}; start the sidecar, and if the socket itself is mounted, mount"
        " its folder instead, as the file is a new one after each start"
    )


def _give_access(what: str) -> str:
    return f"give this user access to {what}, by a common group or the same user"


def _obstacle(path: Path) -> Path:
    """Return the first folder on the way that may not be searched; the path itself if all may."""
    for folder in reversed(path.absolute().parents):
        if not os.access(folder, os.X_OK):
            return folder
    return path


def _rights(path: Path) -> str:
    try:
        found = path.stat()
    except OSError as error:
        return f"its mode cannot be read: {error.strerror}"
    group = _named("group", found.st_gid)
    return f"its mode is {stat.S_IMODE(found.st_mode):04o}, its owner {_owner(path)}, its {group}"


def _owner(path: Path) -> str:
    try:
        return _named("user", path.stat().st_uid)
    except OSError:
        return "an unknown user"


def _own_user() -> str:
    return _named("user", os.geteuid())


def _named(what: str, number: int) -> str:
    """Return the name and number of a user or group; the number alone if it has no name."""
    import grp  # noqa: PLC0415 - rarely needed
    import pwd  # noqa: PLC0415 - the same

    try:
        name = pwd.getpwuid(number)[0] if what == "user" else grp.getgrgid(number)[0]
    except KeyError:
        return f"{what} {number}"
    return f"{what} {name} ({number})"
