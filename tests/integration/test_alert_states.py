"""Alerts have the states of Prometheus: promtool's rule manager is asked about every step.

Random rules run over random series here; what they give at each step is written down as
expectations of a promtool test file: every firing alert with its labels and annotations, and all
samples of ALERTS (pending and firing) and ALERTS_FOR_STATE (since when). Promtool must find no
difference. Half of the worlds are read as the embedded manager reads its process (what is absent
has ended), half with gaps that Prometheus' lookback of five minutes bridges.

What cannot be compared, or differs on purpose:

- A rule that cannot be evaluated (labels that collide, ambiguous matching) is an error in both and
  changes no state. Promtool ends a test there; so such rules are tested one by one, all states
  until the error and the step, rule and kind of the error itself. That the states go on unchanged
  after an error is pinned in tests/unit/rules/test_alerting.py.
- A template that cannot be expanded gives `<error expanding template: ...>` in both, with another
  wording; none of the templates here does.
- Promtool adds up series in a random order. Values are quarters, so that sums are exact; where they
  are not (rate, avg), annotations show five digits.
- After a restart, an alert from before it does not end by the silence of a range that reaches back
  behind the start. Promtool knows no restart, and an manager that starts afresh has no such alert.
- The manager's rules cannot read ALERTS and ALERTS_FOR_STATE.
"""

from __future__ import annotations

import json
import logging
import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from click.testing import CliRunner
from support.promtool import STALE, ended, series_text, test_rules, values_text, write_tests

from mlguard_exporter.exposition import METRICS as SPEND_METRICS
from mlguard_rules.alert import State
from mlguard_rules.alerting import RuleManager
from mlguard_rules.promql import History
from mlguard_rules.rulefile import AlertRule, RuleFileError, load_rules
from mlguard_rules.ruletest import Storage, load_tests, run
from mlguard_rules.ruletest.notation import parse_values
from mlguard_rules.ruletest.run import record_alerts
from mlguard_rules.ruletest.scenario import Stale
from mlguard_sidecar.cli.commands import mlguard

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "rules/mlguard_rules/bundled"
MINUTE = 60
STEPS = 64
OWN = ("ALERTS", "ALERTS_FOR_STATE")

World = dict[tuple[str, tuple], list]
"""Metric and labels of each series -> a value a step, None or STALE where there is none."""


class Played(NamedTuple):
    """What our manager made of a world.

    Attributes:
        firing: at each step, labels and annotations of the alerts that fire, by name.
        series: at each step, the samples of ALERTS and of ALERTS_FOR_STATE.
        counts: of the steps of alerts in each state, and of transitions.
        failed: rules that could not be evaluated: the first step, and why.
    """

    firing: list[dict[str, list]]
    series: list[dict[str, list]]
    counts: Counter
    failed: dict[str, tuple[int, str]]


def play(rules: Path, world: World, interval: int = MINUTE, *, gaps: bool = False) -> Played:
    """Run the manager step by step.

    Args:
        rules: a rule file.
        world: series.
        interval: seconds between two steps.
        gaps: whether a series without a sample goes on, as for Prometheus, or has ended.
    """
    groups = load_rules(rules)
    expressions = [rule.expression for group in groups for rule in group.rules]
    history = (Storage if gaps else History)(expressions)
    manager = RuleManager(groups, interval, history=history)
    played = Played([], [], Counter(), {})
    before: dict = {}
    for step in range(len(next(iter(world.values())))):
        snapshot: dict[str, list] = {}
        for (metric, labels), values in sorted(world.items()):
            if values[step] == STALE and gaps:
                history.end(metric, labels, step * interval * 1000)
            elif values[step] not in (None, STALE):
                snapshot.setdefault(metric, []).append((labels, float(values[step])))
        result = manager.evaluate(float(step * interval), snapshot)
        for name, reason in result.failed:
            played.failed.setdefault(name, (step, reason))
        record_alerts(manager, history, step * interval * 1000)
        own = {name: list(history.samples(name, step * interval * 1000)) for name in OWN}
        played.series.append(own)
        firing: dict[str, list] = {}
        for alert in manager.alerts:
            if alert.state is State.FIRING:
                firing.setdefault(dict(alert.labels)["alertname"], []).append(alert)
        played.firing.append(firing)
        after = {(alert.rule_id, alert.labels): alert for alert in manager.alerts}
        played.counts.update(transitions(before, after))
        before = after
    return played


def transitions(before: dict, after: dict) -> Counter:
    counts: Counter = Counter()
    for key in before.keys() | after.keys():
        was, now = before.get(key), after.get(key)
        states = ["none" if alert is None else str(alert.state) for alert in (was, now)]
        if states[0] != states[1]:
            counts[" -> ".join(states)] += 1
        if was is not None and now is not None:
            kept = was.keep_firing_since is not None, now.keep_firing_since is not None
            counts["begins to be kept"] += kept == (False, True)
            if kept == (True, False):
                counts[
                    "is found again while kept" if now.state is State.FIRING else "kept -> resolved"
                ] += 1
        if now is not None and now.state is not State.RESOLVED:
            counts[f"steps {now.state}"] += 1
            counts["steps kept"] += now.keep_firing_since is not None
    return counts


def scenario(world: World, played: Played, names: set[str], interval: int, upto: int) -> dict:
    """What we found, until a step and without it, as a test of promtool's."""
    alerts = [
        {
            "eval_time": f"{step * interval}s",
            "alertname": name,
            "exp_alerts": [
                {"exp_labels": dict(alert.labels), "exp_annotations": dict(alert.annotations)}
                for alert in played.firing[step].get(name, ())
            ],
        }
        for step in range(upto)
        for name in sorted(names)
    ]
    queries = [
        {
            "eval_time": f"{step * interval}s",
            "expr": own,
            "exp_samples": [
                {"labels": series_text(own, labels), "value": value}
                for labels, value in played.series[step][own]
            ],
        }
        for step in range(upto)
        for own in OWN
    ]
    series = [
        {"series": series_text(*key), "values": values_text(values)}
        for key, values in world.items()
    ]
    return {
        "input_series": series,
        "alert_rule_test": alerts,
        "promql_expr_test": queries,
    }


def levels(rng: random.Random, steps: int, low: int, high: int, longest: int = 12) -> list:
    """Values that stay for a while: quarters between two numbers of quarters."""
    values: list[float] = []
    while len(values) < steps:
        values += [rng.randint(low, high) / 4] * rng.randint(1, longest)
    return values[:steps]


def counter(rng: random.Random, steps: int) -> list:
    """Grows in bursts, and is reset now and then."""
    values, now = [], float(rng.randint(0, 40))
    while len(values) < steps:
        growth = rng.choice((0, 0, 1, 3, 10))
        for _ in range(rng.randint(1, 10)):
            now = 0.0 if rng.random() < 0.04 else now + growth
            values.append(now)
    return values[:steps]


def with_gaps(rng: random.Random, values: list, often: float) -> list:
    """Some samples left out, some series ended."""
    values = list(values)
    at = 0
    while at < len(values):
        if rng.random() < often:
            length = rng.randint(1, 9)
            for i in range(at, min(at + length, len(values))):
                values[i] = None
            if rng.random() < 0.3:
                values[at] = STALE
            at += length
        at += 1
    return values


ZONES, RACKS = ("eu", "us"), ("1", "2", "3")
SERIES = {
    "temp": [(("rack", rack), ("zone", zone)) for rack in RACKS for zone in ZONES],
    "load": [(("rack", rack), ("zone", zone)) for rack in RACKS for zone in ZONES],
    "hits_total": [(("code", code), ("zone", zone)) for code in ("200", "500") for zone in ZONES],
    "limit": [(("zone", zone),) for zone in ZONES],
    "owner_info": [(("owner", f"team {rack}"), ("rack", rack)) for rack in RACKS],
    "lone": [()],
}
OFTEN = {"lone": 0.15, "hits_total": 0.05, "limit": 0.01, "owner_info": 0.005}


def random_world(rng: random.Random) -> World:
    world: World = {}
    for metric, series in SERIES.items():
        for labels in series:
            values = [1.0] * STEPS if metric == "owner_info" else levels(rng, STEPS, -8, 40)
            if metric == "hits_total":
                values = counter(rng, STEPS)
            world[metric, labels] = with_gaps(rng, values, OFTEN.get(metric, 0.03))
    return world


GROUPS = ("one", "two")


class Rules:
    """Random rules over a random world."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.recorded: list[str] = []

    def file(self, path: Path, alerts: list[dict], records: list[dict]) -> Path:
        """Recording rules among alerts, in two groups."""
        every = [*alerts, *records]
        random.Random(len(every)).shuffle(every)
        half = len(every) // 2
        parts = (every[:half], every[half:])
        groups = [{"name": name, "rules": part} for name, part in zip(GROUPS, parts, strict=True)]
        path.write_text(json.dumps({"groups": groups}))
        return path

    def record(self, name: str) -> dict:
        zone = self.rng.choice(("", '{zone="eu"}'))
        expr = self.rng.choice(
            (
                f"sum by (zone) (temp{zone}) > {self.threshold(3)}",
                f"max without (rack) (load{zone})",
                f"increase(hits_total{zone}[4m]) > 0",
                f"temp{zone} - load{zone}",
                "scalar(lone)",
            )
        )
        self.recorded.append(name)
        labels = self.rng.choice(({}, {"kind": "made"}, {"zone": ""}))
        if labels == {"zone": ""} and "zone" not in zone:
            labels = {}
        return {"record": name, "expr": expr, "labels": labels}

    def alert(self, name: str) -> dict:
        expr, exact = self.expression()
        labels = self.rng.choice(
            (
                {},
                {"severity": "warning"},
                {"severity": "critical", "where": "{{ $labels.zone }}/{{ $labels.rack }}"},
                {"zone": "{{ $labels.zone }}-site"},
                {"nothing": "{{ $labels.nope }}"},
                {"rack": "all"},
                {"rack": ""},
                {"owner": "{{ $labels.rack | toUpper }} x"},
                {"band": '{{ printf "%.0f" $value }}'} if exact else {},
                {"hot": "{{ humanize $value }}"} if exact else {"hot": "{{ $labels.code }}"},
            )
        )
        annotations = {
            "value": "{{ $value }}" if exact else '{{ printf "%.5f" $value }}',
            "text": "{{ $labels.zone }} {{ $labels.rack }}: {{ $value | humanize }}",
            "limit": '{{ query "sum(limit) or vector(0)" | first | value }}',
        }
        rule = {"alert": name, "expr": expr, "labels": labels, "annotations": annotations}
        if self.rng.random() < 0.7:
            rule["for"] = self.rng.choice(("1m", "2m", "3m", "4m", "5m", "90s", "0s"))
        if self.rng.random() < 0.5:
            rule["keep_firing_for"] = self.rng.choice(("1m", "2m", "3m", "5m", "8m", "90s"))
        return rule

    def threshold(self, times: int = 1) -> float:
        return times * self.rng.randint(-4, 34) / 4 + self.rng.choice((0, 0.125))

    def selector(self) -> str:
        matcher = self.rng.choice(
            ("", "", '{zone="eu"}', '{rack!="1"}', '{zone=~"e.|x"}', '{rack!~"1|2"}')
        )
        return self.rng.choice(("temp", "load")) + matcher

    def compared(self) -> str:
        sign = self.rng.choice((">", ">", "<", "<", ">=", "<=", "==", "!="))
        if sign == "!=":
            return f"{self.selector()} != {self.rng.randint(0, 30) / 4} > 5"
        return f"{self.selector()} {sign} {self.threshold()}"

    def expression(self) -> tuple[str, bool]:  # noqa: PLR0911 - one for each kind
        """An expression, and whether its values are exact in any order of addition."""
        rng, minutes = self.rng, self.rng.randint(2, 9)
        kind = rng.randrange(13)
        over = rng.choice(("min_over_time", "max_over_time", "last_over_time", "avg_over_time"))
        code = rng.choice(("", '{code="500"}'))
        if kind <= 1:
            return self.compared(), True
        if kind == 2:
            return f"{self.selector()} > on (zone) group_left () limit", True
        if kind == 3:
            return f"{self.selector()} > {self.selector()} + 2", True
        if kind == 4:
            exact = over != "avg_over_time"
            return f"{over}({self.selector()}[{minutes}m]) > {self.threshold()}", exact
        if kind == 5:
            function = rng.choice(("rate", "increase", "delta"))
            metric = self.selector() if function == "delta" else f"hits_total{code}"
            factor = "60 * " if function == "rate" else ""
            limit = rng.randint(1, 20) + 0.0371
            return f"{factor}{function}({metric}[{minutes}m]) > {limit}", False
        if kind == 6:
            made = rng.choice(
                (
                    f"sum by (zone) ({self.selector()}) > {self.threshold(3)}",
                    f"max without (rack) ({self.selector()}) > {self.threshold()}",
                    f"min by (zone) ({self.selector()}) > {self.threshold()}",
                    f"count by (zone) ({self.compared()}) >= 2",
                    f"sum by (zone) (increase(hits_total{code}[{minutes}m])) > 15.0371",
                    f"avg by (zone) ({self.selector()}) > {self.threshold() + 0.0371}",
                )
            )
            return made, "increase" not in made and "avg" not in made
        if kind == 7:
            word = rng.choice(("and", "unless", "or", "and on (zone)", "unless on (rack)"))
            return f"{self.compared()} {word} {self.compared()}", True
        if kind == 8:
            what = rng.choice(("lone", 'temp{zone="eu",rack="1"}', "hits_total{code='500'} > 100"))
            return f"absent({what})", True
        if kind == 9:
            made = rng.choice(
                (
                    f"vector(time()) % {60 * rng.randint(5, 15)} >= 240",
                    f"scalar(lone) > bool {self.threshold()}",
                    f"lone > {self.threshold()}",
                    f"time() % {60 * rng.randint(5, 15)}",
                )
            )
            return made, True
        if kind == 10:
            joined = f"{self.selector()} * on (rack) group_left (owner) owner_info"
            return f"{joined} > {self.threshold()}", True
        if kind == 11:
            return f"{rng.choice(self.recorded)} > {self.threshold()}", False
        return rng.choice(
            (
                f"limit > on (zone) ({self.selector()} > {6 + abs(self.threshold())})",
                f"({self.selector()} > {6 + abs(self.threshold())}) + on (rack) owner_info",
            )
        ), True


def names_of(path: Path) -> set[str]:
    return {r.name for g in load_rules(path) for r in g.rules if isinstance(r, AlertRule)}


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    logger = logging.getLogger("mlguard_rules")
    logger.setLevel(logging.ERROR)  # rules fail on purpose, by the hundred
    yield
    logger.setLevel(logging.NOTSET)


BATCHES, ALERTS_A_BATCH = 8, 48

KINDS = (
    *("none -> pending", "none -> firing", "pending -> firing", "pending -> none"),
    *("firing -> resolved", "resolved -> firing", "resolved -> pending", "resolved -> none"),
    *("begins to be kept", "is found again while kept", "kept -> resolved"),
    *("steps pending", "steps firing", "steps kept"),
)
"""What has to happen often, or nothing is proved."""

FAILURES = {
    "colliding labels": "the same labels once the rule's are set|same labelset after applying",
    "ambiguous one": "found duplicate series for the match group",
    "ambiguous many": "multiple matches for labels",
}
"""Kinds of errors, as the one or the other manager tells them."""


class Batch(NamedTuple):
    """Rules over a world.

    Attributes:
        path: of those that never fail.
        broken: of each that fails, alone.
        world: the series.
        gaps: whether a series without a sample goes on.
    """

    path: Path
    broken: list[Path]
    world: World
    gaps: bool

    @property
    def for_promtool(self) -> World:
        """The series as promtool has to be given them."""
        return self.world if self.gaps else ended(self.world)


@pytest.fixture(scope="module")
def random_rules(tmp_path_factory) -> list[Batch]:
    """Rules and worlds, the rules that fail at some step apart."""
    folder = tmp_path_factory.mktemp("random")
    batches = []
    for number in range(BATCHES):
        gaps, maker = number % 2 == 1, Rules(100 + number)
        world = random_world(random.Random(number))
        records = [maker.record(f"made:{i}") for i in range(8)]
        alerts = [maker.alert(f"A{number}x{i}") for i in range(ALERTS_A_BATCH)]
        path = maker.file(folder / f"all{number}.rules.yml", alerts, records)
        failed = play(path, world, gaps=gaps).failed
        sound = [record for record in records if record["record"] not in failed]
        path = maker.file(
            folder / f"{number}.rules.yml",
            [alert for alert in alerts if alert["alert"] not in failed],
            sound,
        )
        broken = [
            maker.file(folder / f"{alert['alert']}.rules.yml", [alert], sound)
            for alert in alerts
            if alert["alert"] in failed
        ]
        batches.append(Batch(path, broken, world, gaps))
    return batches


@pytest.mark.needs("promtool")
def test_random_rules_have_the_states_of_prometheus(tmp_path, random_rules):
    files, counts, compared, rules = [], Counter(), 0, 0
    for batch in random_rules:
        played = play(batch.path, batch.world, gaps=batch.gaps)
        assert not played.failed
        names = names_of(batch.path)
        rules += len(names)
        expected = scenario(batch.for_promtool, played, names, MINUTE, STEPS)
        file = tmp_path / batch.path.name.replace(".rules.", ".test.")
        files.append(write_tests(file, batch.path, MINUTE, [expected], GROUPS))
        counts.update(played.counts)
        compared += states_in(played)
    with ThreadPoolExecutor(2) as pool:
        for said in pool.map(test_rules, files):
            assert said.ok, said.text[:6000]
    print(f"\n{rules} rules, {STEPS} steps, {compared} states compared\n{dict(counts)}")
    assert rules >= 300
    assert not {kind: counts[kind] for kind in KINDS if counts[kind] < 100}


@pytest.mark.needs("promtool")
def test_random_rules_fail_where_those_of_prometheus_fail(tmp_path, random_rules):
    before, at, expected = [], [], {}
    for batch in random_rules:
        for path in batch.broken:
            played = play(path, batch.world, gaps=batch.gaps)
            if not played.failed:  # what it read is recorded no more
                continue
            ((name, (step, reason)),) = played.failed.items()
            expected[name] = (step * MINUTE, kind_of(reason))
            series = scenario(batch.for_promtool, played, {name}, MINUTE, step)
            check = {"eval_time": f"{step * MINUTE}s", "alertname": name}
            until = {**series, "alert_rule_test": [check], "promql_expr_test": []}
            at.append(write_tests(tmp_path / f"{name}.at.yml", path, MINUTE, [until], GROUPS))
            if step:
                file = tmp_path / f"{name}.before.yml"
                before.append(write_tests(file, path, MINUTE, [series], GROUPS))
    said = test_rules(*before)
    assert said.ok, said.text[:6000]
    said = test_rules(*at)
    found = {
        name: (seconds(time), kind_of(reason))
        for name, time, reason in re.findall(r"rule: (\S+), time: (\S+), err: (.*)", said.text)
    }
    print(f"\n{len(expected)} rules fail, {len(before)} of them not at once")
    assert found == expected
    assert len(expected) >= 30
    assert len(before) >= 15
    assert {kind for _, kind in found.values()} == set(FAILURES)


def kind_of(reason: str) -> str:
    return next(kind for kind, pattern in FAILURES.items() if re.search(pattern, reason))


def seconds(go_duration: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([hms])", go_duration))


def states_in(played: Played) -> int:
    samples = sum(len(step[own]) for step in played.series for own in OWN)
    return samples + sum(len(alerts) for step in played.firing for alerts in step.values())


def episodes(rng: random.Random, steps: int, normal, *bad, calm: int = 90, long: int = 120) -> list:
    """Normal for a while, then one of the bad values for a while, and so on."""
    values: list = []
    while len(values) < steps:
        values += [normal] * rng.randint(10, calm) + [rng.choice(bad)] * rng.randint(3, long)
    return values[:steps]


def grown(rng: random.Random, steps: int, normal: int, *bad: int, long: int = 60) -> list:
    """A counter that grows by so much a step."""
    total, values = 0.0, []
    for step in episodes(rng, steps, normal, *bad, long=long):
        values.append(total)
        total += step
    return values


MODELS = ((("model", "m"), ("project", "p")), (("model", "latency only"), ("project", "q")))


def labels_of(*base: tuple[str, str], **more: str) -> tuple:
    return tuple(sorted((*base, *more.items())))


def model_world(rng: random.Random, steps: int) -> World:
    """Two models, one without features, whose figures go wrong one after the other."""
    world: World = {}
    for model in MODELS:
        own = (*model, ("model_endpoint", "predict"))

        def add(name: str, values: list, own: tuple = own, **more: str) -> None:
            world[f"mlguard_{name}", labels_of(*own, **more)] = values

        bad_latency = episodes(rng, steps, 0.1, 0.4, 0.7, 0.1)
        add("latency_p95_seconds", bad_latency, window="5m")
        add("latency_p95_seconds", [0.12] * steps, window="24h")
        few = episodes(rng, steps, 400, 40, 90)
        add("judged_window_events", few, figure="latency", window="5m")
        add("judged_window_events", few, figure="traffic", window="5m")
        add("judged_window_events", [50000] * steps, figure="usual", window="24h")
        add("latency_p95_threshold_seconds", [0.3] * steps)
        add("latency_jump_ratio_threshold", [2] * steps)
        add("inferences_per_second", episodes(rng, steps, 2.5, 0, 0.125, 0.125), window="5m")
        add("inferences_per_second", [2.25] * steps, window="24h")
        add("traffic_drop_ratio_threshold", [0.1] * steps)
        add("drift_psi_threshold", [0.2] * steps)
        add("drift_reference_psi_threshold", [0.2] * steps)
        for kind in ("missing", "invalid", "out_of_range", "unseen"):
            limit = 0.01 if kind == "invalid" else 0.05
            add(f"feature_{kind}_ratio_threshold", [limit] * steps)
        if model[1] == ("project", "q"):
            continue
        add("judged_window_events", [200] * steps, figure="features", window="1h")
        for feature, kind in (("age", "feature"), ('odd "name"\\', "feature"),
                              ("y_pred", "prediction")):  # fmt: skip
            both = {"feature": feature, "kind": kind}
            for window in ("1h", "24h"):
                psi = episodes(rng, steps, 0.0625, 0.25, 0.5, 1.5, calm=40, long=240)
                add("drift_psi", psi, **both, window=window)
                add("drift_psi_critical", [0.125] * steps, **both, window=window)
                days = episodes(rng, steps, 0.0625, 0.25, 0.5, calm=40, long=240)
                add("drift_reference_psi", days, **both, window=window)
                add("drift_reference_psi_critical", [0.125] * steps, **both, window=window)
                add("drift_samples", [192] * steps, **both, window=window)
            if kind == "prediction":
                continue
            for name in ("missing", "invalid", "out_of_range", "unseen"):
                ratios = episodes(rng, steps, 0.0, 0.0625, 0.25, 0.75)
                add(f"feature_{name}_ratio", ratios, feature=feature, window="1h")
            add("baseline_missing_ratio", [0.03125] * steps, feature=feature)
            add("baseline_unseen_ratio", [0.03125] * steps, feature=feature)
    pending = episodes(rng, steps, 0, 250, 0, long=20)
    world["mlguard_sidecar_events_pending", (("source", "socket"),)] = pending
    return world | quality_world(rng, steps)


def quality_world(rng: random.Random, steps: int) -> World:
    """A model of classes and one of values whose outcomes get worse and better."""
    world: World = {}

    def add(name: str, model: str, values: list, **labels: str) -> None:
        own = {"project": "p", "model": model, "model_endpoint": "predict"}
        world[f"mlguard_{name}", labels_of(**own, **labels)] = values

    add("baseline_accuracy", "classes", [0.875] * steps)
    add("quality_accuracy_drop_threshold", "classes", [0.05] * steps)
    add("baseline_absolute_error_mean", "values", [4] * steps)
    add("quality_error_rise_ratio_threshold", "values", [0.2] * steps)
    for window in ("24h", "7d"):
        accuracy = episodes(rng, steps, 0.875, 0.75, 0.5, 1)
        add("quality_accuracy", "classes", accuracy, window=window)
        add("quality_accuracy_drop_critical", "classes", [0.25] * steps, window=window)
        error = episodes(rng, steps, 4, 4.5, 8, 2)
        add("quality_absolute_error_mean", "values", error, window=window)
        add("quality_error_rise_critical", "values", [1] * steps, window=window)
    return world


def sidecar_world(rng: random.Random, steps: int) -> World:
    """A sidecar with all kinds of trouble, and restarts that set its counters back."""
    counters = [
        ("sidecar_events_received_total", {"source": "socket"}, (100, 300)),
        ("sidecar_events_received_total", {"source": "http"}, (20, 40)),
        ("sidecar_events_rejected_total", {"source": "socket", "reason": "bad_json"}, (0, 7, 230)),
        ("sidecar_events_rejected_total", {"source": "http", "reason": "too_old"}, (0, 1)),
        ("sidecar_client_dropped_events_total", {"source": "socket"}, (0, 3)),
        ("sidecar_series_overflow_total", {"metric": "feature"}, (0, 2)),
        ("sidecar_series_overflow_total", {"metric": "model"}, (0, 0)),
        ("sidecar_store_errors_total", {}, (0, 1)),
        ("notifications_total", {"receiver": "team", "outcome": "sent"}, (0, 1)),
        ("notifications_total", {"receiver": "team", "outcome": "failed"}, (0, 2)),
        ("notifications_total", {"receiver": "team", "outcome": "dropped"}, (0, 1)),
        ("rule_evaluation_failures_total", {}, (0, 4)),
    ]
    world: World = {}
    for name, labels, growth in counters:
        world[f"mlguard_{name}", labels_of(**labels)] = grown(rng, steps, *growth)
    pending = episodes(rng, steps, 0, 250)
    world["mlguard_sidecar_events_pending", (("source", "socket"),)] = pending
    for restart in rng.sample(range(30, steps - 30), 2):
        down = rng.randint(1, 9)
        for key, values in world.items():
            if key[0].endswith("_total"):
                base = values[restart] or 0.0
                values[restart:] = [
                    None if value is None else max(value - base, 0.0) for value in values[restart:]
                ]
            values[restart : restart + down] = [None] * down
    return world


def cost_world(rng: random.Random, steps: int) -> World:
    """Two projects in two accounts over days, and AWS that does not answer for long."""
    world: World = {}
    account = {"account": "main"}
    owners = [
        labels_of(project=project, model=model, model_endpoint="predict", account=of)
        for project, model, of in (("p", "m", "main"), ("p", "n", "other"), ("q", "m", "main"))
    ]
    subjects = [
        *(labels_of(*own, scope="endpoint") for own in owners),
        labels_of(**account, project="q", model="m", scope="model", currency="EUR"),
        labels_of(**account, project="p", scope="project"),
        labels_of(**account, aws_service="Amazon SageMaker", scope="service"),
    ]
    for own in subjects:
        spike = episodes(rng, steps, 0, 1, 0)
        world["mlguard_cost_spike", own] = spike
        world["mlguard_cost_spike_excess_usd", own] = [40.5 * is_one + 0.5 for is_one in spike]
        late = episodes(rng, steps, 0, 1, 0)
        world["mlguard_cost_late_spike_excess_usd", own] = [30.5 if one else None for one in late]
    for own in owners:
        spent = episodes(rng, steps, 30, 45, 70, 10)
        world["mlguard_cost_month_to_date_usd", own] = spent
        forecast = episodes(rng, steps, 40, 85.25, 120, 20)
        world["mlguard_cost_month_forecast_usd", own] = forecast
    world["mlguard_cost_budget_usd", labels_of(project="p")] = [100] * steps
    world["mlguard_cost_budget_usd", labels_of(project="p", model="n")] = [60] * steps
    world["mlguard_cost_budget_usd", labels_of(project="p", currency="EUR")] = [1] * steps
    over_three_days = 460
    up = [0] * 30 + episodes(rng, steps - 40 - over_three_days, 1, 0, long=250)
    up += [1] * 10 + [0] * over_three_days
    last, success = None, []
    for step, is_up in enumerate(up):
        last = step * COST_INTERVAL + 7 if is_up else last
        success.append(last)
    main = labels_of(**account)
    world["mlguard_cost_up", main] = up
    world["mlguard_cost_last_success_timestamp_seconds", main] = success
    quiet = labels_of(**account | {"account": "quiet"})
    world["mlguard_cost_up", quiet] = [0] * steps  # read every time, and without usage
    world["mlguard_cost_last_success_timestamp_seconds", quiet] = [
        step * COST_INTERVAL + 7 for step in range(steps)
    ]
    world["mlguard_cost_untagged_ratio", main] = episodes(rng, steps, 0.125, 0.25, 0.5)
    world["mlguard_cost_untagged_threshold_ratio", ()] = [0.2] * steps
    for tag in ("mlguard:model", "mlguard:project"):
        world["mlguard_cost_tag_active", labels_of(**account, tag=tag)] = episodes(rng, steps, 1, 0)
    return world


COST_INTERVAL = 10 * MINUTE
BUNDLES = {
    "model": (model_world, 420, MINUTE, 2),
    "sidecar": (sidecar_world, 420, MINUTE, 3),
    "cost": (cost_world, 900, COST_INTERVAL, 2),
}
"""What makes the world, the number of steps, seconds between two, and the number of worlds."""


def test_the_world_of_spend_has_the_labels_that_the_exporter_exports():
    exported = {metric.name: set(metric.labels) for metric in SPEND_METRICS}
    make, steps, _, _ = BUNDLES["cost"]
    for metric, labels in make(rng_of("cost"), steps):
        assert {name for name, _ in labels} <= exported[metric]


@pytest.mark.parametrize("name", ["model", "sidecar"])
def test_the_worlds_have_the_labels_that_a_sidecar_exports(name):
    make, steps, _, _ = BUNDLES[name]
    golden = (ROOT / "tests/unit/metrics.golden").read_text()
    exported: dict[str, set] = {}
    for metric, labels in re.findall(r"^(mlguard_\w+)(?:\{(.*)\})? \S+$", golden, re.MULTILINE):
        exported.setdefault(metric, set()).add(tuple(sorted(re.findall(r'(\w+)="', labels))))
    elsewhere = {"mlguard_notifications_total", "mlguard_rule_evaluation_failures_total"}
    used = {(metric, tuple(k for k, _ in labels)) for metric, labels in make(rng_of(name), steps)}
    assert used
    for metric, labels in used:
        assert metric in elsewhere or labels in exported[metric]


def rng_of(name: str, number: int = 0) -> random.Random:
    return random.Random(f"{name}{number}")


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("name", BUNDLES)
def test_bundled_rules_have_the_states_of_prometheus(tmp_path, name):
    make, steps, interval, worlds = BUNDLES[name]
    path = BUNDLED / f"{name}.rules.yml"
    rules = [rule for group in load_rules(path) for rule in group.rules]
    every = {(rule.name, dict(rule.labels)["severity"].source) for rule in rules}
    scenarios, fired, compared, counts = [], set(), 0, Counter()
    for number in range(worlds):
        world = make(rng_of(name, number), steps)
        played = play(path, world, interval)
        assert not played.failed
        firing = [alert for step in played.firing for alerts in step.values() for alert in alerts]
        assert "error expanding" not in str(firing)
        fired |= {
            (labels["alertname"], labels["severity"]) for labels in (dict(a.labels) for a in firing)
        }
        names = {alert for alert, _ in every}
        scenarios.append(scenario(ended(world), played, names, interval, steps))
        compared += states_in(played)
        counts.update(played.counts)
    with ThreadPoolExecutor(2) as pool:
        files = [
            write_tests(tmp_path / f"{i}.test.yml", path, interval, [one])
            for i, one in enumerate(scenarios)
        ]
        for said in pool.map(test_rules, files):
            assert said.ok, said.text[:6000]
    print(f"\n{name}: {steps * worlds} steps, {compared} states compared, {dict(counts)}")
    assert fired == every


@pytest.mark.needs("promtool")
def test_random_tests_pass_and_fail_as_in_promtool(tmp_path, random_rules):
    """The runner of test files, over gaps, ends of series and rules that feed rules."""
    for batch in random_rules[:4]:
        groups = json.loads(batch.path.read_text())["groups"]
        every = [rule for group in groups for rule in group["rules"]]
        records = [rule for rule in every if "record" in rule]
        alerts = [rule for rule in every if "alert" in rule][:8]
        path = tmp_path / "one.rules.yml"
        path.write_text(json.dumps({"groups": [{"name": "one", "rules": [*records, *alerts]}]}))
        played = play(path, batch.world, gaps=batch.gaps)
        expected = scenario(batch.for_promtool, played, names_of(path), MINUTE, STEPS)
        file = write_tests(tmp_path / "one.test.yml", path, MINUTE, [expected])
        assert test_rules(file).ok
        assert run(load_tests(file)) == []
        fires = [check for check in expected["alert_rule_test"] if check["exp_alerts"]]
        rng_of(path.name).choice(fires)["exp_alerts"].pop()
        seen = [check for check in expected["promql_expr_test"] if check["exp_samples"]]
        rng_of(path.name).choice(seen)["exp_samples"].pop()
        file = write_tests(tmp_path / "one.test.yml", path, MINUTE, [expected])
        said = test_rules(file)
        assert not said.ok
        assert len(re.findall("exp:", said.text)) == 2
        assert len(run(load_tests(file))) == 2


VALUES = (
    *("1", "-2", "+3", "1.5", "1e2", "1E-2", ".5", "5.", "_", "_x3", "_x0", "stale", "Inf", "-inf"),
    *("0x3", "1x0", "2+1x3", "1-1x3", "-1-1x2", "1+.5x2", "1e1+1e1x2", "0+0.1x7", "-.5x2"),
)
NO_VALUES = (
    *("1+x3", "x3", "stalex2", "1++2x3", "1+-2x3", "0x", "_3", "__", "infx3", "1+infx3", "STALE"),
    *("1.2.3", "1e", "0b1", "1x2x3", "--1", "_x-1", "1x-2", "1x1.5", "0X3", "1+2", "1 x3"),
)


@pytest.mark.needs("promtool")
def test_values_are_expanded_as_by_promtool(tmp_path):
    rules = tmp_path / "none.rules.yml"
    rules.write_text("groups: []")
    rng, scenarios = rng_of("values"), []
    for _ in range(60):
        text = " ".join(rng.choices(VALUES, k=12))
        values = parse_values(text)
        shown, since, checks = None, 0, []
        for step, value in enumerate(values):
            if value is not None:
                shown, since = (None if isinstance(value, Stale) else value), step
            seen = shown is not None and step - since <= 5
            samples = [{"labels": "x", "value": shown}] if seen else []
            check = {"expr": "x", "eval_time": f"{step}m", "exp_samples": samples}
            checks.append(check)
        series = [{"series": "x", "values": text}]
        scenarios.append({"input_series": series, "promql_expr_test": checks})
    path = tmp_path / "values.test.yml"
    tests = [{"interval": "1m", **one} for one in scenarios]
    path.write_text(yaml.safe_dump({"rule_files": [str(rules)], "tests": tests}))
    said = test_rules(path)
    assert said.ok, said.text[:3000]
    assert run(load_tests(path)) == []
    refused = []
    for number, text in enumerate(NO_VALUES):
        one = {"input_series": [{"series": "x", "values": text}]}
        refused.append(write_tests(tmp_path / f"{number}.test.yml", rules, MINUTE, [one]))
        with pytest.raises(RuleFileError):
            load_tests(refused[-1])
    assert test_rules(*refused).text.count("FAILED") == len(NO_VALUES)


def broken_copies(tests: dict, rng: random.Random) -> list[dict]:
    """Scenarios, each with one thing in it that is not so."""

    def of_one_that(wanted) -> tuple[dict, dict]:
        scenarios = [s for s in tests["tests"] if any(map(wanted, s["alert_rule_test"]))]
        copy = json.loads(json.dumps(rng.choice(scenarios)))
        return copy, rng.choice([c for c in copy["alert_rule_test"] if wanted(c)])

    copies = []
    quiet, check = of_one_that(lambda check: not check["exp_alerts"])
    check["exp_alerts"] = [{"exp_labels": {"severity": "warning"}}]
    copies.append(quiet)
    for key, name, text in (
        ("exp_labels", "severity", "made-up"),
        ("exp_annotations", "summary", "All is well"),
        ("exp_annotations", "unheard", "of"),
    ):
        loud, check = of_one_that(lambda check: check["exp_alerts"])
        check["exp_alerts"][0][key][name] = text
        copies.append(loud)
    loud, check = of_one_that(lambda check: check["exp_alerts"])
    check["exp_alerts"].pop()
    copies.append(loud)
    for number, copy in enumerate(copies):
        copy["name"] = f"broken {number}"
    return copies


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    "name",  # a simulated month of spend takes a minute; promtool runs the same tests of it
    [pytest.param(n, marks=[pytest.mark.long] if n == "cost" else []) for n in BUNDLES],
)
@pytest.mark.timeout(300)
def test_the_rules_own_tests_pass_and_broken_ones_fail(tmp_path, name):
    source = ROOT / f"rules/tests/{name}.test.yml"
    done = CliRunner().invoke(mlguard, ["rules", "test", str(source)])
    assert (done.exit_code, done.output) == (0, f"{source}: SUCCESS\n")
    tests = yaml.safe_load(source.read_text())
    tests["rule_files"] = [str(BUNDLED / f"{name}.rules.yml")]
    tests["tests"] = broken_copies(tests, rng_of(name))
    broken = tmp_path / "broken.test.yml"
    broken.write_text(yaml.safe_dump(tests))
    said = test_rules(broken)
    assert not said.ok
    done = CliRunner().invoke(mlguard, ["rules", "test", str(broken)])
    assert done.exit_code == 1
    names = [f"broken {number}" for number in range(len(tests["tests"]))]
    assert sorted(re.findall(r"name: (broken \d)", said.text)) == names
    assert sorted(re.findall(r"yml:\d+: (broken \d)", done.output)) == names
