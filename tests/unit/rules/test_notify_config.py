"""Mistakes in the configuration of notifications: each is reported, and shows no secret."""

from __future__ import annotations

import json

import pytest

from mlguard_common.config import ConfigError, load_config, read_secret
from mlguard_exporter.config import Config as ExporterConfig
from mlguard_rules.service import Settings
from mlguard_sidecar.config import Config

SECRET = "TIiajkdnlazkcOXrIdevi7"
URL = f"slack://{SECRET}"
RECEIVERS = [{"name": "a", "url": URL}]


def use(config) -> None:
    """What a daemon does with its configuration, when it starts."""
    if isinstance(config, ExporterConfig):
        config.relay.secrets()
    Settings.configured(config.rules, config.notify, ())


def complaint(folder, config, kind=Config, environ=None) -> str:
    """What is said about a configuration that cannot be used, without the file's name."""
    path = folder / "c.yaml"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(ConfigError) as caught:
        use(load_config(path, kind, environ or {}))
    message = str(caught.value)
    assert "\n" not in message
    assert SECRET not in message
    return message.removeprefix(f"{path}").removeprefix(":").strip()


@pytest.mark.parametrize(
    ("notify", "reported"),
    [
        (URL, "notify: expected object"),
        ({"routes": URL}, "notify.routes: expected array"),
        ({"external_url": [URL]}, "notify.external_url: expected str"),
        ({"runbook_base": {URL: 1}}, "notify.runbook_base: expected str"),
        ({"receivers": [URL]}, "notify.receivers[0]: expected object"),
        ({"receivers": [{"name": URL, "url": URL}]}, "notify.receivers[0].name: expected str"),
        (
            {"receivers": RECEIVERS, "routes": [{"receivers": [URL]}]},
            "notify: routes[0].receivers: expected names among a",
        ),
        ({URL: 7}, "notify: unknown key; expected one of receivers, routes"),
        ({"recievers": 7}, "notify: unknown key; did you mean receivers?"),
        ({"receivers": [{URL: "${UNSET}"}]}, "notify.receivers[0].slack: found ${UNSET}"),
        ({"receivers": [{"name": "a", "url_file": URL}]}, "notify.receivers: a: url_file: cannot"),
        ({"labels": {URL: "x"}}, "notify: labels: expected names such as team"),
        (
            {"silences": [{"matchers": [URL]}]},
            'notify.silences[0]: matchers[0]: expected such as severity="critical"',
        ),
        (
            {"routes": [{"receivers": [], "matchers": ["a=b", f"a=~{SECRET}("]}]},
            'notify.routes[0]: matchers[1]: expected such as severity="critical"; the regular expr',
        ),
        ({"silences": [{"matchers": ["{}"]}]}, "notify.silences[0]: matchers: expected at least"),
        ({"silences": [{"matchers": ["a=b"], "ends": URL}]}, "notify.silences[0].ends: "),
    ],
)
def test_nothing_that_may_be_a_secret_is_sent(tmp_path, notify, reported):
    assert complaint(tmp_path, {"notify": notify}).startswith(reported)


def test_a_file_that_is_a_secret_itself_is_not_sent(tmp_path):
    assert complaint(tmp_path, URL) == "found a text, expected keys and values"
    assert "not YAML" in complaint(tmp_path, f"relay: {{token: !{SECRET} }}")


@pytest.mark.parametrize(
    "relay",
    [URL, {"token": [SECRET]}, {SECRET: 1}, {"token": SECRET, "token_file": SECRET}],
)
def test_nothing_of_the_exporter_s_relay_is_sent(tmp_path, relay):
    assert complaint(tmp_path, {"relay": relay}, ExporterConfig).startswith("relay")


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///x",
        "http://:9521",
        "ftp://h:9521",
        "h:9521",
        "http://h:99999",
        "http://h:0",
        "http://h:port",
        "http://[::1",
        "http://h:9521?x=y",
        "http://h :9521",
        f"http://user:{SECRET}@h:9521",
        f"http://{SECRET}@h:9521",
    ],
)
def test_a_relay_s_address_is_a_host_and_a_port(tmp_path, url):
    reported = complaint(tmp_path, {"notify": {"relay": {"url": url}}})
    assert reported.startswith("notify.relay: url: expected http://HOST:PORT or https://HOST:PORT")


@pytest.mark.parametrize("url", ["http://h", "https://h:9521/", "http://[::1]:9521/alerts"])
def test_a_relay_s_address_may_have_a_path(tmp_path, url):
    (tmp_path / "c.yaml").write_text(json.dumps({"notify": {"relay": {"url": url}}}))
    assert load_config(tmp_path / "c.yaml", Config).notify.relay.url == url


RELAY = {"url": "http://h:9521"}


@pytest.mark.parametrize(
    ("notify", "reported"),
    [
        (
            {"relay": RELAY | {"token_file": "/nonexistent"}},
            "notify.relay.token_file: cannot be read: No such file",
        ),
        (
            {"relay": RELAY | {"token": ""}},
            "notify.relay: token: expected a text that is not empty",
        ),
        ({"relay": RELAY | {"token": "a", "token_file": "b"}}, "notify.relay: expected either"),
        (
            {"receivers": [{"name": "a", "url": "${SLACK_URL}"}]},
            "notify.receivers[0]: url: expected",
        ),
        *(
            (
                {"routes": [{"receivers": [], key: value}]},
                f"notify.routes[0]: {key}: expected more than {value}",
            )
            for key, value in (("group_interval", 0), ("repeat_interval", "0s"))
        ),
        (
            {"routes": [{"receivers": [], "group_wait": "soon"}]},
            "notify.routes[0].group_wait: expected a duration such as 5m",
        ),
        ({"receivers": [{"name": "a"}]}, "notify.receivers[0]: expected either url or url_file"),
        (
            {"routes": [{"receivers": [], "group_by": ["alertname", "severity="]}]},
            "notify.routes[0]: group_by: expected names of labels, or ...",
        ),
        (
            {
                "silences": [
                    {
                        "matchers": ["a=b"],
                        "starts": "2030-01-02T00:00:00Z",
                        "ends": "2030-01-01T00:00:00Z",
                    }
                ]
            },
            "notify.silences[0]: ends: expected a time after starts",
        ),
        ({"relay": RELAY, "receivers": RECEIVERS}, "notify: receivers: the relay has its own"),
        ({"relay": RELAY, "routes": [{"receivers": []}]}, "notify: routes: the relay has its own"),
        (
            {"relay": RELAY, "silences": [{"matchers": ["a=b"]}]},
            "notify: silences: the relay has its own",
        ),
    ],
)
def test_a_mistake_is_reported_at_the_start(tmp_path, notify, reported):
    message = complaint(tmp_path, {"notify": notify}, environ={"SLACK_URL": ""})
    assert message.startswith(reported)


@pytest.mark.parametrize("key", ["token", "password"])
@pytest.mark.parametrize("value", ["", "  ", "${EMPTY}"])
def test_an_empty_secret_lets_nobody_in(tmp_path, key, value):
    reported = complaint(tmp_path, {"relay": {key: value}}, ExporterConfig, {"EMPTY": ""})
    assert reported == f"relay: {key}: expected a text that is not empty"


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe" + SECRET.encode(), "holds no text"),
        (f"a\n{SECRET}".encode(), "expected a single line"),
        (b"a\x00b", "expected a single line"),
    ],
)
def test_a_file_that_holds_no_secret_is_reported_by_its_key(tmp_path, content, reported):
    path = tmp_path / SECRET
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_secret(str(path), "relay.token_file")
    assert str(caught.value) == f"relay.token_file: {reported}"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_secret(str(tmp_path), "k")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_secret("a\0b", "k")


def test_a_secret_in_a_file_may_end_in_a_newline(tmp_path):
    (tmp_path / "token").write_text(f"{SECRET}\n")
    assert read_secret(str(tmp_path / "token"), "k") == SECRET
    exporter = tmp_path / "c.yaml"
    exporter.write_text(json.dumps({"relay": {"token_file": str(tmp_path / "token")}}))
    assert load_config(exporter, ExporterConfig).relay.secrets() == (SECRET, None)
