"""Who sees the pages of sidecar and exporter, and how one logs in."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from support.pages import MESH, fetch

KEY = "demo-key-1"
LIMITED = {"key": "team-key", "projects": ["shop"]}
PATHS = ["/", "/models/a/b/c", "/models/a/b/c/feature?name=x"]


@pytest.fixture(params=["sidecar", "exporter"])
def make(request, make_sidecar, make_exporter):
    kinds = {"sidecar": make_sidecar, "exporter": make_exporter}
    return lambda **http: kinds[request.param](rules={"enabled": False}, http=http).start()


def paths(daemon) -> list[str]:
    return PATHS if daemon.module == "mlguard_sidecar" else ["/"]


def files(daemon, **headers) -> list[str]:
    page = fetch(daemon, "/", **headers).html
    return [path for path in page.addresses if path.startswith("/static/")]


def log_in(daemon, key=KEY, after="/", **headers):
    body = urlencode({"key": key, "next": after})
    return fetch(daemon, "/login", "POST", body, source=MESH, **headers)


def reconfigure(daemon, **http) -> None:
    daemon.config["http"] = http
    daemon.write_config()
    assert fetch(daemon, "/-/reload", "POST").status == 200


def test_every_answer_with_html_tells_browsers_what_is_allowed(make):
    daemon = make(api_keys=[KEY])
    seen = [fetch(daemon, path) for path in [*paths(daemon), "/login", *files(daemon)]]
    seen += [fetch(daemon, path, source=MESH) for path in paths(daemon)]
    seen.append(log_in(daemon, "wrong"))
    assert {answer.status for answer in seen} >= {200, 401}
    for answer in seen:
        policy = dict(
            part.strip().partition(" ")[::2]
            for part in answer.headers["Content-Security-Policy"].split(";")
        )
        assert policy.pop("default-src") == "'none'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert set(policy.values()) == {"'self'", "'none'"}, "no inline, no other origin"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if answer.headers.get_content_type() == "text/html":
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers.get_content_charset() == "utf-8"
            page = answer.html
            assert not [tag for tag, _ in page.tags if tag in ("style", "iframe", "object")]
            for _, found in page.tags:
                assert not [name for name in found if name.startswith("on") or name == "style"]
            for path in page.addresses:
                assert path.startswith(("/", "#")), path
                assert not path.startswith("//"), path


def test_the_files_of_a_page_are_kept_by_browsers_and_change_with_their_address(make):
    daemon = make()
    found = files(daemon)
    assert sorted(path.rpartition(".")[2] for path in found) == ["css", "js", "svg"]
    for path in found:
        answer = fetch(daemon, path)
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers.get_content_type() in (
            "text/css", "text/javascript", "application/javascript", "image/svg+xml"
        )  # fmt: skip
        other = re.sub(r"/static/\w+/", "/static/000000000000/", path)
        assert fetch(daemon, other).status == 404
    for path in ("/static/x/..", "/static/x/..%2F..%2Fsite.py", "/static/../site.py"):
        assert fetch(daemon, path).status == 404


def test_rebinding_and_a_mesh_see_no_page_without_a_key(make):
    daemon = make()
    for where in ({"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"source": MESH}):
        for path in paths(daemon):
            answer = fetch(daemon, path, **where)
            assert answer.status == 403
            assert "http.api_keys" in answer.html.text
            assert "http.allowed_hosts" in answer.html.text


def test_a_page_asks_for_the_key_and_leads_to_where_one_was(make):
    daemon = make(api_keys=[KEY, LIMITED])
    for path in paths(daemon):
        asked = fetch(daemon, path, source=MESH)
        assert asked.status == 401
        (after,) = [found["value"] for _, found in asked.html.tags if found.get("name") == "next"]
        assert after == path
        done = log_in(daemon, after=after)
        assert (done.status, done.headers["Location"]) == (303, path)
        attributes = done.headers["Set-Cookie"].lower().replace(" ", "").split(";")[1:]
        assert {"httponly", "samesite=strict", "path=/"} <= set(attributes)
        assert KEY not in done.headers["Set-Cookie"]
        seen = fetch(daemon, path, source=MESH, Cookie=done.cookie)
        assert seen.status in (200, 404)
        assert "Log out" in seen.html.text
    assert KEY not in daemon.log()


def test_a_wrong_key_and_one_that_only_sends_events_see_nothing(make):
    daemon = make(api_keys=[KEY, LIMITED])
    for key, status in (("wrong", 401), ("", 401), (KEY + "x", 401), (LIMITED["key"], 403)):
        answer = log_in(daemon, key)
        assert answer.status == status
        assert "Set-Cookie" not in answer.headers
        assert answer.html.attributes("p", "role") == ["alert"]
        assert key == "" or f'"{key}"' not in answer.text
        for path in paths(daemon):
            assert fetch(daemon, path, source=MESH, X_API_Key=key).status == status


@pytest.mark.parametrize("body", ["", "key", "x=1", f"key={KEY}" + "&a=" + 5000 * "a"])
def test_what_is_no_form_with_a_key_logs_nobody_in(make_sidecar, body):
    daemon = make_sidecar(rules={"enabled": False}, http={"api_keys": [KEY]}).start()
    for kind in ("application/x-www-form-urlencoded", "application/json", "text/plain"):
        answer = fetch(daemon, "/login", "POST", body, Content_Type=kind)
        assert answer.status in (400, 401)
        assert "Set-Cookie" not in answer.headers
    assert fetch(daemon, "/login", "POST", f"key={KEY}", Content_Type="text/plain").status == 400


def test_the_cookie_opens_page_and_api_until_the_key_changes(make):
    daemon = make(api_keys=["other", KEY])
    cookie = log_in(daemon).cookie
    asked = [*paths(daemon), "/api/v1/alerts"]

    def statuses(cookie):
        return {
            fetch(daemon, path, source=MESH, Cookie=cookie).status not in (401, 403)
            for path in asked
        }

    assert statuses(cookie) == {True}
    assert fetch(daemon, "/-/reload", "POST", source=MESH, Cookie=cookie).status == 200
    for origin in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "same-site"}):
        forged = fetch(daemon, "/-/reload", "POST", source=MESH, Cookie=cookie, **origin)
        assert forged.status == 403
    daemon.stop()
    daemon.start()
    assert statuses(cookie) == {True}, "it outlives a restart"
    name, _, value = cookie.partition("=")
    for wrong in (f"{name}={value[:-1]}", f"{name}=", f"x{name}={value}", f"{name}=\xff\xfe",
                  f"{name}={KEY}", f'{name}="{value}x"', "\xff; ;=;;", "a" * 4000):  # fmt: skip
        assert statuses(wrong) == {False}, wrong
    reconfigure(daemon, api_keys=["other", "new"])
    assert statuses(cookie) == {False}
    reconfigure(daemon, api_keys=[{"key": KEY, "projects": ["shop"]}])
    assert statuses(cookie) == {False}, "a key that became limited"


def test_logging_out_takes_the_cookie_back(make):
    daemon = make(api_keys=[KEY])
    cookie = log_in(daemon).cookie
    done = fetch(daemon, "/logout", "POST", source=MESH, Cookie=cookie)
    assert (done.status, done.headers["Location"]) == (303, "/login")
    name = cookie.partition("=")[0]
    assert re.match(rf'{name}="?"?;', done.headers["Set-Cookie"])
    assert "max-age=0" in done.headers["Set-Cookie"].lower()
    assert fetch(daemon, "/logout").status == 405, "a link or an image logs nobody out"


def test_a_form_of_another_page_logs_nobody_in_or_out(make):
    daemon = make(api_keys=[KEY])
    host = daemon.config["listen"]
    for foreign in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://evil.example@{host}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        assert log_in(daemon, **foreign).status == 403, foreign
        assert fetch(daemon, "/logout", "POST", **foreign).status == 403, foreign
    for own in ({"Origin": f"http://{host}"}, {"Sec_Fetch_Site": "same-origin"}):
        assert log_in(daemon, **own).status == 303


@pytest.mark.parametrize(
    "after",
    ["//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example", "",
     "/\t/evil.example", "/\n/evil.example", "\t//evil.example", "/\r\nSet-Cookie: a=b", "\\\\evil",
     "javascript:alert(1)", "/ /evil.example", "///evil.example", "/./\\evil.example", "/\x00",
     "/..//evil.example", "\u2028//evil.example", "/\ud83d\ude00".encode("utf-16", "surrogatepass")
     .decode("utf-16"), "@evil.example", "/%5cevil.example", "/login?next=//evil.example"],
)  # fmt: skip
def test_a_login_leads_nowhere_else(shared, after):
    base = f"http://{shared.config['listen']}/login"
    # what the query says is put into the form, and what the form says is followed
    asked = fetch(shared, "/login?" + urlencode({"next": after})).html
    (offered,) = [found["value"] for _, found in asked.tags if found.get("name") == "next"]
    for text in (after, offered):
        answer = log_in(shared, after=text)
        assert answer.status == 303
        location = answer.headers["Location"]
        assert location.isascii()
        assert location.isprintable()
        assert "\\" not in location
        assert location.startswith("/")
        assert not location.startswith("//")
        assert urlsplit(urljoin(base, location)).netloc == shared.config["listen"]
        assert len(answer.headers.get_all("Set-Cookie")) == 1


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    from support.sidecar import Sidecar

    folder = tmp_path_factory.mktemp("login")
    with Sidecar(folder, {"rules": {"enabled": False}, "http": {"api_keys": [KEY]}}) as running:
        yield running


def test_without_pages_there_is_no_login_and_no_file(make):
    daemon = make(api_keys=[KEY])
    known, cookie = files(daemon), log_in(daemon).cookie
    assert known
    reconfigure(daemon, api_keys=[KEY], page=False)
    listed = fetch(daemon, "/")
    assert listed.status == 200
    assert listed.headers.get_content_type() == "text/plain"
    assert "/metrics" in listed.text
    for path in [*paths(daemon)[1:], "/login", *known]:
        assert fetch(daemon, path).status == 404, path
        assert fetch(daemon, path, source=MESH).status == 401, path
    for path in ("/login", "/logout"):
        answer = fetch(daemon, path, "POST", f"key={KEY}", Cookie=cookie)
        assert (answer.status, answer.headers["Set-Cookie"]) == (404, None)
    assert fetch(daemon, "/", source=MESH).status == 401
    assert fetch(daemon, "/api/v1/alerts", source=MESH, X_API_Key=KEY).status == 200


def test_public_pages_open_neither_the_api_nor_anything_that_changes(make):
    daemon = make(api_keys=[KEY], page_public=True)
    for where in ({"Host": "models.example"}, {"source": MESH}):
        for path in paths(daemon):
            assert fetch(daemon, path, **where).status in (200, 404)
        for method, path in (
            ("GET", "/api/v1/alerts"),
            ("GET", "/api/v1/openapi.json"),
            ("POST", "/api/v1/silences"),
            ("POST", "/api/v1/events"),
            ("POST", "/-/reload"),
        ):
            assert fetch(daemon, path, method, "{}", **where).status == 401, path
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            for path in paths(daemon):
                assert fetch(daemon, path, method, "x", **where).status in (401, 403, 405)
    reconfigure(daemon, page_public=False)
    assert fetch(daemon, "/", source=MESH).status == 403
