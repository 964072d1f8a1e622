"""Takes the pictures of the manuals: runs the demonstration, and a browser on its pages.

    screenshots.py [FOLDER]

It needs Debian's Chromium; `make screenshots` calls it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
REPLAY_SECONDS = 90
MOMENT = "Jul 2013"
"""Text in the demonstration's output after which the pictures are taken: summer has drifted."""

MODEL = "models/nyc-flights/late/predict"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")


class Picture(NamedTuple):
    """Picture of a page.

    Attributes:
        name: its file, without the suffix.
        component: whose page it is, 0 for the sidecar, 1 for the exporter.
        path: the page.
        scheme: `light` or `dark`.
        width: of the window, as the next one.
        height: in pixels.
    """

    name: str
    component: int
    path: str
    scheme: str = "light"
    width: int = 1280
    height: int = 860


PICTURES = (
    Picture("models-light", 0, "", height=420),
    Picture("models-dark", 0, "", "dark", height=420),
    Picture("model-light", 0, MODEL, height=1500),
    Picture("model-dark", 0, MODEL, "dark", height=1500),
    Picture("model-phone", 0, MODEL, "dark", 390, 844),
    Picture("column-light", 0, f"{MODEL}/feature?name=temp", height=1000),
    Picture("column-dark", 0, f"{MODEL}/feature?name=temp", "dark", height=1000),
    Picture("spend-light", 1, "", height=1250),
    Picture("spend-dark", 1, "", "dark", height=1250),
)


def main(folder: Path) -> None:
    """Take all pictures into a folder."""
    command = [sys.executable, "-m", "mlguard_sidecar.cli", "demo", "--keep"]
    command += ["--seconds", str(REPLAY_SECONDS), "--listen", "127.0.0.1:0"]
    demo = subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    try:
        addresses = _addresses_at_the_moment(iter(demo.stdout or ()))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for picture in PICTURES:
                _take(browser, picture, addresses, folder / f"{picture.name}.png")
            browser.close()
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(timeout=30)


def _addresses_at_the_moment(lines: Iterator[str]) -> list[str]:
    """Return the addresses of both pages, once it is summer in the demonstration."""
    found: list[str] = []
    for line in lines:
        found += [address for address in _ADDRESS.findall(line) if address not in found]
        if MOMENT in line and len(found) >= 2:
            return found[:2]
    raise SystemExit("screenshots: the demonstration ended before summer")


def _take(browser: Browser, picture: Picture, addresses: list[str], path: Path) -> None:
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.scheme == "dark" else "light",
        timezone_id="Europe/Berlin",
    )
    page = context.new_page()
    page.goto(addresses[picture.component] + picture.path)
    page.screenshot(path=path)
    context.close()
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "pictures")
