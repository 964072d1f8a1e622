import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from support.sidecar import eventually, samples

from mlguard_demo.spend import Spend

MLGUARD = Path(sys.executable).with_name("mlguard")


@pytest.fixture
def scratch():
    # tmp_path may be longer than a socket's address can be.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def command(*arguments):
    return [str(MLGUARD), "demo", *arguments]


def environment(scratch):
    return {**os.environ, "TMPDIR": str(scratch)}


def number(pattern, text):
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in:\n{text}"
    return float(found[1].replace(",", ""))


def pages(output):
    """The addresses of the two daemons, as the demonstration prints them."""
    return [
        re.search(rf"^  {name} +(http://127\.0\.0\.1:\d+)/$", output, re.MULTILINE)[1]
        for name in ("sidecar", "exporter")
    ]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read().decode()


def firing(url):
    """Name and labels of each firing alert."""
    alerts = json.loads(get(f"{url}/api/v1/alerts"))["data"]["alerts"]
    return [each["labels"] for each in alerts if each["state"] == "firing"]


def listed(url):
    """What `mlguard alerts list` prints of firing alerts."""
    done = subprocess.run(
        [str(MLGUARD), "alerts", "list", "--url", url], capture_output=True, text=True, check=True
    )
    return "\n".join(line for line in done.stdout.splitlines() if line.startswith("firing"))


def read_until(demo, start):
    """The demonstration's output up to a line that starts so."""
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if line.startswith(start):
            return "".join(lines)
    pytest.fail("".join(lines) + demo.stderr.read())


@pytest.mark.timeout(300)
def test_the_year_goes_through_and_every_flight_is_counted(scratch):
    done = subprocess.run(
        command("--seconds", "12", "--listen", "127.0.0.1:0"),
        env=environment(scratch),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert number(r"([\d,]+) flights predicted", done.stdout) == 336_776
    assert number(r"sidecar counted ([\d,]+)", done.stdout) == 336_776
    sidecar, exporter = pages(done.stdout)
    end = done.stdout.partition("The year is over")[2]
    assert f"{sidecar}/ (models)" in end
    assert f"{exporter}/ (spend)" in end
    assert re.search(
        r"^Firing .*(?:\n {14}.*)*of nyc-flights/late/predict has drifted",
        done.stdout,
        re.MULTILINE,
    )
    assert re.search(r"\n  \[[A-Z]+\] MLGuardFeatureDrift: nyc-flights/late/predict", done.stdout)
    assert "\n  [WARNING] MLGuardCostSpike: shop/recommender/rank\n" in done.stdout
    peak = number(r"temp +PSI +([\d.]+)", done.stdout)
    chance = number(r"temp +PSI .*, chance ([\d.]+)", done.stdout)
    distance = number(r"distance, PSI ([\d.]+) at most", done.stdout)
    assert peak > chance
    assert peak > 20 * distance
    assert list(scratch.iterdir()) == []


@pytest.mark.timeout(300)
def test_open_shows_pages_whose_spend_and_alerts_are_there(scratch):
    browser, opened = scratch / "browser", scratch / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    begun = datetime.now(UTC).date()
    with subprocess.Popen(
        command("--open", "--seconds", "12", "--listen", "127.0.0.1:0"),
        env=environment(scratch) | {"BROWSER": f"{browser} %s"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            output = read_until(demo, "  spend ")
            sidecar, exporter = pages(output)
            costs = samples(get(f"{exporter}/metrics"))
            spike = eventually(lambda: firing(exporter))

            output = read_until(demo, "The year starts again")
            assert f"mlguard alerts list --url {sidecar}" in output
            drift = eventually(lambda: re.search("MLGuardFeatureDrift .*drifted", listed(sidecar)))
            assert drift
            assert {each["alertname"] for each in firing(sidecar)} >= {"MLGuardFeatureDrift"}
            assert "Spend of shop/recommender/rank has jumped" in listed(exporter)
            demo.send_signal(signal.SIGINT)
            _, errors = demo.communicate(timeout=30)
        finally:
            demo.kill()

    assert demo.returncode == 130
    assert errors == ""
    assert sorted(opened.read_text().split()) == sorted([sidecar, exporter])
    assert {"MLGuardCostSpike"} <= {each["alertname"] for each in spike}
    settled = begun - timedelta(days=2)
    expected = defaultdict(Decimal)
    for charge in Spend(begun).charges(settled, settled + timedelta(days=1), begun):
        expected[charge.owner] += charge.amount
    shown = {
        tuple(dict(labels)[name] for name in ("project", "model", "model_endpoint")): Decimal(
            str(value)
        )
        for (name, labels), value in costs.items()
        if name == "mlguard_cost_settled_day_usd"
    }
    assert shown == expected
    assert ("nyc-flights", "late", "predict") in shown


def test_a_port_in_use_is_reported_in_one_line(scratch):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = subprocess.run(
            command("--listen", f"127.0.0.1:{port}"),
            env=environment(scratch),
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"port {port}" in done.stderr
    assert "--listen" in done.stderr
    assert list(scratch.iterdir()) == []


def test_a_folder_with_a_demo_in_it_is_left_alone(scratch):
    (scratch / "data").mkdir()
    done = subprocess.run(
        command("--listen", "127.0.0.1:0", "--folder", str(scratch)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(scratch) in done.stderr
    assert [each.name for each in scratch.iterdir()] == ["data"]


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param("sidecar  ", id="startup"),
        pytest.param("flights  ", id="replay", marks=pytest.mark.long),
    ],
)
def test_ctrl_c_leaves_nothing_behind(scratch, stage):
    with subprocess.Popen(
        command("--listen", "127.0.0.1:0"),
        env=environment(scratch),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            assert any(stage in line for line in demo.stdout), demo.stderr.read()
            children = psutil.Process(demo.pid).children(recursive=True)
            demo.send_signal(signal.SIGINT)
            output, errors = demo.communicate(timeout=30)
        finally:
            demo.kill()

    assert demo.returncode == 130
    assert errors == ""
    assert output.splitlines()[-1] == "Stopped, all servers are down."
    assert len(children) >= 3
    assert not any(child.is_running() for child in children)
    assert list(scratch.iterdir()) == []
