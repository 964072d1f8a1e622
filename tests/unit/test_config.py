"""Every mistake in a configuration is told in one line."""

from __future__ import annotations

import pytest

from mlguard_common.config import ConfigError, Duration, Interval, load_config
from mlguard_sidecar.config import Config


def write(tmp_path, text: str):
    path = tmp_path / "sidecar.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [\n", ":2: not YAML: did not find expected node content"),
        ("[1]", ": found [1], expected keys and values"),
        ("limits: {modles: 3}", ": limits.modles: unknown key; did you mean models?"),
        ("zzz: 1", ": zzz: unknown key; expected one of listen, socket, data_dir"),
        ("limits: {models: ten}", ': limits.models: found "ten", expected int'),
        ("limits: {models: 0}", ": limits.models: found 0, expected int >= 1"),
        ("limits: 7", ": limits: found 7, expected object"),
        ("pane: 7", ": pane: found 7, expected a duration such as 5m"),
        ("pane: 0s", ': pane: found "0s", expected a duration of whole seconds above zero'),
        ("pane: 250ms", ': pane: found "250ms", expected a duration of whole seconds above zero'),
        ("pane: 5m1h", ': pane: found "5m1h", expected a duration such as 5m or 1h30m'),
        ("pane: ٣m", ': pane: found "٣m", expected a duration such as 5m or 1h30m'),
        ("pane: 300y", ': pane: found "300y", expected a duration below 292 years'),
        ("pane: 7s", ": pane: found 7s, expected what divides an hour"),
        ("windows: {traffic: [90s]}", ": windows: found 90s, expected multiples of 60s, the pane"),
        ("windows: {traffic: [500d]}", ": windows: found 500d, expected at most 400d"),
        ("socket: {mode: '0999'}", ': socket.mode: found "0999", expected a quoted file mode'),
        ("listen: localhost", ": listen: found 'localhost', expected HOST:PORT"),
        ("log: {level: loud}", ': log.level: found "loud", expected one of debug, info,'),
        ("drift: {alpha: 1.5}", ": drift.alpha: found 1.5, expected float < 1"),
        ("drift: {method: x}", ': drift.method: found "x", expected one of quantile, uniform'),
        ("models: [{project: p}]", ": models[0].model: found nothing, expected a value"),
        (
            "models: [{project: p, model: m, features: {a: {}, b: {kind: x}}}]",
            ': models[0].features.b.kind: found "x", expected one of numeric, categorical',
        ),
        (
            "models: [{project: p, model: m, features: {a: {edges: [2, 1]}}}]",
            ": models[0].features.a: expected finite edges in ascending order",
        ),
        ("socket: {path: '${NOT_SET}'}", ": socket.path: found ${NOT_SET}, expected that variable"),
    ],
)
def test_a_mistake_is_told_with_file_key_found_and_expected(tmp_path, text, told):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, Config, {})
    message = str(caught.value)
    assert message.startswith(f"{path}{told}")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("1w", 604_800), ("1y2d", 31_708_800), ("0m90s", 90)],
)
def test_durations_are_those_of_prometheus(text, seconds):
    assert Duration(text).seconds == Interval(text).seconds == seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("0s", 0), ("250ms", 0.25), ("1s5ms", 1.005)]
)
def test_intervals_may_be_zero_or_parts_of_a_second(text, seconds):
    assert Interval(text).seconds == seconds


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"none.yaml: cannot be read: No such file"):
        load_config(tmp_path / "none.yaml", Config)


def test_variables_stand_for_their_values_and_are_never_shown(tmp_path):
    text = "socket: {path: '${DIR}/s.sock'}\nlimits: {models: '${N}'}"
    config = load_config(write(tmp_path, text), Config, {"DIR": "/run/x", "N": "7"})
    assert config.socket.path == "/run/x/s.sock"
    assert config.limits.models == 7
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text), Config, {"DIR": "/run/x", "N": "secret"})
    assert "secret" not in str(caught.value)


def test_an_empty_file_is_the_defaults(tmp_path):
    config = load_config(write(tmp_path, ""), Config)
    assert config.listen == "127.0.0.1:9520"
    assert [d.seconds for d in config.windows.traffic] == [300, 3600, 86_400]
    assert config.retention.max_bytes.bytes == 256 << 20
    assert config.socket.mode.bits == 0o660


@pytest.mark.parametrize("text", ["data_dir: 2026-13-45", "data_dir: 0b_", "port: 0x_"])
def test_what_looks_like_a_date_or_a_number_and_is_none_is_told(tmp_path, text):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match="put it in quotes") as told:
        load_config(path, Config, {})
    assert str(told.value).startswith(f"{path}: ")
