"""Containers of a pod as processes: their command, environment, user and mounts, without an engine.

Each runs in a mount namespace of its own, on the root of this machine, which is read-only there.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTRYPOINT = [sys.executable, "-m", "mlguard_sidecar"]
"""What the sidecar's image runs."""


def can_run() -> bool:
    """Whether this machine allows it: root, with unshare and setpriv."""
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")):
        return False
    # the user of a container must be able to run this Python
    user = ["setpriv", "--reuid", "65532", "--regid", "65532", "--clear-groups"]
    command = ["unshare", "-m", *user, sys.executable, "-c", "import mlguard_sidecar.daemon"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


class Volumes:
    """The volumes of a pod, as folders that the kubelet would make: open to every user."""

    def __init__(self, folder: Path, pod: dict[str, Any], files: dict[str, dict[str, str]]) -> None:
        self.folders: dict[str, Path] = {}
        for volume in pod["spec"].get("volumes", []):
            place = folder / volume["name"]
            place.mkdir(parents=True)
            place.chmod(0o777)
            if "configMap" in volume:
                for name, text in files[volume["configMap"]["name"]].items():
                    (place / name).write_text(text)
                place.chmod(0o755)
            self.folders[volume["name"]] = place


def start(
    container: dict[str, Any],
    volumes: Volumes,
    command: Sequence[str],
    *,
    user: int,
    secrets: dict[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start a container of a pod.

    Args:
        container: as the pod has it.
        volumes: those of the pod.
        command: what it runs, before its arguments.
        user: user and group, where the container names none.
        secrets: key of a Secret -> its value.
    """
    context = container.get("securityContext", {})
    # folders for the mounts, which this machine need not have
    lines = ["set -e", "mount -t tmpfs none /run", "mount -t tmpfs none /var/lib"]
    elsewhere = set()
    for mount in container.get("volumeMounts", []):
        path = mount["mountPath"]
        top = f"/{Path(path).parts[1]}"
        if not path.startswith(("/run/", "/var/lib/")) and top not in elsewhere:
            elsewhere.add(top)
            lines.append(f"mount -t tmpfs none {top}")
        source = shlex.quote(str(volumes.folders[mount["name"]]))
        lines += [f"mkdir -p {shlex.quote(path)}", f"mount --bind {source} {shlex.quote(path)}"]
        if mount.get("readOnly"):
            lines.append(f"mount -o remount,bind,ro {shlex.quote(path)}")
    # recursively would make the volumes read-only as well
    lines += [f"mount -o remount,bind,ro {place}" for place in ("/run", "/var/lib")]
    if context.get("readOnlyRootFilesystem"):
        lines.append("mount -o remount,bind,ro /")
    owner = str(context.get("runAsUser", user))
    group = str(context.get("runAsGroup", user))
    privileges = ["--no-new-privs"] if not context.get("allowPrivilegeEscalation", True) else []
    drop = ["--bounding-set", "-all", "--inh-caps", "-all"]
    program = ["setpriv", "--reuid", owner, "--regid", group, "--clear-groups", *drop, *privileges]
    program += [*command, *container.get("args", [])]
    lines.append(f"exec {shlex.join(program)}")
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    for each in container.get("env", []):
        source = each.get("valueFrom", {}).get("secretKeyRef")
        environment[each["name"]] = (secrets or {})[source["key"]] if source else each["value"]
    return subprocess.Popen(
        ["unshare", "-m", "sh", "-c", "\n".join(lines)],
        env=environment,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
