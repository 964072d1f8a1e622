"""Which alerts are sent when, and that none is sent twice."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard_common.config import Interval
from mlguard_rules.alert import Alert
from mlguard_rules.matchers import all_match, parse_matchers
from mlguard_rules.notify import (
    MAX_NOTIFICATIONS_PER_MINUTE,
    Dispatcher,
    NotifyConfig,
    Route,
    Silence,
)
from mlguard_rules.notify.config import ReceiverConfig, RouteConfig, SilenceConfig

NOW = 1_800_000_000.0
TIMES = {
    "group_wait": Interval("30s"),
    "group_interval": Interval("5m"),
    "repeat_interval": Interval("4h"),
}


def routes(*parts: dict):
    return Route.configured(
        NotifyConfig(
            receivers=[ReceiverConfig(name=name, url="json://x") for name in ("a", "b")],
            routes=[RouteConfig(**({"receivers": ["a"]} | TIMES | part)) for part in parts],
        )
    )


def alert(name="Drift", severity="warning", active_at=NOW, **labels: str) -> Alert:
    labels |= {"alertname": name, "severity": severity}
    return Alert(tuple(sorted(labels.items())), (("summary", name),), active_at)


class World:
    """A dispatcher, a clock, and alerts that are sent every 15 seconds."""

    def __init__(self, *parts: dict) -> None:
        self.now = NOW
        self.routes = routes(*(parts or ({},)))
        self.dispatcher = Dispatcher(self.routes, now=NOW)
        self.firing: dict = {}
        self.silences: list[Silence] = []
        self.kept_alerts: dict = {}
        self.kept_groups: dict = {}

    def fire(self, *alerts: Alert) -> None:
        for one in alerts:
            self.firing[one.labels] = one

    def resolve(self, *alerts: Alert) -> None:
        for one in alerts:
            del self.firing[one.labels]
            self.dispatcher.receive(one.resolved(self.now), self.now)

    def run(self, seconds: float) -> list[tuple[list[str], list[str]]]:
        """What is sent meanwhile: the names that fire, and those that are resolved."""
        sent = []
        end = self.now + seconds
        while self.now < end:
            sent += [
                (
                    [a.label("alertname") for a in n.firing],
                    [a.label("alertname") for a in n.resolved],
                )
                for n in self.step()
            ]
            self.now += 15
        return sent

    def step(self):
        for one in self.firing.values():
            self.dispatcher.receive(one, self.now)
        step = self.dispatcher.step(
            self.now, lambda labels: any(s.matches(labels, self.now) for s in self.silences)
        )
        for kept, changes in ((self.kept_alerts, step.alerts), (self.kept_groups, step.groups)):
            for key, thing in changes.items():
                kept.pop(key, None) if thing is None else kept.__setitem__(key, thing)
        return step.due

    def restart(self, down: float) -> None:
        self.now += down
        self.dispatcher = Dispatcher(
            self.routes, self.kept_alerts.values(), self.kept_groups, self.now
        )


def test_without_a_wait_a_group_is_sent_at_once():
    world = World({"group_wait": Interval("0s")})
    world.fire(alert())
    assert world.run(1) == [(["Drift"], [])]


def test_a_group_waits_then_tells_once_then_of_its_end():
    world = World()
    world.fire(alert())
    assert world.run(30) == []
    assert world.run(3600) == [(["Drift"], [])]
    world.resolve(alert())
    assert world.run(600) == [([], ["Drift"])]
    assert world.run(3600) == []
    assert world.kept_alerts == {}
    assert world.kept_groups == {}


def test_what_ends_within_the_wait_is_never_sent():
    world = World()
    world.fire(alert())
    world.run(15)
    world.resolve(alert())
    assert world.run(3600) == []


def test_what_still_fires_is_sent_again_after_the_repeat_interval():
    world = World()
    world.fire(alert())
    assert len(world.run(4 * 3600 + 600)) == 2


def test_a_new_member_waits_for_the_group_s_interval():
    world = World()
    world.fire(alert(feature="age"))
    assert len(world.run(60)) == 1
    world.fire(alert(feature="sex"))
    assert world.run(240) == []
    assert world.run(60) == [(["Drift", "Drift"], [])]


def test_flapping_within_the_interval_is_not_sent():
    world = World()
    world.fire(alert())
    assert len(world.run(60)) == 1
    world.resolve(alert())
    world.run(15)
    world.fire(alert(active_at=world.now))
    assert world.run(3600) == []


def test_a_warning_is_inhibited_by_its_critical_twin_alone():
    world = World()
    warning, critical = alert(feature="age"), alert(severity="critical", feature="age")
    other = alert(feature="sex")
    world.fire(warning, critical, other)
    (sent,) = [n.firing for _ in range(4) for n in (world.step(), world.run(15))[0]]
    assert {(a.label("feature"), a.label("severity")) for a in sent} == {
        ("age", "critical"),
        ("sex", "warning"),
    }
    world.resolve(critical)
    assert world.run(600) == [(["Drift", "Drift"], ["Drift"])], "the warning is sent now"
    world.resolve(warning)
    assert world.run(600) == [(["Drift"], ["Drift"])]


def test_a_sent_warning_is_not_sent_again_after_its_critical_twin():
    world = World()
    warning, critical = alert(), alert(severity="critical")
    world.fire(warning)
    assert len(world.run(60)) == 1
    world.fire(critical)
    assert len(world.run(600)) == 1
    world.resolve(critical)
    assert world.run(600) == [(["Drift"], ["Drift"])]
    assert world.run(3600) == []


def test_silences_hold_for_their_time():
    world = World()
    config = SilenceConfig(matchers=['feature="age"'])
    world.silences.append(replace(Silence.configured(config), ends_at=NOW + 3600))
    world.fire(alert(feature="age"))
    assert world.run(3600) == []
    assert world.run(600) == [(["Drift"], [])]


def test_the_end_of_a_silenced_alert_is_not_sent():
    world = World()
    world.fire(alert())
    assert len(world.run(60)) == 1
    world.silences.append(Silence.configured(SilenceConfig(matchers=["alertname=Drift"])))
    world.resolve(alert())
    assert world.run(3600) == []


def test_the_first_route_takes_an_alert_unless_it_goes_on():
    world = World(
        {"matchers": ["severity=critical"], "receivers": ["a"], "continues": True},
        {"matchers": ["project=~p.*"], "receivers": ["b"]},
    )
    world.fire(alert(severity="critical", project="p1"), alert(project="q", name="Other"))
    sent = []
    while world.now < NOW + 60:
        sent += [(n.route.receivers, n.firing[0].label("alertname")) for n in world.step()]
        world.now += 15
    assert sorted(sent) == [(("a",), "Drift"), (("a", "b"), "Other"), (("b",), "Drift")]


def test_an_alert_that_nobody_tells_of_any_more_ends():
    world = World()
    world.fire(alert())
    world.run(60)
    world.firing.clear()
    assert world.run(240) == []
    assert world.run(400) == [([], ["Drift"])]


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_jump_of_the_clock_tells_nothing_and_loses_nothing(jump):
    world = World()
    world.fire(alert())
    assert len(world.run(60)) == 1
    world.now += jump
    assert world.run(600) == []
    world.fire(alert(name="Other"))
    assert world.run(60) == [(["Other"], [])]
    world.now -= jump
    assert world.run(600) == []
    world.resolve(alert())
    assert world.run(600) == [([], ["Drift"])]


@pytest.mark.parametrize("down", [10.0, 3600.0])
def test_a_restart_tells_nothing_again_and_loses_nothing(down):
    world = World()
    world.fire(alert())
    assert len(world.run(60)) == 1
    world.restart(down)
    assert world.run(1200) == []
    world.fire(alert(name="Other"))
    world.run(15)
    world.restart(down)
    assert world.run(120) == [(["Other"], [])]
    world.resolve(alert())
    world.step()
    world.restart(down)
    assert world.run(600) == [([], ["Drift"])]


@pytest.mark.parametrize("jump", [3600.0, 365 * 86_400.0])
def test_a_clock_set_back_across_a_restart_loses_nothing(jump):
    world = World()
    world.fire(alert())
    assert world.run(15) == []
    world.restart(-jump)
    assert world.run(60) == [(["Drift"], [])]
    world.restart(-jump)
    world.resolve(alert())
    assert world.run(600) == [([], ["Drift"])]


@pytest.mark.parametrize("jump", [8 * 3600.0, 30 * 86_400.0])
def test_what_fires_after_a_pause_of_the_machine_is_sent_in_time(jump):
    world = World()
    world.run(60)
    world.now += jump
    world.dispatcher.receive(alert(), world.now)  # before anything else happens
    world.fire(alert())
    assert world.run(60) == [(["Drift"], [])]


def test_a_clock_set_back_ends_nothing():
    world = World()
    world.fire(alert())
    assert len(world.run(310)) == 1
    world.now -= 86_400
    world.dispatcher.receive(alert(), world.now)
    world.firing.clear()
    assert world.run(240) == []
    world.fire(alert())
    assert world.run(1800) == []


def test_routes_that_take_the_same_stay_apart():
    world = World(
        {"matchers": ["severity=warning"], "receivers": ["a"], "continues": True},
        {"matchers": ['severity="warning"'], "receivers": ["b"]},
    )
    world.fire(alert())
    assert len(world.run(60)) == 2


def test_who_was_not_there_is_notified_what_fires_when_he_comes():
    world = World()
    nobody = routes({"receivers": []})
    world.dispatcher.use(nobody)
    world.fire(alert())
    assert world.run(600) == []
    world.dispatcher.use(world.routes)
    assert world.run(600) == [(["Drift"], [])]


@pytest.mark.parametrize(
    ("text", "model", "matched"),
    [
        (r'model=~"churn\\.v1"', "churn.v1", True),
        (r'model=~"churn\\.v1"', "churn_v1", False),
        (r'model!~"churn\\.v1"', "churn.v1", False),
        (r'model!~"churn\\.v1"', "churn_v1", True),
        (r"model=~churn\.v1", "churn.v1", True),
        (r'model="a\"b\\c\nd"', 'a"b\\c\nd', True),
        ('{model="a",alertname=~"Drift|Other"}', "a", True),
        ('model="a",alertname!="Drift"', "a", False),
        ('model=~"(a.*|b.*|c.*)"', "b1", True),
        ("{}", "a", True),
    ],
)
def test_matchers_are_those_of_alertmanager(text, model, matched):
    assert all_match(parse_matchers(text), dict(alert(model=model).labels)) is matched


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('severity="critical', r'a " in a value is written \"'),
        ('severity=critical"', r'a " in a value is written \"'),
        ('model="a",,b="c"', "there is no label"),
        ('"model"="a"', "there is no label"),
        ('model=~"("', "missing )"),
    ],
)
def test_what_alertmanager_refuses_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_matchers(text)


def test_ten_thousand_alerts_are_few_messages_and_none_is_forgotten():
    world = World({"group_by": ["..."]})
    every = [alert(feature=f"f{i}") for i in range(10_000)]
    world.fire(*every)
    sent = world.run(120)
    assert len(sent) <= MAX_NOTIFICATIONS_PER_MINUTE
    assert sum(len(firing) for firing, _ in sent) == 10_000
    world.resolve(*every)
    sent = world.run(600)
    assert len(sent) <= 2 * MAX_NOTIFICATIONS_PER_MINUTE
    assert sum(len(resolved) for _, resolved in sent) == 10_000


def test_a_thousand_groups_one_after_the_other_stay_within_the_rate():
    world = World({"group_by": ["..."]})
    sent = []
    for i in range(400):
        world.fire(alert(feature=f"f{i}"))
        sent += world.run(15)
    sent += world.run(600)
    assert {n for firing, _ in sent for n in firing} == {"Drift"}
    assert sum(len(firing) for firing, _ in sent) == 400


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fire", "resolve", "restart", "run", "critical", "calm"]),
            st.integers(0, 3),
            st.sampled_from([15, 45, 300, 900]),
        ),
        max_size=25,
    )
)
def test_what_a_person_believes_ends_up_true(steps):
    """Whatever happens, after the dust has settled what was sent agrees with what fires."""
    world = World({"repeat_interval": Interval("400d")})
    believed: set = set()

    def run(seconds):
        end = world.now + seconds
        while world.now < end:
            for n in world.step():
                new = {a.labels for a in n.firing}
                gone = {a.labels for a in n.resolved}
                assert new - believed or gone, "a message without news"
                assert gone <= believed
                believed.update(new)
                believed.difference_update(gone)
            world.now += 15

    for action, which, seconds in steps:
        severity = "critical" if action in ("critical", "calm") else "warning"
        one = alert(feature=f"f{which}", severity=severity, active_at=world.now)
        if action in ("fire", "critical"):
            world.firing.setdefault(one.labels, one)
        elif action in ("resolve", "calm") and one.labels in world.firing:
            world.resolve(world.firing[one.labels])
        elif action == "restart":
            world.restart(seconds)
        run(seconds)
    run(1800)
    firing = set(world.firing)
    criticals = {
        a.label("feature") for a in world.firing.values() if a.label("severity") == "critical"
    }
    loud = {
        a.labels
        for a in world.firing.values()
        if a.label("severity") == "critical" or a.label("feature") not in criticals
    }
    assert loud <= believed
    assert believed <= firing
