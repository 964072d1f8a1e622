"""Hours in seconds: alerting with a clock that is set by hand, and real receivers."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from support.alerting import BUSY, NOW, Offline
from support.receivers import Hook, Mailbox
from support.sidecar import eventually

from mlguard_common.config import ConfigError, Interval
from mlguard_rules.alert import Alert
from mlguard_rules.notify import MAX_NOTIFICATIONS_PER_MINUTE, Notification, ReceiverQueue
from mlguard_rules.service import BusyError
from mlguard_rules.service.state_store import StateStore


@pytest.mark.parametrize("status", [429, 500])
def test_a_receiver_that_is_down_for_an_hour_gets_all_in_order(tmp_path, hook, status):
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
        offline.close()

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
        sent = {outcome: n for (_, outcome), n in offline.outcomes().items()}
        assert sent == {"sent": 1, "failed": 4, "dropped": 1}
        offline.close()

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
        sent = len(hook.got)
        assert sent <= 20
        offline.values = {}
        await offline.run(360)
        assert sent < len(hook.got) <= 40
        assert all(title.startswith("[RESOLVED]") for title in hook.titles[sent:])
        offline.close()

    asyncio.run(story())


def test_people_are_notified_also_when_the_database_refuses(tmp_path, hook, monkeypatch):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        await offline.run(15)

        async def full(_) -> None:
            raise OSError(28, "No space left on device")

        taken = offline.transact
        monkeypatch.setattr(offline.alerting.store, "_transact", full)
        await offline.run(60)
        assert hook.titles == ["[CRITICAL] Busy: p/m"]
        monkeypatch.setattr(offline.alerting.store, "_transact", taken)
        await offline.run(30)
        assert offline.alerting.store.unsaved == 0
        offline.restart()
        await offline.run(600)
        assert len(hook.got) == 1
        offline.close()

    asyncio.run(story())


def test_rows_that_cannot_be_read_cost_only_themselves(tmp_path, hook, caplog):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        await offline.run(60)
        kinds = ("alert", "alert_group", "dispatched_alert", "evaluation", "notification")
        for kind in (*kinds, "notification_log", "silence"):
            offline.db.execute(
                "INSERT INTO alerting_state VALUES (?, ?, ?)",
                (kind, '["other"]', b'{"of": "later"}'),
            )
        with caplog.at_level(logging.ERROR):
            offline.restart()
        assert caplog.text.count("cannot be read and is deleted") == 7
        await offline.run(600)
        assert len(hook.got) == 1
        left = offline.db.execute(
            "SELECT kind FROM alerting_state WHERE key LIKE '%other%'"
        ).fetchall()
        assert left == []
        offline.close()

    asyncio.run(story())


def test_targets_that_took_a_message_are_not_sent_again_for_one_that_did_not(tmp_path):
    class Picky(Mailbox):
        async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
            if address.startswith("bad"):
                return "550 no such user"
            envelope.rcpt_tos.append(address)
            return "250 OK"

    async def story(mailbox) -> None:
        url = mailbox.url.replace("to=team@", "to=good@example.org,bad@")
        offline = Offline(tmp_path, url)
        await offline.run(900)
        assert len(mailbox.got) == 1
        assert len(offline.alerting.queue.receivers["hook"]) == 0
        offline.close()

    mailbox = Picky()
    asyncio.run(story(mailbox))
    mailbox.close()


def test_one_broken_rule_stops_no_other(tmp_path, hook):
    rules = BUSY + (
        "      - alert: Odd\n        expr: 1e18 * (mlguard_inferences_total > 3)\n"
        "        annotations: {summary: '{{ $value | humanizeTimestamp }}'}\n"
    )

    async def story() -> None:
        offline = Offline(tmp_path, hook.url, rules)
        await offline.run(900)
        titles = sorted(hook.titles)
        assert titles == ["[CRITICAL] Busy: p/m", "[INFO] Odd: p/m"]
        odd = next(b["message"] for _, b in hook.got if "Odd" in b["title"])
        assert "error expanding template" in odd
        offline.close()

    asyncio.run(story())


def test_a_fault_of_the_engine_resolves_nothing(tmp_path, hook, monkeypatch):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        await offline.run(60)

        def broken(_names):
            raise ZeroDivisionError

        monkeypatch.setattr(offline.alerting._evaluator, "_metrics", broken)
        await offline.run(1200)
        assert hook.titles == ["[CRITICAL] Busy: p/m"]
        offline.close()

    asyncio.run(story())


def test_a_long_interval_is_no_end(tmp_path, hook):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        offline.settings = offline.settings_for(
            {"hook": hook.url}, [{"receivers": ["hook"]}], interval=Interval("10m")
        )
        offline.restart()
        for _ in range(6):
            await offline.alerting.evaluate()
            for _ in range(40):
                await offline.alerting.dispatch()
                await offline.send()
                offline.now += 15
        assert hook.titles == ["[CRITICAL] Busy: p/m"]
        offline.close()

    asyncio.run(story())


def test_files_with_the_same_names_inside_are_rules_apart(tmp_path, hook):
    one = BUSY.replace("_total > 3", '_total{model="a"} > 3')
    (tmp_path / "b.yml").write_text(BUSY.replace("_total > 3", '_total{model="b"} > 3'))

    async def story() -> None:
        offline = Offline(tmp_path, hook.url, one)
        files = [str(tmp_path / "rules.yml"), str(tmp_path / "b.yml")]
        receiver = {"hook": hook.url}
        offline.settings = offline.settings_for(receiver, [], files=files)
        offline.values = {"a": 5, "b": 5}
        offline.restart()
        await offline.run(600)
        assert sorted(hook.titles) == ["[CRITICAL] Busy: p/a", "[CRITICAL] Busy: p/b"]
        with pytest.raises(ConfigError, match=r"found Busy at rules\.yml:4 and at rules\.yml:4"):
            offline.settings_for(receiver, [], files=[files[0], files[0]])
        offline.close()

    asyncio.run(story())


def test_of_two_rules_that_find_the_same_the_one_that_fires_is_sent(tmp_path, hook):
    twin = BUSY.partition("      - alert")[2].replace("> 3", "> 6")

    async def story() -> None:
        offline = Offline(tmp_path, hook.url, BUSY + "      - alert" + twin)
        offline.values["m"] = 9
        await offline.run(60)
        offline.values["m"] = 5
        await offline.run(1800)
        assert hook.titles == ["[CRITICAL] Busy: p/m"]
        offline.close()

    asyncio.run(story())


@pytest.mark.parametrize("jump", [365 * 86_400.0, -365 * 86_400.0])
def test_letters_outlast_a_clock_that_jumps(tmp_path, hook, jump):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        hook.status = 503
        await offline.run(60)
        offline.now += jump
        await offline.run(60)
        hook.status = 200
        await offline.run(600)
        assert hook.titles == ["[CRITICAL] Busy: p/m"]
        offline.close()

    asyncio.run(story())


def test_letters_follow_a_receiver_to_its_new_name(tmp_path, hook, caplog):
    other = Hook()

    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        offline.alerting.use(offline.settings_for({"a": hook.url, "b": other.url}, []))
        hook.status = other.status = 503
        await offline.run(60)
        offline.alerting.use(offline.settings_for({"x": hook.url, "y": other.url}, []))
        hook.status = other.status = 200
        await offline.run(60)
        assert hook.titles == other.titles == ["[CRITICAL] Busy: p/m"]
        other.status = 503
        offline.values["other"] = 5
        await offline.run(60)
        with caplog.at_level(logging.ERROR):
            offline.alerting.use(offline.settings_for({"x": hook.url}, []))
        assert "y is no receiver any more; dropped: [CRITICAL] Busy: p/other" in caplog.text
        assert offline.outcomes()["y", "dropped"] == 1
        await offline.run(60)
        assert len(hook.got) == 2
        offline.close()

    asyncio.run(story())
    other.close()


def test_a_message_under_way_when_its_receiver_gets_another_name_is_sent_once(tmp_path, hook):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        hook.hang()
        offline.alerting.queue.start()
        await offline.alerting.evaluate()
        offline.now += 30
        await offline.alerting.evaluate()
        await asyncio.to_thread(eventually, lambda: hook.under_way)
        offline.alerting.use(offline.settings_for({"new": hook.url}, [{"receivers": ["new"]}]))
        hook.go_on()
        await offline.alerting.queue.stop()
        assert hook.titles == ["[CRITICAL] Busy: p/m"]
        assert len(offline.alerting.queue.receivers["new"]) == 0
        offline.close()

    asyncio.run(story())


def test_a_stored_silence_that_cannot_hold_any_more_is_ended(tmp_path, hook, caplog):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        matcher = {"label": "model", "operator": "=~", "value": "(?=a)"}
        silence = {"id": "s", "matchers": [matcher], "starts_at": None, "ends_at": NOW + 1e6}
        offline.db.execute(
            "INSERT INTO alerting_state VALUES ('silence', '\"s\"', ?)",
            (json.dumps(silence).encode(),),
        )
        with caplog.at_level(logging.ERROR):
            offline.restart()
        assert (
            'stored silence "s" cannot be read and is deleted: the regular expression'
            in caplog.text
        )
        await offline.run(60)
        assert hook.titles == ["[CRITICAL] Busy: p/m"]
        offline.close()

    asyncio.run(story())


def test_another_receiver_or_spelling_of_a_route_tells_nothing_again(tmp_path, hook):
    other = Hook()

    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        urls = {"hook": hook.url, "other": other.url}
        spellings = ('severity="critical"', "severity=critical", ' severity = "critical" ')
        for spelling, receivers in zip(
            spellings, (["hook"], ["hook"], ["hook", "other"]), strict=True
        ):
            route = {"matchers": [spelling], "receivers": receivers}
            offline.alerting.use(offline.settings_for(urls, [route]))
            await offline.run(600)
        assert hook.titles == ["[CRITICAL] Busy: p/m"]
        assert other.titles == []
        offline.values = {}
        await offline.run(600)
        assert hook.titles[1:] == other.titles == ["[RESOLVED] Busy: p/m"]
        offline.close()

    asyncio.run(story())
    other.close()


def test_keep_firing_for_counts_over_restarts(tmp_path, hook):
    rules = BUSY.replace("        labels:", "        keep_firing_for: 10m\n        labels:")

    async def story() -> None:
        offline = Offline(tmp_path, hook.url, rules)
        await offline.run(60)
        offline.values = {}
        for _ in range(4):
            await offline.run(300)
            offline.restart()
        await offline.run(600)
        assert hook.titles == ["[CRITICAL] Busy: p/m", "[RESOLVED] Busy: p/m"]
        offline.close()

    asyncio.run(story())


def test_a_fault_in_sending_is_a_failed_attempt_that_tells_no_secret(caplog):
    async def story() -> None:
        outcomes: list[str] = []

        async def send(_notification: Notification, *, plain: bool) -> None:
            raise ValueError(f"SECRET {plain}")

        notification = Notification("t", "b", "info", "1", "r")
        queue = ReceiverQueue(
            "r",
            send,
            [notification],
            lambda: 0.0,
            lambda _, outcome: outcomes.append(outcome),
            lambda _: outcomes.append("failed"),
        )
        await queue.send_due()
        assert outcomes == ["failed"]
        assert len(queue) == 1

    with caplog.at_level(logging.DEBUG):
        asyncio.run(story())
    assert "ValueError" in caplog.text
    assert "SECRET" not in caplog.text


def test_a_save_that_is_cancelled_is_made_good(tmp_path, hook):
    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        entered = asyncio.Event()

        async def slow(_) -> None:
            entered.set()
            await asyncio.sleep(60)

        store = StateStore(offline.db, slow)
        store.put("notification_log", "x", 1.0)
        saving = asyncio.create_task(store.save())
        await entered.wait()
        saving.cancel()
        await asyncio.gather(saving, return_exceptions=True)
        assert store.unsaved == 1
        offline.close()

    asyncio.run(story())


def test_what_others_grouped_keeps_to_the_rate_too(tmp_path, hook):
    def news(i: int) -> Alert:
        return Alert((("alertname", f"A{i}"),), (), NOW)

    async def story() -> None:
        offline = Offline(tmp_path, hook.url)
        for i in range(MAX_NOTIFICATIONS_PER_MINUTE):
            await offline.alerting.notify([news(i)], f"digest {i}", 0)
        with pytest.raises(BusyError):
            await offline.alerting.notify([news(99)], "digest 99", 0)
        await offline.alerting.notify([news(0)], "digest 0", 0)
        offline.now += 60

        async def full(_) -> None:
            raise OSError(28, "No space left on device")

        taken, offline.alerting.store._transact = offline.alerting.store._transact, full
        for i in range(2 * MAX_NOTIFICATIONS_PER_MINUTE):
            with pytest.raises(OSError, match="No space"):
                await offline.alerting.notify([news(i)], f"again {i}", 0)
        offline.alerting.store._transact = taken
        await offline.alerting.notify([news(99)], "digest 99", 0)
        await offline.send()
        assert len(hook.got) == MAX_NOTIFICATIONS_PER_MINUTE + 1
        assert hook.titles[-1] == "[INFO] A99"
        offline.close()

    asyncio.run(story())
