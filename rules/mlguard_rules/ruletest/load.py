"""Parses promtool's test files."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from mlguard_rules.errors import NotationError, UnsupportedError
from mlguard_rules.promql import compile_expression
from mlguard_rules.rulefile import Document, Fields, line_of, load_rules
from mlguard_rules.ruletest.notation import parse_labels, parse_series
from mlguard_rules.ruletest.scenario import (
    AlertCheck,
    Check,
    Firing,
    InputSeries,
    QueryCheck,
    RuleTests,
    Sample,
    Scenario,
)

if TYPE_CHECKING:
    import yaml

    from mlguard_rules.rulefile import RuleGroup

_UNSUPPORTED_KEYS = {
    "group_eval_order": "groups are evaluated in the order of the files",
    "external_labels": "the embedded engine does not evaluate with them",
    "external_url": "the embedded engine has none",
}
_FILE_KEYS = ("rule_files", "evaluation_interval", "tests", "group_eval_order")
_SCENARIO_KEYS = (
    *("name", "interval", "input_series", "alert_rule_test", "promql_expr_test"),
    *("external_labels", "external_url"),
)
_ALERT_KEYS = ("eval_time", "alertname", "exp_alerts")
_QUERY_KEYS = ("expr", "eval_time", "exp_samples")
_MINUTE = 60_000


def load_tests(path: Path) -> RuleTests:
    """Return the tests of a file, and the rule files that it names relative to its folder.

    Raises:
        RuleFileError: it or a rule file cannot be read or parsed, or is outside the supported
            subset.
    """
    document = Document(path)
    root = document.root("rule_files and tests")
    fields = document.fields(root, _FILE_KEYS, "a test file")
    _refuse(document, fields)
    interval = _MINUTE
    if "evaluation_interval" in fields:
        interval = _interval(document, fields["evaluation_interval"])
    groups: list[RuleGroup] = []
    for node in document.items(fields, "rule_files"):
        groups += _rules(document, node, path.parent)
    scenarios = tuple(_scenario(document, node) for node in document.items(fields, "tests"))
    return RuleTests(path, tuple(groups), interval, scenarios)


def _refuse(document: Document, fields: Fields) -> None:
    for key, reason in _UNSUPPORTED_KEYS.items():
        if key in fields:
            raise document.error(fields[key], f"{key} is not supported: {reason}")


def _interval(document: Document, node: yaml.Node) -> int:
    milliseconds = document.milliseconds(node)
    if milliseconds <= 0:
        raise document.error(node, "expected an interval longer than 0")
    return milliseconds


def _rules(document: Document, node: yaml.Node, folder: Path) -> list[RuleGroup]:
    pattern = document.text(node)
    files = sorted(glob.glob(str(folder / pattern)))  # noqa: PTH207 - also absolute ones
    if not files:
        raise document.error(node, f"no rule file {pattern}")
    return [group for file in files for group in load_rules(Path(file))]


def _scenario(document: Document, node: yaml.Node) -> Scenario:
    fields = document.fields(node, _SCENARIO_KEYS, "a test")
    _refuse(document, fields)
    series: dict[object, InputSeries] = {}
    for part in document.items(fields, "input_series"):
        one = _series(document, part)
        if (one.metric, one.labels) in series:
            raise document.error(part, "a second series of this metric with these labels")
        series[one.metric, one.labels] = one
    checks: list[Check] = [
        *(_alert_check(document, part) for part in document.items(fields, "alert_rule_test")),
        *(_query_check(document, part) for part in document.items(fields, "promql_expr_test")),
    ]
    return Scenario(
        name=document.text(fields["name"]) if "name" in fields else "",
        line=line_of(node),
        interval=_interval(document, document.required(fields, "interval", node)),
        series=tuple(series.values()),
        checks=tuple(checks),
    )


def _series(document: Document, node: yaml.Node) -> InputSeries:
    fields = document.fields(node, ("series", "values"), "a series")
    series, values = (document.required(fields, key, node) for key in ("series", "values"))
    try:
        return parse_series(document.text(series), document.text(values))
    except NotationError as error:
        raise document.error(values, str(error)) from error


def _alert_check(document: Document, node: yaml.Node) -> AlertCheck:
    fields = document.fields(node, _ALERT_KEYS, "an alert_rule_test")
    name = document.text(document.required(fields, "alertname", node))
    expected = [_firing(document, part, name) for part in document.items(fields, "exp_alerts")]
    return AlertCheck(line_of(node), _time(document, fields), name, tuple(sorted(expected)))


def _firing(document: Document, node: yaml.Node, name: str) -> Firing:
    fields = document.fields(node, ("exp_labels", "exp_annotations"), "an expected alert")
    labels = document.texts(fields, "exp_labels") | {"alertname": name}
    annotations = document.texts(fields, "exp_annotations")
    return tuple(sorted(labels.items())), tuple(sorted(annotations.items()))


def _query_check(document: Document, node: yaml.Node) -> QueryCheck:
    fields = document.fields(node, _QUERY_KEYS, "a promql_expr_test")
    place = document.required(fields, "expr", node)
    try:
        expression = compile_expression(document.text(place))
    except UnsupportedError as error:
        raise document.error(place, f"expr: {error}") from error
    expected = [_sample(document, part) for part in document.items(fields, "exp_samples")]
    return QueryCheck(line_of(node), _time(document, fields), expression, tuple(sorted(expected)))


def _sample(document: Document, node: yaml.Node) -> Sample:
    fields = document.fields(node, ("labels", "value"), "an expected sample")
    labels = document.text(fields["labels"]) if "labels" in fields else "{}"
    try:
        parsed = parse_labels(labels)
    except NotationError as error:
        raise document.error(fields["labels"], str(error)) from error
    return parsed, document.number(fields["value"]) if "value" in fields else 0.0


def _time(document: Document, fields: Fields) -> int:
    return document.milliseconds(fields["eval_time"]) if "eval_time" in fields else 0
