"""Pages that refresh in place, and those who use them by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.pages import batch, fetch, send

pytestmark = pytest.mark.needs("chromium")

PERIOD = 10_000
"""Milliseconds between two refreshes."""


@pytest.fixture
def open_page(looks, sidecar):
    """Opens a page of a sidecar with one model, whose clock the test moves."""
    send(sidecar, batch("first", {f"feature {n}": [1.0, 2.0] * 10 for n in range(12)}, 20))

    def open_(path="/models/first/first/first", **context):
        page = looks.open(sidecar, "/healthz", **context)
        page.clock.install()
        page.goto(sidecar.url + path)
        return page

    return open_


def total(page):
    """The tile that counts inferences."""
    return page.locator(".tile", has_text="Inferences").locator("dd").first


def more(sidecar, name="first"):
    send(sidecar, batch(name, {"feature 0": [1.0] * 20}, 20))


def test_figures_change_in_place_and_what_the_reader_did_stays(open_page, sidecar):
    page = open_page("/models/first/first/first?range=1h", viewport={"width": 390, "height": 700})
    expect(total(page)).to_contain_text("20")
    page.get_by_text("The same as numbers").click()
    region = page.get_by_role("region", name="Traffic, latency and predictions")
    region.evaluate("each => { each.scrollLeft = 40; }")
    moved = region.evaluate("each => each.scrollLeft")
    assert moved > 0
    link = page.get_by_role("link", name="feature 7")
    link.focus()
    down = page.evaluate("scrollY")
    assert down > 0
    more(sidecar)
    page.clock.run_for(PERIOD)
    expect(total(page)).to_contain_text("40")
    expect(page.locator("details#numbers")).to_have_attribute("open", "")
    expect(link).to_be_focused()
    assert page.evaluate("scrollY") == down
    assert region.evaluate("each => each.scrollLeft") == moved


@pytest.mark.parametrize(
    "focused",
    [
        "summary",
        "[aria-label='Traffic, latency and predictions']",
        "[aria-label='Window of drift'] a >> nth=1",
        "nav[aria-label=Time] a >> nth=2",
        "main",
    ],
)
def test_the_focus_stays_wherever_it_is(open_page, sidecar, focused):
    page = open_page()
    page.get_by_text("The same as numbers").click()
    page.locator(focused).focus()
    before = page.evaluate("document.activeElement.outerHTML.slice(0, 80)")
    more(sidecar)
    page.clock.run_for(PERIOD)
    expect(total(page)).to_contain_text("40")
    expect(page.locator(focused)).to_be_focused()
    assert page.evaluate("document.activeElement.outerHTML.slice(0, 80)") == before


def test_a_paused_page_stays_as_it_is_until_it_goes_on(open_page, sidecar):
    page = open_page()
    pause = page.get_by_role("button", name="Pause")
    pause.focus()
    page.keyboard.press("Space")
    expect(pause).to_have_attribute("aria-pressed", "true")
    more(sidecar)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(5 * PERIOD)
    assert asked == []
    expect(total(page)).to_contain_text("20")
    page.keyboard.press("Space")
    page.clock.run_for(PERIOD)
    expect(total(page)).to_contain_text("40")


def test_a_page_does_not_change_under_a_selection(open_page, sidecar):
    page = open_page()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    more(sidecar)
    page.clock.run_for(2 * PERIOD)
    assert asked == []
    page.evaluate("getSelection().empty()")
    page.clock.run_for(PERIOD)
    expect(total(page)).to_contain_text("40")


def test_old_figures_are_said_to_be_old(looks, open_page, sidecar):
    page = open_page()
    note = "getComputedStyle(document.querySelector('.refresh'), '::after').content"
    assert page.evaluate(note) == "none"
    looks.expected.append("net::ERR_CONNECTION_REFUSED")
    sidecar.stop()
    page.clock.run_for(PERIOD)
    expect(page.locator("body")).to_have_class("stale")
    assert "old" in page.evaluate(note)
    expect(total(page)).to_contain_text("20")
    sidecar.start()
    page.clock.run_for(PERIOD)
    expect(page.locator("body")).not_to_have_class("stale")
    assert page.evaluate(note) == "none"


def test_a_model_that_is_erased_while_one_looks_is_said_to_be_gone(open_page, sidecar):
    page = open_page()
    fetch(sidecar, "/api/v1/models/first/first/first", "DELETE")
    page.clock.run_for(PERIOD)
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    page.get_by_role("link", name="To the first page").click()
    expect(page.get_by_text("No events yet")).to_be_visible()


def test_a_page_asks_for_the_key_when_it_changes_and_does_not_disturb_who_types_it(looks, sidecar):
    send(sidecar, batch("first", {}, 20))
    url = sidecar.url.replace("127.0.0.1", "x.localhost")

    def use(key):
        sidecar.config["http"] = {"api_keys": [key]}
        sidecar.write_config()
        assert fetch(sidecar, "/-/reload", "POST").status == 200

    use("old")
    page = looks.open(sidecar, url=url)
    page.clock.install()
    page.get_by_label("API key").fill("old")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="first").wait_for()
    use("new")
    page.clock.run_for(PERIOD)
    page.get_by_label("API key").fill("ne")
    page.clock.run_for(5 * PERIOD)
    page.get_by_label("API key").press_sequentially("w")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="first").wait_for()


def test_a_status_that_stays_is_not_said_again(open_page, sidecar):
    page = open_page("/")
    page.get_by_role("status").evaluate("each => { each.isSame = true; }")
    more(sidecar, "second")
    page.clock.run_for(PERIOD)
    page.get_by_role("link", name="second").wait_for()
    status = page.get_by_role("status")
    expect(status).to_contain_text("2 models")
    assert status.evaluate("each => each.isSame"), "a live region is kept, and its text replaced"


def test_all_can_be_done_by_keyboard(open_page):
    page = open_page("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", "one sees where one is"
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert [text.rstrip(" \N{DOWNWARDS ARROW}") for text in reached[1:7]] == [
        "State", "Model", "Inferences", "Latency p95", "Drift", "Last seen"
    ]  # fmt: skip
    assert reached[7] == "first"
    page.get_by_role("link", name="first").focus()
    page.keyboard.press("Enter")
    page.locator("h1", has_text="first").wait_for()
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Traffic, latency and predictions")).to_be_visible()
