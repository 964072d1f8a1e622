"""From a figure to a person: real sidecars, real receivers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import psutil
import pytest
from support.alerting import BUSY
from support.receivers import SLACK_SITE, Hook, Mailbox
from support.sidecar import eventually

SECRET = "TIiajkdnlazkcOXrIdevi7"
EVENT = {"project_id": "p", "model_id": "m"}
QUICK = {"group_wait": "1s", "group_interval": "1s"}


@pytest.fixture
def mailbox():
    made = Mailbox()
    yield made
    made.close()


@pytest.fixture
def alerting_sidecar(make_sidecar, tmp_path):
    """Makes sidecars that judge BUSY every second."""

    def make(urls: dict[str, str], **notify):
        (tmp_path / "rules.yml").write_text(BUSY)
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
    (tmp_path / "rules.yml").write_text(BUSY.replace("> 3", "> 3000"))
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
    evaluations = "mlguard_rule_evaluations_total"
    begun = sidecar.value(evaluations)
    eventually(lambda: sidecar.value(evaluations) >= begun + 2)  # by then it is stored
    sidecar.kill()
    sidecar.start()
    eventually(lambda: sidecar.value(evaluations) >= 4)
    assert hook.titles == ["[CRITICAL] Busy: p/m/predict"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_tells_once(alerting_sidecar, hook, number):
    """What systemd does, and Ctrl-C: all processes of the daemon are sent to end."""
    sidecar = alerting_sidecar({"hook": hook.url})
    sidecar.start(own_group=True)
    hook.hang()
    send(sidecar, 5)
    eventually(lambda: hook.under_way)
    os.killpg(sidecar.process.pid, number)
    eventually(lambda: '"stopped"' in sidecar.log())
    hook.go_on()
    assert sidecar.stop() == 0
    sidecar.start()
    eventually(lambda: sidecar.value("mlguard_rule_evaluations_total") >= 3)
    assert hook.titles == ["[CRITICAL] Busy: p/m/predict"]


def test_no_process_outlives_a_sidecar_that_is_killed(alerting_sidecar, hook):
    sidecar = alerting_sidecar({"hook": hook.url}).start()
    hook.hang()
    send(sidecar, 5)
    eventually(lambda: hook.under_way)
    (worker,) = psutil.Process(sidecar.process.pid).children()
    assert "mlguard_rules.apprise_worker" in worker.cmdline()
    sidecar.kill()
    eventually(
        lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE,
        seconds=5,
        what="the end of the worker",
    )


def test_events_do_not_wait_for_a_message_when_the_sidecar_ends(alerting_sidecar, hook):
    sidecar = alerting_sidecar({"hook": hook.url}).start()
    hook.hang()
    send(sidecar, 5)
    eventually(lambda: hook.under_way)
    with sidecar.connection() as client:
        client.hello("late")
        sidecar.process.terminate()
        batch = {"project_id": "p", "model_id": "m", "seq": 1, "columns": {"y_pred": [1] * 10}}
        client.send(batch)
        client.wait_for_ack(1)
        assert sidecar.process.poll() is None, "the message is still under way"
    hook.go_on()
    assert sidecar.stop() == 0
    assert hook.titles == ["[CRITICAL] Busy: p/m/predict"]


def test_another_interval_begins_at_once(alerting_sidecar, hook):
    sidecar = alerting_sidecar({"hook": hook.url})
    sidecar.config["rules"]["interval"] = "1h"
    sidecar.start()
    sidecar.config["rules"]["interval"] = "1s"
    sidecar.write_config()
    reload(sidecar)
    eventually(lambda: sidecar.value("mlguard_rule_evaluations_total") >= 3)


def test_rules_do_not_wait_for_a_relay_that_hangs(alerting_sidecar, hook):
    hook.hang()
    sidecar = alerting_sidecar({})
    sidecar.config["notify"] = {"relay": {"url": f"http://127.0.0.1:{hook.port}"}}
    sidecar.start()
    assert sidecar.value("mlguard_notifications_total", receiver="relay") == 0
    send(sidecar, 5)
    eventually(lambda: hook.under_way)
    evaluations = "mlguard_rule_evaluations_total"
    begun = sidecar.value(evaluations)
    eventually(lambda: sidecar.value(evaluations) >= begun + 4, 8)


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


def test_a_broken_rule_file_changes_nothing_and_is_sent(alerting_sidecar, hook, tmp_path):
    sidecar = alerting_sidecar({"hook": hook.url}).start()
    (tmp_path / "rules.yml").write_text(BUSY.replace("> 3", "> > 3"))
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        reload(sidecar)
    sent = caught.value.read().decode()
    caught.value.close()
    assert sent.startswith(f"{tmp_path}/rules.yml:5: Busy: ")
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
    sent = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    assert "alerts 1 firing, 0 pending" in sent
    sent = run("list", "--silences").stdout
    assert name in sent
    assert "known" in sent
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
