"""How the sidecar's pages look in a browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from support.browsing import faults
from support.pages import MESH, NAMES, fetch
from support.sidecar import Sidecar

pytestmark = pytest.mark.needs("chromium")

MOVES = "/models/moves/moves/moves"
SCRIPT = "/models/" + "/".join(["%3Cscript%3Ealert(1)%3C%2Fscript%3E"] * 3)
WIDE = "/models/" + "/".join(["W" * 128] * 3)
PATHS = {
    "all models": "/",
    "model": MOVES,
    "year": f"{MOVES}?range=400d",
    "hostile": SCRIPT,
    "wide": WIDE,
    "numeric": f"{MOVES}/feature?name=age",
    "categorical": f"{MOVES}/feature?name=country",
    "prediction": f"{MOVES}/prediction?name=y_proba",
    "enormous": f"{SCRIPT}/feature?name=enormous",
    "wide feature": f"{SCRIPT}/feature?name={'W' * 128}",
    "login": "/login",
    "not found": "/models/x/y/z",
}


def strings(value):
    """All texts in a JSON value."""
    if isinstance(value, str):
        return {value}
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(strings, found))


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_page_can_be_used_by_everyone_in_every_width(looks, fed_sidecar, path):
    page = looks.open(fed_sidecar, path)
    assert page.locator("h1").count() == 1
    assert faults(page) == []


def test_without_events_the_page_says_how_to_send_the_first(looks, sidecar):
    page = looks.open(sidecar)
    assert faults(page) == []
    assert page.get_by_text("No events yet").is_visible()


def test_dark_is_dark_and_light_is_light(looks, fed_sidecar):
    page = looks.open(fed_sidecar, MOVES)

    def brightness(scheme, style):
        page.emulate_media(color_scheme=scheme)
        text = page.evaluate(f"getComputedStyle(document.documentElement).{style}")
        return sum(int(n) for n in re.findall(r"\d+", text)[:3]) / 765

    for scheme, lighter, darker in (
        ("light", "backgroundColor", "color"),
        ("dark", "color", "backgroundColor"),
    ):
        assert brightness(scheme, lighter) > 0.8
        assert brightness(scheme, darker) < 0.2


def test_names_are_shown_as_they_are(looks, fed_sidecar):
    page = looks.open(fed_sidecar)
    rows = page.get_by_role("rowheader")
    shown = [bdi.text_content() for bdi in rows.locator("a bdi").all()]
    assert sorted(shown) == sorted([*NAMES, "moves"])


def test_each_name_leads_to_its_model_and_from_there_to_its_feature_and_json(looks, fed_sidecar):
    page = looks.open(fed_sidecar)
    for name in ("..", "~..", "../..", "a/b?c#d", "%2F", "{{7*7}}{project}", NAMES[0], NAMES[1]):
        page.goto(fed_sidecar.url)
        page.locator("tbody th a").get_by_text(name, exact=True).click()
        assert page.locator("h1 bdi").first.text_content() == name
        page.locator("tbody th a").get_by_text(name, exact=True).click()
        assert page.locator("h1 bdi").first.text_content() == name
        twin = page.locator("footer a").first
        with page.expect_response(lambda response: "/api/v1/models" in response.url) as answer:
            twin.click()
        assert answer.value.status == 200
        assert name in strings(answer.value.json())


def test_all_is_readable_without_javascript(looks, fed_sidecar):
    page = looks.open(fed_sidecar, java_script_enabled=False)
    assert page.get_by_role("button", name="Pause").is_hidden()
    page.get_by_role("link", name="moves", exact=True).click()
    times = page.locator("time[data-as=moment]")
    assert times.count()
    assert all(text.endswith(" UTC") for text in times.all_text_contents())
    page.get_by_text("The same as numbers").click()
    assert page.get_by_role("columnheader", name="Mean score").is_visible()
    page.get_by_role("link", name="age", exact=True).click()
    assert page.get_by_role("heading", name="age").is_visible()
    assert page.get_by_text("Times are in UTC").is_visible()


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "UTC"])
def test_times_are_in_the_zone_of_the_reader_with_utc_at_hand(looks, fed_sidecar, zone):
    page = looks.open(fed_sidecar, MOVES, timezone_id=zone)
    page.get_by_text("The same as numbers").click()
    assert page.locator("#zone").text_content()
    seen = 0
    for time in page.locator("time[data-as]").all():
        moment = datetime.fromisoformat(time.get_attribute("datetime")).replace(tzinfo=UTC)
        form = {"clock": "%H:%M", "moment": "%-d %b %Y, %H:%M"}[time.get_attribute("data-as")]
        local = moment.astimezone(ZoneInfo(zone)).strftime(form)
        assert time.text_content().replace("Sept", "Sep") == local
        assert moment.strftime("%Y-%m-%d %H:%M UTC") == time.get_attribute("title")
        seen += 1
    assert seen > 10


def test_the_orders_of_the_table(looks, fed_sidecar):
    page = looks.open(fed_sidecar)
    for name, state in (("State", "descending"), ("Model", "ascending"), ("Drift", "descending")):
        page.get_by_role("columnheader", name=name).get_by_role("link").click()
        head = page.get_by_role("columnheader", name=name)
        assert head.get_attribute("aria-sort") == state
        assert page.locator("[aria-sort]").count() == 1
        names = page.locator("tbody th a").all_text_contents()
        if name == "Model":
            assert names == sorted([*NAMES, "moves"])
        else:
            assert names[0] == "moves", "the one that drifts"


def test_a_chart_says_its_figures(looks, fed_sidecar):
    page = looks.open(fed_sidecar, MOVES)
    for title in ("Inferences per ", "Latency", "Predicted classes", "Score"):
        (name,) = [
            each.get_attribute("aria-label")
            for each in page.get_by_role("img").all()
            if each.get_attribute("aria-label").startswith(title)
        ]
        assert re.search(r"last, \d\d:\d\d UTC: .*\d", name)
    page.get_by_text("The same as numbers").focus()
    page.keyboard.press("Enter")
    table = page.get_by_role("region", name="Traffic, latency and predictions").get_by_role("table")
    assert table.is_visible()
    counts = [int(text) for text in table.locator("td:nth-child(2)").all_text_contents()]
    assert sum(counts) == 400


def test_the_commands_of_the_empty_page_work(looks, sidecar, monkeypatch):
    import subprocess
    import sys

    page = looks.open(sidecar)
    shell, python = page.locator("pre").all_text_contents()
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
    assert '"accepted":1' in done.stdout.replace(" ", ""), done
    monkeypatch.setenv("MLGUARD_SOCKET", str(sidecar.socket_path))
    subprocess.run([sys.executable, "-c", python], check=True)
    page.reload()
    assert page.get_by_text("2 events counted").is_visible()
    assert page.get_by_role("link", name="prices").is_visible()


def test_a_key_is_asked_for_and_kept(looks, tmp_path):
    http = {"api_keys": ["the key"], "allowed_hosts": []}
    config = {"rules": {"enabled": False}, "http": http}
    with Sidecar(tmp_path, config) as daemon:
        port = daemon.url.rpartition(":")[2]
        # loopback needs no key, but under a name of which nothing is known it does
        page = looks.open(daemon, "/models/a/b/c?range=30d", url=f"http://x.localhost:{port}")
        assert faults(page) == []
        page.get_by_label("API key").fill("wrong")
        page.keyboard.press("Enter")
        assert page.get_by_role("alert").text_content() == "This key is not valid."
        page.get_by_label("API key").fill("the key")
        page.keyboard.press("Enter")
        page.get_by_text("There is no model a/b/c").wait_for()
        assert page.url.endswith("/models/a/b/c?range=30d")
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        page.get_by_role("button", name="Log out").click()
        page.get_by_label("API key").wait_for()
        assert page.context.cookies() == []
        assert fetch(daemon, source=MESH).status == 401
