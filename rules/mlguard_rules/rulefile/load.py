"""Parses rule files."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

import yaml

from mlguard_rules.errors import TemplateError, UnsupportedError
from mlguard_rules.promql import Expression, compile_expression
from mlguard_rules.rulefile.document import Document, Fields, line_of
from mlguard_rules.rulefile.rules import AlertRule, RecordingRule, RuleGroup
from mlguard_rules.templates import Template
from mlguard_rules.templates import parse as parse_template

if TYPE_CHECKING:
    from pathlib import Path

_FILE_KEYS = ("groups",)
_GROUP_KEYS = ("name", "interval", "rules")
_RECORDING_KEYS = ("record", "expr", "labels")
_ALERT_KEYS = ("alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_RESERVED = ("ALERTS", "ALERTS_FOR_STATE")


def load_rules(path: Path) -> tuple[RuleGroup, ...]:
    """Return the groups of a rule file.

    The `interval` of a group is checked and ignored: all rules are evaluated together.

    Raises:
        RuleFileError: it cannot be read, is no rule file, or has a rule outside the subset.
    """
    return _Parser(path).groups()


class _Parser:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._document = Document(path)
        self._error = self._document.error
        self._text = self._document.text
        self._fields = self._document.fields
        self._items = self._document.items

    def groups(self) -> tuple[RuleGroup, ...]:
        fields = self._fields(self._document.root("groups"), _FILE_KEYS, "a rule file")
        groups: list[RuleGroup] = []
        for node in self._items(fields, "groups"):
            group = self._group(node)
            if any(group.name == other.name for other in groups):
                raise self._error(node, f"a second group {group.name!r}")
            groups.append(group)
        return tuple(groups)

    def _group(self, node: yaml.Node) -> RuleGroup:
        fields = self._fields(node, _GROUP_KEYS, "a group")
        name = self._text(fields["name"]) if "name" in fields else ""
        if not name:
            raise self._error(node, "a group without a name")
        self._seconds(fields, "interval")
        ids: Counter[str] = Counter()
        return RuleGroup(
            name,
            tuple(self._rule(part, name, ids) for part in self._items(fields, "rules")),
        )

    def _rule(self, node: yaml.Node, group: str, ids: Counter[str]) -> RecordingRule | AlertRule:
        is_alert = isinstance(node, yaml.MappingNode) and any(
            key.value == "alert" for key, _ in node.value
        )
        fields = self._document.fields(
            node, _ALERT_KEYS if is_alert else _RECORDING_KEYS, "this rule"
        )
        kind = "alert" if is_alert else "record"
        if kind not in fields:
            raise self._error(node, "a rule with neither alert nor record")
        name = self._text(fields[kind])
        if not name:
            raise self._error(node, f"an empty {kind}")
        expression = self._expression(node, fields, name)
        labels = self._templates(fields, "labels")
        if not is_alert:
            if not _METRIC.fullmatch(name):
                raise self._error(node, f"{name!r} is not the name of a metric")
            plain = sorted((label, template.source) for label, template in labels)
            return RecordingRule(name, expression, tuple(plain))
        for label, _ in labels:
            if label == "alertname":
                raise self._error(node, "the label alertname is the alert's name")
        identity = "\x1f".join(
            [self._path.name, group, name, *(f"{k}={t.source}" for k, t in labels)]
        )
        ids[identity] += 1
        digest = hashlib.sha256(f"{identity}\x1f{ids[identity]}".encode()).hexdigest()
        return AlertRule(
            id=digest[:16],
            name=name,
            expression=expression,
            for_seconds=self._seconds(fields, "for"),
            keep_firing_seconds=self._seconds(fields, "keep_firing_for"),
            labels=labels,
            annotations=self._templates(fields, "annotations"),
            location=f"{self._path.name}:{line_of(node)}",
        )

    def _expression(self, node: yaml.Node, fields: Fields, name: str) -> Expression:
        if "expr" not in fields:
            raise self._error(node, f"{name} has no expr")
        value = fields["expr"]
        try:
            expression = compile_expression(self._text(value))
        except UnsupportedError as error:
            raise self._error(value, f"{name}: {error}") from error
        for own in _RESERVED:
            if own in expression.metrics:
                raise self._error(value, f"{name}: the engine's rules cannot read {own}")
        return expression

    def _templates(self, fields: Fields, key: str) -> tuple[tuple[str, Template], ...]:
        if key not in fields:
            return ()
        node = fields[key]
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"{key}: expected names and texts")
        found: dict[str, Template] = {}
        for name_node, text_node in node.value:
            name = self._text(name_node)
            if not _LABEL.fullmatch(name) or name == "__name__":
                raise self._error(name_node, f"{name!r} cannot be the name of one of the {key}")
            if name in found:
                raise self._error(name_node, f"a second {name!r}")
            try:
                found[name] = parse_template(self._text(text_node))
            except TemplateError as error:
                raise self._error(text_node, f"{name}: {error}") from error
        return tuple(found.items())

    def _seconds(self, fields: Fields, key: str) -> float:
        return self._document.milliseconds(fields[key]) / 1000 if key in fields else 0.0
