"""Pages in Debian's Chromium."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

    from support.sidecar import Daemon

_LOOKS = ((1440, "light"), (768, "dark"), (390, "dark"), (390, "light"))
_AXE = Axe().axe_script
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser without a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(_FLAGS))
        try:
            yield running
        finally:
            running.close()


class Looks:
    """Opened pages, each in a context of its own.

    Attributes:
        errors: what a reader's console would show, and requests to other places.
        expected: parts of messages that are no errors, as a test asks for them.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.errors: list[str] = []
        self.expected = ["the server responded with a status of 4"]

    def open(self, daemon: Daemon, path: str = "/", *, url: str | None = None, **context: Any):
        """Open a page; `url` is where it is if not on loopback's usual address."""
        opened = self._browser.new_context(**{"locale": "en-GB", **context})
        opened.set_default_timeout(20_000)
        self._contexts.append(opened)
        page = opened.new_page()
        base = url or daemon.url
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.errors.append(f"error: {error}"))
        page.on("request", lambda request: self._asked(request.url, base))
        page.goto(base + path)
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(each in text for each in self.expected):
            self.errors.append(f"{kind}: {text}")

    def _asked(self, url: str, base: str) -> None:
        if not url.startswith(f"{base}/"):
            self.errors.append(f"request elsewhere: {url}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: object) -> None:
        for context in self._contexts:
            context.close()
        if failed[0] is None:
            assert not self.errors


def faults(page: Page) -> list[str]:
    """What axe finds wrong with a page, in each width and scheme, and whether it is too wide."""
    page.evaluate(_AXE)
    for details in page.locator("details").all():
        details.evaluate("each => { each.open = true; }")
    found = []
    for width, scheme in _LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        for fault in page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]:
            node = fault["nodes"][0]
            why = node.get("failureSummary", "")
            found.append(f"{width} {scheme}: {fault['id']}: {node['html'][:200]}: {why}")
        root = "document.documentElement"
        if page.evaluate(f"{root}.scrollWidth > {root}.clientWidth"):
            found.append(f"{width}: it scrolls to the side")
    return found
