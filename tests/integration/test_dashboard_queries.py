"""Every query of the dashboards returns what its panel shows, from a Prometheus with a fortnight.

Running sidecars, two of them in a fleet's mode, and a running exporter are scraped at simulated
times; the bundled rules are evaluated over what was scraped.
"""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import ExitStack
from math import isfinite

import pytest
from support import engines, recorded
from support.dashboards import ALL, Span, load, queries, values_of
from support.fortnight import DAY, END, HOUR, Fortnight, Schedule
from support.remote_write import RemoteWriter

from mlguard_dashboards import DASHBOARDS

MOST_SERIES = 1000
CHURN = {"project": "shop", "model": "churn", "endpoint": "predict"}
PRICE = CHURN | {"model": "price"}
FRAUD = {"project": "bank", "model": "fraud", "endpoint": "predict"}
"""A model of sidecars with exposition: fleet."""

CHOICES: dict[str, list[dict[str, str]]] = {
    "fleet": [{"project": ALL, "model": ALL}, {"project": "shop|bank", "model": "churn|fraud"}],
    "model": [CHURN | {"window": "1h"}, PRICE | {"window": "5m"}, FRAUD | {"window": ""}],
    "feature": [
        CHURN | {"feature": "age", "window": "24h"},
        CHURN | {"feature": "plan", "window": "1h"},
        PRICE | {"feature": "area", "window": "1h"},
        FRAUD | {"feature": "amount", "window": "1d"},
    ],
    "cost": [{"account": ALL, "project": ALL}],
    "health": [{"instance": ALL}],
}
LATEST = Span(END - 40 * 60, END, 60, "6h", "4m")
SPANS = {"cost": Span(END - 10 * DAY, END, 4 * HOUR, "10d", "16h")}

RIGHTLY_EMPTY: dict[str, str] = {
    "Rejected events, refused requests and connections C": "no connection is refused",
    "Spikes C": "AWS reports no day late",
    "Budgets F": "the last month is shown in the first three days of a month only",
    "Charges of the month that are not usage, and other currencies B": "all spend is in dollars",
    "Notifications B": "every notification is accepted",
    "Values that are not counted as sent B": "no limit on names is reached",
    "Values that are not counted as sent C": "IDs are kept until their outcomes come",
}
"""Queries without data, and why there is none in this fortnight."""


@pytest.fixture
def feed(fake_aws, hook, tmp_path):
    """Fill an engine, and return it."""
    with ExitStack() as stack:

        def start(kind):
            engine = stack.enter_context(kind(tmp_path / "engine"))
            writer, schedule = RemoteWriter(engine.url), Schedule()
            Fortnight(tmp_path, fake_aws, writer, hook.url, schedule).run()
            recorded.evaluate(engine, writer, schedule.evaluations)
            return engine

        yield start


def chosen_of(engine, name, choice, span):
    """A choice with all variables, each of which must be on offer."""
    chosen = dict(choice)
    for variable in load(name)["templating"]["list"]:
        if variable["type"] != "query":
            continue
        offered = values_of(engine, variable, span, chosen)
        value = chosen.setdefault(variable["name"], offered[0] if offered else "")
        assert value in ("", ALL) or set(value.split("|")) <= set(offered), variable["name"]
        assert value or not offered
    return chosen


def check_shape(query, series):
    """Fail unless a panel can show these series as it is meant to."""
    kind = query.panel.get("type")
    assert len(series) <= MOST_SERIES
    names = [tuple(sorted(each["metric"].items())) for each in series]
    assert len(set(names)) == len(names)
    for each in series:
        points = each.get("values") or [each["value"]]
        assert any(isfinite(float(value)) for _, value in points)
        for label in re.findall(r"{{(\w+)}}", query.legend):
            # an empty label is spend of no project
            assert label in each["metric"] or label in ("project", "model", "model_endpoint")
    if kind == "stat":
        assert len(series) <= 1
    if kind == "heatmap":
        assert all("le" in each["metric"] for each in series)
    if kind == "timeseries" and "{{" not in query.legend:
        assert len(series) <= 1
    if kind == "table":
        shown = query.panel["transformations"][-1]["options"]["renameByName"]
        rows = [tuple(each["metric"].get(name) for name in shown) for each in series]
        if query.panel["title"] != "Firing alerts":
            assert len(set(rows)) == len(rows)
            assert all(set(each["metric"]) <= set(shown) for each in series)


def serves_fleets(query):
    """Whether a panel says that it needs no gauges of windows."""
    text = query.panel.get("description", "")
    return "exposition: fleet" in text and "exposition: full" not in text


def run_all(engine, dashboards=tuple(DASHBOARDS)):
    """Run every query; return what is wrong."""
    wrong = []
    for name in dashboards:
        span = SPANS.get(name, LATEST)
        found = defaultdict(int)
        for choice in CHOICES[name]:
            chosen = chosen_of(engine, name, choice, span)
            for query in queries(load(name)):
                try:
                    series = query.run(engine, span, chosen)
                    check_shape(query, series)
                except AssertionError as error:
                    wrong.append(f"{name}: {query.place} {choice}: {error}")
                    continue
                found[query.place] += len(series)
                if choice["project" if "project" in choice else "instance"] == "bank":
                    first = query.place.endswith(" A") and serves_fleets(query)
                    if first and not series:
                        wrong.append(f"{name}: {query.place}: nothing for a fleet")
        for place, n in found.items():
            if not n and place not in RIGHTLY_EMPTY:
                wrong.append(f"{name}: {place} is empty")
            if n and place in RIGHTLY_EMPTY:
                wrong.append(f"{name}: {place} is not empty")
    return wrong


def value_of(engine, title, chosen):
    """The sum of what a panel of Feature shows at the end."""
    (query,) = (q for q in queries(load("feature")) if q.panel.get("title") == title)
    last = [each.get("values", [each.get("value")])[-1] for each in query.run(
        engine, LATEST, chosen)]  # fmt: skip
    return sum(float(value) for _, value in last)


@pytest.mark.needs("prometheus")
@pytest.mark.timeout(300)
def test_every_query_returns_what_its_panel_shows(feed):
    engine = feed(engines.prometheus)
    assert run_all(engine) == []
    for choice in CHOICES["feature"]:
        chosen = chosen_of(engine, "feature", choice, LATEST)
        moved = value_of(engine, "Bins that moved", chosen)
        assert moved == pytest.approx(value_of(engine, "PSI", chosen), rel=0.02)


def widen(engine, features):
    """Add a model like churn, but with many features."""
    writer = RemoteWriter(engine.url)
    for series in engine.instant('{project="shop", model="churn", instance="shop"}', END):
        labels = series["metric"] | {"model": "wide"}
        if labels.get("feature", "age") == "age":
            for n in range(features if "feature" in labels else 1):
                named = labels | ({"feature": f"f{n}"} if "feature" in labels else {})
                at = [(END - 60 * k, float(series["value"][1])) for k in range(10, -1, -1)]
                writer.add(named, at)
    writer.send()


@pytest.mark.long
@pytest.mark.needs("prometheus")
@pytest.mark.timeout(300)
def test_a_model_with_as_many_features_as_there_may_be_does_not_flood_a_panel(feed):
    engine = feed(engines.prometheus)
    widen(engine, 512)
    wide = CHURN | {"model": "wide", "window": "1h"}
    choices = {"model": wide, "feature": wide | {"feature": "f7"}, "fleet": CHOICES["fleet"][0]}
    for name, choice in choices.items():
        chosen = chosen_of(engine, name, choice, LATEST)
        for query in queries(load(name)):
            assert len(query.run(engine, LATEST, chosen)) <= MOST_SERIES, query.place


@pytest.mark.long
@pytest.mark.needs("victoria-metrics")
@pytest.mark.timeout(600)
def test_victoria_metrics_answers_them_too(feed):
    assert run_all(feed(engines.victoria_metrics)) == []
