"""Prints what the packages of each image weigh: installed from its lock, and pruned.

    image_sizes.py [IMAGE ...]

It does what the Dockerfiles do, in a temporary folder, and needs no container engine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ("sidecar", "exporter", "injector")
_SHOWN = 6


def main(images: list[str]) -> None:
    """Print a line for each image."""
    for image in images or IMAGES:
        with tempfile.TemporaryDirectory() as folder:
            site = install(image, Path(folder))
            sizes: Counter[str] = Counter()
            for path in site.rglob("*"):
                if path.is_file():
                    sizes[path.relative_to(site).parts[0].removesuffix(".libs")] += (
                        path.stat().st_size
                    )
        largest = ", ".join(f"{name} {n / 2**20:.0f}" for name, n in sizes.most_common(_SHOWN))
        print(f"{image}: {sizes.total() / 2**20:.0f} MiB of packages ({largest})")  # noqa: T201


def install(image: str, folder: Path) -> Path:
    """Install the packages of an image, and return where they are."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)  # noqa: S603 - our own
    pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    lock = ROOT / "images" / f"{image}.lock"
    subprocess.run([*pip, "--require-hashes", "--only-binary=:all:", "-r", lock], check=True)  # noqa: S603
    subprocess.run([*pip, ROOT], check=True)  # noqa: S603
    (site,) = folder.glob("lib/python3*/site-packages")
    uninstall = [folder / "bin/pip", "uninstall", "--quiet", "--yes", "setuptools", "pip"]
    subprocess.run(uninstall, check=True)  # noqa: S603
    subprocess.run(["sh", ROOT / "scripts/prune.sh", site], check=True)  # noqa: S603, S607
    return site


if __name__ == "__main__":
    main(sys.argv[1:])
