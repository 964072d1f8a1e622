"""Pages of models whose names are hostile."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest
from support.pages import NAMES, batch, fetch, hostile_batches, send
from support.sidecar import Sidecar

_TAGS = """
html head meta title link script body a header svg path span time button form main section strong
h1 h2 small div table thead tbody tr th td bdi p nav ul li dl dt dd figure figcaption rect g details
summary code footer br progress label input pre
"""
TAGS = set(_TAGS.split())


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory):
    config = {"rules": {"enabled": False}, "baseline": {"events": 100}}
    with Sidecar(tmp_path_factory.mktemp("names"), config) as running:
        send(running, *hostile_batches())
        yield running


def resolved(path: str) -> str:
    """The path that a browser asks for when it follows a link."""
    parts = urlsplit(urljoin("http://x/", path))
    segments = [re.sub("%2e", ".", each, flags=re.IGNORECASE) for each in parts.path.split("/")]
    assert not {".", ".."} & set(segments), path
    return parts.path + (f"?{parts.query}" if parts.query else "")


def check(page) -> None:
    """A page has our elements alone, and refers to this server alone."""
    assert {tag for tag, _ in page.tags} <= TAGS
    assert len(page.attributes("script", "src")) == len([t for t, _ in page.tags if t == "script"])
    for _, found in page.tags:
        assert not [name for name in found if name.startswith("on")]
    for path in page.addresses:
        assert re.match(r"[/#?]", path), path
        assert not path.startswith("//"), path
    assert not re.search(r"\b(nan|inf|None|Undefined)\b", page.text)


def model_links(page) -> list[str]:
    return [resolved(path) for path in page.addresses if path.startswith("/models/")]


def twins(page) -> list[str]:
    return [resolved(path) for path in page.addresses if path.startswith("/api/")]


def test_all_names_are_texts_and_all_links_lead_to_their_pages(sidecar):
    first = fetch(sidecar).html
    check(first)
    links = model_links(first)
    assert len(set(links)) == len(NAMES)
    named = set()
    for link in links:
        answer = fetch(sidecar, link)
        assert answer.status == 200, link
        page = answer.html
        check(page)
        named |= {name for name in NAMES if page.title == f"{name}, {name} - ML Guard"}
        for twin in twins(page):
            assert fetch(sidecar, twin).status == 200, twin
    assert named == set(NAMES)


def test_every_column_has_a_page(sidecar):
    first = next(path for path in model_links(fetch(sidecar).html) if "script" in path)
    columns = [path for path in model_links(fetch(sidecar, first).html) if "name=" in path]
    assert len(columns) == len(NAMES) + 6, "features, odd ones, y_pred and y_proba"
    found = set()
    for path in columns:
        answer = fetch(sidecar, path)
        assert answer.status == 200, path
        page = answer.html
        check(page)
        for twin in twins(page):
            assert fetch(sidecar, twin).status == 200, twin
        found |= {name for name in NAMES if page.title.startswith(f"{name}, ")}
        for more in ("&range=400d", "&window=1h", "&window=24h&range=nonsense"):
            assert fetch(sidecar, path + more).status == 200
    assert found == set(NAMES)


@pytest.mark.parametrize(
    "path",
    ["/models/%3Cscript%3Ealert(1)%3C%2Fscript%3E/b/c", "/models/%FF/%ED%A0%BD/c", "/models/a/b/c",
     "/models/a/b/c/%3Cscript%3E?name=%3Cimg%20src=x%3E", "/models/a/b/c/feature?name=%FF"],
)  # fmt: skip
def test_what_is_not_there_is_a_page_that_says_so(sidecar, path):
    answer = fetch(sidecar, path)
    assert answer.status == 404
    check(answer.html)
    assert "not found" in answer.html.text.lower()


def test_what_a_query_says_is_not_repeated_as_it_is(sidecar):
    link = model_links(fetch(sidecar).html)[0]
    for path in ("/", link, f"{link}/prediction?name=y_pred&"):
        query = "range=%22%3E%3Cscript%3E&window=%3Cscript%3Eq%3C/script%3E&sort=%22%00%FF"
        answer = fetch(sidecar, f"{path}{'' if '?' in path else '?'}{query}")
        assert answer.status == 200
        check(answer.html)
        assert "q</script>" not in answer.text


def test_the_api_finds_a_model_of_any_name(sidecar):
    from urllib.parse import quote

    for name in NAMES:
        path = "/".join(["/api/v1/models", *[quote(name, safe="")] * 3])
        answer = fetch(sidecar, path)
        assert answer.status == 200, path
        assert answer.json["model"] == name


def test_a_model_that_is_erased_while_one_looks_is_said_to_be_gone(sidecar):
    send(sidecar, batch("short-lived", {"a": [1.0] * 20}, 20))
    path = "/models/short-lived/short-lived/short-lived"
    assert fetch(sidecar, path).status == 200
    assert fetch(sidecar, f"/api/v1{path}", "DELETE").status == 200
    for gone in (path, f"{path}/feature?name=a"):
        answer = fetch(sidecar, gone)
        assert answer.status == 404
        assert "short-lived" in answer.html.text
    assert path not in fetch(sidecar).html.addresses
