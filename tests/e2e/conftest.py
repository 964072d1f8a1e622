"""A browser, and pages that are looked at in it."""

from __future__ import annotations

import pytest
from support.browsing import Looks, chromium
from support.pages import batch, hostile_batches, send
from support.sidecar import Sidecar


@pytest.fixture(scope="module")
def browser():
    """One browser; it ends with the module, as its event loop runs until then."""
    with chromium() as running:
        yield running


@pytest.fixture
def looks(browser):
    """Opens pages, and checks in the end that none had an error or asked elsewhere."""
    with Looks(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def fed_sidecar(tmp_path_factory):
    """A sidecar with models of hostile names, and one that drifts."""
    config = {"rules": {"enabled": False}, "baseline": {"events": 100}}
    with Sidecar(tmp_path_factory.mktemp("fed"), config) as running:
        send(running, *hostile_batches(), *drifting_batches())
        yield running


def drifting_batches():
    """The first rows as a baseline is learnt from them, then others."""
    return [
        batch("moves", {"age": ages, "country": countries}, 200)
        for ages, countries in (
            ([20 + n % 40 for n in range(200)], ["CA", "US"] * 100),
            ([60 + n % 40 for n in range(200)], ["CA", "FR"] * 100),
        )
    ]
