"""Results that are reused where nothing changed agree with those that are not."""

from __future__ import annotations

import gc
import random
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample
from support.promql import SERIES, steps
from support.promql_expressions import Generator

from mlguard_rules.alerting import RuleManager
from mlguard_rules.promql import EvaluationError, History, ResultCache, compile_expression
from mlguard_rules.rulefile import load_rules
from mlguard_rules.service import SampleConverter, bundled_file

NOW = 1_800_000_000.0


def result_of(evaluate) -> object:
    try:
        found = evaluate()
    except EvaluationError as error:
        return str(error)
    return sorted(map(repr, found.items())) if isinstance(found, dict) else repr(found)


@given(st.integers(0, 10**6))
def test_random_expressions(seed):
    rng, generator = random.Random(seed), Generator(seed)
    expressions = [compile_expression(generator.expression().text) for _ in range(20)]
    expressions.append(compile_expression("time() - temp"))
    with_reuse, without = History(expressions), History(expressions)
    cache = ResultCache(with_reuse)
    snapshot: dict = {}
    for i, changed in enumerate(steps(seed, 8)):
        snapshot = {
            metric: changed.get(metric, []) if rng.random() < 0.4 else snapshot.get(metric, [])
            for metric in SERIES
        }
        at = NOW + 15 * i
        with_reuse.append(at, snapshot)
        without.append(at, {metric: list(samples) for metric, samples in snapshot.items()})
        if rng.random() < 0.3:
            recorded = {(("zone", "eu"),): rng.random()} if i % 2 else {}
            for history in (with_reuse, without):
                history.record(at, "limit", recorded)
        for expression in expressions:
            assert result_of(lambda e=expression, t=at: cache.evaluate(e, t)) == result_of(
                lambda e=expression, t=at: e.evaluate(t, without)
            ), expression.text


def test_what_depends_on_nothing_but_unchanged_samples_is_not_evaluated_again():
    texts = {
        "temp > 3": True,
        "sum by (zone) (temp) / on (zone) limit": True,
        "absent(ghost)": True,
        "time() - temp": False,
        "rate(hits_total[1m])": False,
        "max_over_time(temp[1m])": False,
    }
    expressions = [compile_expression(text) for text in texts]
    history = History(expressions)
    cache = ResultCache(history)
    snapshot = steps(1, 1)[0] | {"ghost": []}
    results = []
    for i in range(2):
        history.append(NOW + 15 * i, snapshot)
        results.append([cache.evaluate(expression, NOW + 15 * i) for expression in expressions])
    reused = [one is other for one, other in zip(*results, strict=True)]
    assert reused == list(texts.values())


def metric(name: str, values: dict[str, float]) -> Metric:
    made = Metric(name, "", "gauge")
    made.samples = [Sample(name, {"b": "", "model": m}, value) for m, value in values.items()]
    return made


def test_only_metrics_that_changed_are_converted():
    converter, names = SampleConverter(), frozenset({"a", "b"})
    a, b, c = metric("a", {"x": 1}), metric("b", {"x": 2}), metric("c", {"x": 3})
    first = converter.convert([a, b, c], names)
    assert first == {"a": [((("model", "x"),), 1.0)], "b": [((("model", "x"),), 2.0)]}
    changed = metric("b", {"x": 2})
    second = converter.convert([a, changed, c], names)
    assert second == first
    assert second["a"] is first["a"]
    assert second["b"] is not first["b"]
    assert second["b"][0][0] is first["b"][0][0], "labels are the same objects"
    wider = converter.convert([a, changed, c], names | {"c"})
    assert set(wider) == {"a", "b", "c"}


def test_metrics_are_not_held_and_old_results_are_deleted():
    converter, names = SampleConverter(), frozenset({"a"})
    expressions = [compile_expression(text) for text in ('a{model="x"}', "a > 0", "sum(a)")]
    history = History(expressions)
    cache = ResultCache(history)
    for i in range(10):
        made = metric("a", {"x": i})
        history.append(NOW + i, converter.convert([made], names))
        cache.prune(NOW + i)
        for expression in [*expressions, compile_expression(f'a{{model="y{i}"}}')]:
            cache.evaluate(expression, NOW + i)
        held = weakref.ref(made)
        del made
        gc.collect()
        assert held() is None
    assert len(cache._results) == 4
    assert len(history._selected) <= 4


def test_a_metric_in_several_parts_changes_with_each_of_them():
    converter, names = SampleConverter(), frozenset({"a"})
    one, other = metric("a", {"x": 1}), metric("a", {"y": 2})
    snapshots = [converter.convert([one, part], names)["a"] for part in (other, other)]
    assert snapshots[0] is snapshots[1]
    third = converter.convert([one, metric("a", {"y": 3})], names)["a"]
    assert third is not snapshots[1]
    assert [value for _, value in third] == [1, 3]
    assert [value for _, value in converter.convert([one], names)["a"]] == [1]


RULES = """\
groups:
  - name: g
    rules:
      - record: double
        expr: 2 * load
      - alert: Hot
        expr: temp > 5
        for: 30s
        keep_firing_for: 30s
        labels: {zone: "{{ $labels.model }}"}
        annotations:
          limit: '{{ printf "limit{model=%q}" $labels.model | query | first | value }}'
          age: '{{ query "time()" | first | value }}'
      - alert: Named
        expr: temp > 7
        annotations: {other: '{{ printf "%s" $labels.b | query | first | value }}'}
      - alert: Limited
        expr: temp > ignoring (b) limit
        annotations:
          limit: '{{ printf "limit{model=%q}" $labels.model | query | first | value }}'
          metric: '{{ printf "%s" "load" | query | first | value }}'
      - alert: Loaded
        expr: double > 9 or absent(load)
"""


@pytest.mark.parametrize("seed", range(20))
def test_rules_with_templates_over_metrics_that_change_now_and_then(tmp_path, seed):
    rng = random.Random(seed)
    (tmp_path / "rules.yml").write_text(RULES)
    groups = load_rules(tmp_path / "rules.yml")
    managers = [RuleManager(groups, 15.0) for _ in range(2)]
    reusing = SampleConverter()
    metrics = {
        name: metric(name, {m: rng.randrange(10) for m in "xyz"})
        for name in ("temp", "load", "limit")
    }
    for i in range(40):
        for name in metrics:
            if rng.random() < 0.2:
                models = [m for m in "xyz" if rng.random() < 0.8]
                metrics[name] = metric(name, {m: rng.randrange(10) for m in models})
        names = managers[0].metric_names
        snapshots = [
            reusing.convert(metrics.values(), names),
            SampleConverter().convert(metrics.values(), names),
        ]
        ours, theirs = (
            manager.evaluate(NOW + 15 * i, snapshot)
            for manager, snapshot in zip(managers, snapshots, strict=True)
        )
        assert ours == theirs
        assert managers[0].alerts == managers[1].alerts


def test_bundled_rules_ask_for_what_they_and_their_templates_read():
    groups = [group for name in ("model", "sidecar") for group in load_rules(bundled_file(name))]
    names = RuleManager(groups, 15.0).metric_names
    assert {
        "mlguard_drift_psi",
        "mlguard_drift_psi_critical",
        "mlguard_latency_p95_threshold_seconds",  # read by templates too
        "mlguard_sidecar_events_rejected_total",
    } <= names
    assert all(name.startswith("mlguard_") for name in names)
    assert "mlguard_feature_mean" not in names


def test_a_template_that_names_its_metric_by_a_label_gets_it_when_it_asks(tmp_path):
    (tmp_path / "rules.yml").write_text(
        "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: temp > 1\n"
        "        annotations: {v: '{{ printf \"%s\" $labels.model | query | first | value }}'}\n"
    )
    asked = []

    def fetch(names: frozenset[str]):
        asked.append(names)
        return SampleConverter().convert([metric("hidden", {"x": 42})], names)

    manager = RuleManager(load_rules(tmp_path / "rules.yml"), 15.0, fetch=fetch)
    converter = SampleConverter()
    metrics = [metric("temp", {"hidden": 5}), metric("hidden", {"x": 42})]
    for i in range(3):
        manager.evaluate(NOW + 15 * i, converter.convert(metrics, manager.metric_names))
        assert [dict(alert.annotations) for alert in manager.alerts] == [{"v": "42"}]
    assert asked == [frozenset({"hidden"})]
    assert "hidden" in manager.metric_names
    metrics[1] = metric("hidden", {"x": 43})
    manager.evaluate(NOW + 45, converter.convert(metrics, manager.metric_names))
    assert [dict(alert.annotations) for alert in manager.alerts] == [{"v": "43"}]
