"""From a figure to a person: real sidecars, real receivers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from support.receivers import SLACK_SITE, Hook, Mailbox
from support.sidecar import eventually

from mlguard_common.database import open_database
from mlguard_common.samples import Families, Metric
from mlguard_rules.notify import NotifyConfig, RulesConfig
from mlguard_rules.notify.config import ReceiverConfig, RouteConfig
from mlguard_rules.service import Alerting, Settings, migrations

if TYPE_CHECKING:
    from pathlib import Path

RULES = """\
groups:
  - name: g
    rules:
      - alert: Busy
        expr: mlguard_inferences_total > 3
        labels: {severity: critical}
        annotations:
          summary: "{{ $labels.model }} is busy"
          description: "It has {{ $value | humanize }} inferences, over the limit of 3."
          runbook_url: rules/README.md#busy
"""
SECRET = "TIiajkdnlazkcOXrIdevi7"
EVENT = {"project_id": "p", "model_id": "m"}
QUICK = {"group_wait": "1s", "group_interval": "1s"}


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def mailbox():
    made = Mailbox()
    yield made
    made.close()


@pytest.fixture
def alerting_sidecar(make_sidecar, tmp_path):
    """Makes sidecars that judge RULES every second."""

    def make(urls: dict[str, str], **notify):
        (tmp_path / "rules.yml").write_text(RULES)
        return make_sidecar(
            rules={"bundled": False, "files": [str(tmp_path / "rules.yml")], "interval": "1s"},
            notify={
                "receivers": [{"name": name, "url": url} for name, url in urls.items()],
                "routes": [{"receivers": list(urls)} | QUICK],
            }
            | notify,
            log={"level": "debug", "format": "json"},
        )

    return make


def send(sidecar, count: int) -> None:
    with sidecar.connection() as client:
        client.send(*[EVENT] * count)
        eventually(lambda: sidecar.value("mlguard_inferences_total") >= count)


def calm(sidecar, tmp_path) -> None:
    """Make the condition untrue: the rule has another limit."""
    (tmp_path / "rules.yml").write_text(RULES.replace("> 3", "> 3000"))
    reload(sidecar)


def reload(sidecar) -> None:
    request = urllib.request.Request(f"{sidecar.url}/-/reload", method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def test_an_episode_is_two_messages_in_slack_in_mail_and_over_http(
    alerting_sidecar, hook, mailbox, tmp_path, monkeypatch
):
    slack = Hook()
    monkeypatch.setenv("PYTHONPATH", str(SLACK_SITE))
    monkeypatch.setenv("MLGUARD_TEST_SLACK", f"http://127.0.0.1:{slack.port}/services")
    monkeypatch.setenv("SLACK_URL", f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}/#ml")
    sidecar = alerting_sidecar(
        {"slack": "${SLACK_URL}", "mail": mailbox.url, "http": hook.url + f"?token={SECRET}"},
        external_url="http://figures.example.org",
        runbook_base="https://git.example.org/mlguard",
    ).start()
    send(sidecar, 5)
    eventually(lambda: len(slack.got) == len(mailbox.got) == len(hook.got) == 1)
    seen = [sidecar.get(path) for path in ("/metrics", "/api/v1/alerts", "/api/v1/silences", "/")]
    calm(sidecar, tmp_path)
    eventually(lambda: len(slack.got) == len(mailbox.got) == len(hook.got) == 2)
    eventually(lambda: sidecar.value("mlguard_notifications_total", outcome="sent") == 6)
    assert sidecar.value("mlguard_notifications_total", outcome="failed") == 0
    assert sidecar.stop() == 0

    path, body = slack.got[0]
    assert path == f"/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}"
    (attachment,) = body["attachments"]
    assert attachment["title"] == "[CRITICAL] Busy: p/m/predict"
    first, runbook, figures = attachment["text"].split("\n\n")
    assert first.startswith("*m is busy*. It has 5 inferences, over the limit of 3. Since 20")
    where = "https://git.example.org/mlguard/rules/README.md#busy"
    assert runbook == f"What to do: <{where}|{where}>"
    assert "http://figures.example.org" in figures
    assert slack.got[1][1]["attachments"][0]["title"] == "[RESOLVED] Busy: p/m/predict"

    mail, resolved = mailbox.got
    assert mail["subject"] == "[CRITICAL] Busy: p/m/predict"
    assert resolved["subject"] == "[RESOLVED] Busy: p/m/predict"
    plain = mail.get_body(["plain"]).get_content()
    assert plain.startswith("m is busy. It has 5 inferences, over the limit of 3. Since 20")
    assert f"What to do: {where}" in plain
    html = mail.get_body(["html"]).get_content()
    assert f'<a href="{where}">' in html
    assert hook.titles == ["[CRITICAL] Busy: p/m/predict", "[RESOLVED] Busy: p/m/predict"]

    stored = b"".join(f.read_bytes() for f in (sidecar.folder / "data").iterdir())
    for emitted in (*seen, sidecar.log(), stored.decode("latin-1")):
        assert SECRET not in emitted
        assert "T1JJ3T3L2" not in emitted
    slack.close()


def test_a_sidecar_killed_between_firing_and_sending_tells_once(alerting_sidecar, hook):
    hook.status = 503
    sidecar = alerting_sidecar({"hook": hook.url}).start()
    send(sidecar, 5)
    eventually(lambda: hook.refused)
    sidecar.kill()
    hook.status = 200
    sidecar.start()
    eventually(lambda: hook.got)
    eventually(lambda: sidecar.value("mlguard_notifications_pending") == 0)
    sidecar.kill()
    sidecar.start()
    evaluations = "mlguard_rule_evaluations_total"
    eventually(lambda: sidecar.value(evaluations) >= 4)
    assert hook.titles == ["[CRITICAL] Busy: p/m/predict"]


def test_a_receiver_that_hangs_or_is_gone_holds_up_no_other(alerting_sidecar, hook):
    slow = Hook()
    slow.hang()
    sidecar = alerting_sidecar(
        {"slow": slow.url, "gone": "json://127.0.0.1:1/x", "good": hook.url}
    ).start()
    send(sidecar, 5)
    eventually(lambda: hook.got)
    failed = {"outcome": "failed"}
    eventually(lambda: sidecar.value("mlguard_notifications_total", receiver="gone", **failed) >= 1)
    assert "tried again in 5 s: no connection could be made" in sidecar.log()
    assert sidecar.value("mlguard_notifications_pending", receiver="slow") == 1
    slow.go_on()
    eventually(lambda: sidecar.value("mlguard_notifications_pending", receiver="slow") == 0)
    slow.close()


def test_a_broken_rule_file_changes_nothing_and_is_told(alerting_sidecar, hook, tmp_path):
    sidecar = alerting_sidecar({"hook": hook.url}).start()
    (tmp_path / "rules.yml").write_text(RULES.replace("> 3", "> > 3"))
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        reload(sidecar)
    told = caught.value.read().decode()
    caught.value.close()
    assert told.startswith(f"{tmp_path}/rules.yml:5: Busy: ")
    assert sidecar.value("mlguard_sidecar_config_reloads_total", outcome="failure") == 1
    send(sidecar, 5)
    eventually(lambda: hook.titles == ["[CRITICAL] Busy: p/m/predict"])


def test_silences_come_by_command_and_end_by_it(alerting_sidecar, hook):
    sidecar = alerting_sidecar({"hook": hook.url}).start()

    def run(*arguments):
        command = [sys.executable, "-m", "mlguard_sidecar.cli", "alerts", *arguments]
        command += ["--url", sidecar.url]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run("list").stdout == "No alerts.\n"
    made = run("silence", "alertname=Busy", 'model=~"m|n"', "--for", "1h", "--comment", "known")
    assert made.returncode == 0, made.stderr
    name = made.stdout.split()[1]
    send(sidecar, 5)
    eventually(lambda: "firing (silenced)  critical" in run("list").stdout)
    assert "m is busy" in run("list").stdout
    status = [sys.executable, "-m", "mlguard_sidecar.cli", "status", "--url", sidecar.url]
    told = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    assert "alerts 1 firing, 0 pending" in told
    told = run("list", "--silences").stdout
    assert name in told
    assert "known" in told
    sidecar.kill()  # a silence outlives the process
    sidecar.start()
    evaluations = "mlguard_rule_evaluations_total"
    eventually(lambda: sidecar.value(evaluations) >= 3)
    assert hook.got == []
    assert run("silence", "--end", name).stdout == f"silence {name} is ended\n"
    eventually(lambda: hook.got)
    for arguments, complaint in (
        (["silence", "x"], "expected a matcher"),
        (["silence", "a=b"], "give the end with either --for or --until"),
        (["silence", "a=b", "--for", "2d", "--until", "2030-01-01"], "either --for or --until"),
        (["silence", "a=b", "--until", "2001-01-01"], "expected a time within the next year"),
        (["silence", "--end", "none"], "no silence of that id"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert complaint in done.stderr
        assert done.stderr.count("\n") == 1


def test_test_notify_tells_what_became_of_it(hook, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(
        json.dumps(
            {
                "notify": {
                    "receivers": [
                        {"name": "good", "url": hook.url},
                        {"name": "bad", "url": "json://127.0.0.1:1"},
                        {"name": "odd", "url": "nothing://x"},
                    ]
                }
            }
        )
    )
    command = [sys.executable, "-m", "mlguard_sidecar.cli", "alerts", "test-notify"]
    command += ["--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == "good: sent\n"
    assert done.stderr.splitlines() == [
        "bad: not sent: no connection could be made",
        "odd: not sent: its URL is none that Apprise knows",
    ]
    assert hook.titles == ["[INFO] ML Guard: a test message"]
    done = subprocess.run(
        [*command, "--receiver", "x"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no receiver x; it has: good, bad, odd" in done.stderr


COUNT = Metric("mlguard_inferences_total", "counter", "", ("model", "project"))


class Offline:
    """Alerting with a clock that is set by hand, and figures of one's own."""

    def __init__(self, folder: Path, url: str, **route) -> None:
        self.now = 1_800_000_000.0
        self.values = {"m": 5}
        (folder / "rules.yml").write_text(RULES)
        receivers = [ReceiverConfig(name="hook", url=url)]
        self.settings = Settings.configured(
            RulesConfig(bundled=False, files=[str(folder / "rules.yml")]),
            NotifyConfig(receivers=receivers, routes=[RouteConfig(receivers=["hook"], **route)]),
            (),
        )
        self.path = folder / "offline.db"
        self.open()

    def open(self) -> None:
        self.db = open_database(self.path, migrations)
        self.alerting = Alerting(
            self.settings, self.db, self.transact, self.figures, lambda: self.now
        )

    def restart(self) -> None:
        self.db.conn.close()
        self.open()

    async def transact(self, job) -> None:
        with self.db.atomic():
            job(self.db)

    def figures(self) -> Families:
        families = Families()
        for model, value in self.values.items():
            families.add(COUNT, (model, "p"), value)
        return families

    async def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            await self.alerting.evaluate()
            await self.deliver()
            self.now += 15

    async def deliver(self) -> None:
        for delivery in self.alerting.outbox.deliveries.values():
            await delivery.attempt()
        await self.alerting.save()


@pytest.mark.parametrize("status", [429, 500])
def test_a_receiver_that_is_down_for_an_hour_is_told_all_in_order(tmp_path, hook, status):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        hook.status = status
        await offline.run(60)
        assert hook.refused >= 1
        offline.values["m"] = 0
        await offline.run(1200)
        offline.restart()
        await offline.run(2400)
        assert hook.refused < 30, "it backs off"
        assert hook.got == []
        hook.status = 200
        await offline.run(360)
        assert hook.titles == ["[CRITICAL] Busy: p/m", "[RESOLVED] Busy: p/m"]
        await offline.run(3600)
        assert len(hook.got) == 2
        offline.db.conn.close()

    asyncio.run(story())


def test_a_message_that_is_refused_blocks_no_other(tmp_path, hook):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        hook.status = 400
        await offline.run(300)
        hook.status = 200
        assert hook.refused == 5
        offline.values["other"] = 5
        await offline.run(600)
        assert hook.titles == ["[CRITICAL] Busy: p/other"]
        families = Families()
        offline.alerting.collect(families)
        (outcomes,) = [s for m, s in families.samples.items() if m.name.endswith("ications_total")]
        assert {s.labels[1]: s.value for s in outcomes} == {"sent": 1, "failed": 4, "dropped": 1}
        offline.db.conn.close()

    asyncio.run(story())


def test_ten_thousand_alerts_are_few_bounded_messages(tmp_path, hook):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url, group_by=["..."])
        offline.values = {f"m{i}": 5 for i in range(10_000)}
        await offline.run(45)
        assert 1 <= len(hook.got) <= 20
        bodies = [body["message"] for _, body in hook.got]
        assert max(map(len, bodies)) < 8000
        assert "9,971 more: Busy 9,971" in "".join(bodies)
        offline.restart()
        await offline.run(120)
        told = len(hook.got)
        assert told <= 20
        offline.values = {}
        await offline.run(360)
        assert told < len(hook.got) <= 40
        assert all(title.startswith("[RESOLVED]") for title in hook.titles[told:])
        offline.db.conn.close()

    asyncio.run(story())


def test_people_are_told_also_when_the_database_refuses(tmp_path, hook, monkeypatch):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        await offline.run(15)

        async def full(_) -> None:
            raise OSError(28, "No space left on device")

        taken = offline.transact
        monkeypatch.setattr(offline.alerting.ledger, "_transact", full)
        await offline.run(60)
        assert hook.titles == ["[CRITICAL] Busy: p/m"]
        monkeypatch.setattr(offline.alerting.ledger, "_transact", taken)
        await offline.run(30)
        assert offline.alerting.ledger.unsaved == 0
        offline.restart()
        await offline.run(600)
        assert len(hook.got) == 1
        offline.db.conn.close()

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(story())
