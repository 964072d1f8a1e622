"""From a YAML file to groups of rules."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

import yaml

from mlguard_rules.promql import Expression, UnsupportedError, compile_expression
from mlguard_rules.rulefile.model import AlertRule, Group, RecordingRule, RuleFileError
from mlguard_rules.templates import Template, TemplateError
from mlguard_rules.templates import parse as parse_template

if TYPE_CHECKING:
    from pathlib import Path

_FILE_KEYS = ("groups",)
_GROUP_KEYS = ("name", "interval", "rules")
_RECORDING_KEYS = ("record", "expr", "labels")
_ALERT_KEYS = ("alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?"
)
_UNIT_SECONDS = (31_536_000, 604_800, 86_400, 3600, 60, 1, 0.001)
_OWN = ("ALERTS", "ALERTS_FOR_STATE")

Fields = dict[str, tuple[yaml.Node, yaml.Node]]


def load_rules(path: Path) -> tuple[Group, ...]:
    """Read a rule file.

    A group's `interval` is read and not heeded: the engine has one for all rules.

    Raises:
        RuleFileError: it cannot be read, is no rule file, or has a rule outside the subset.
    """
    return _Reader(path).groups()


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def _error(self, node: yaml.Node, reason: str) -> RuleFileError:
        return RuleFileError(self._path, node.start_mark.line + 1, reason)

    def groups(self) -> tuple[Group, ...]:
        fields = self._fields(self._root(), _FILE_KEYS, "a rule file")
        groups: list[Group] = []
        for node in self._items(fields, "groups"):
            group = self._group(node)
            if any(group.name == other.name for other in groups):
                raise self._error(node, f"a second group {group.name!r}")
            groups.append(group)
        return tuple(groups)

    def _root(self) -> yaml.Node:
        try:
            text = self._path.read_text(encoding="utf-8")
            root = yaml.compose(text, Loader=yaml.CSafeLoader)
        except OSError as error:
            raise RuleFileError(self._path, 1, f"cannot be read: {error.strerror}") from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise RuleFileError(self._path, line, f"not YAML: {error.problem}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise RuleFileError(self._path, 1, f"not YAML: {reason}") from error
        if root is None:
            raise RuleFileError(self._path, 1, "the file is empty; expected groups")
        return root

    def _fields(self, node: yaml.Node, known: tuple[str, ...], what: str) -> Fields:
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"expected {what}, which is keys and values")
        fields: Fields = {}
        for key, value in node.value:
            name = self._text(key)
            if name not in known:
                raise self._error(key, f"unknown key {name!r}; {what} has {', '.join(known)}")
            if name in fields:
                raise self._error(key, f"a second key {name!r}")
            fields[name] = (key, value)
        return fields

    def _items(self, fields: Fields, key: str) -> list[yaml.Node]:
        if key not in fields:
            return []
        node = fields[key][1]
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        if isinstance(node, yaml.ScalarNode) and not node.value:
            return []
        raise self._error(node, f"{key}: expected a list")

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "expected a text")
        return str(node.value)

    def _group(self, node: yaml.Node) -> Group:
        fields = self._fields(node, _GROUP_KEYS, "a group")
        name = self._text(fields["name"][1]) if "name" in fields else ""
        if not name:
            raise self._error(node, "a group without a name")
        self._seconds(fields, "interval")
        ids: Counter[str] = Counter()
        return Group(
            name, tuple(self._rule(part, name, ids) for part in self._items(fields, "rules"))
        )

    def _rule(self, node: yaml.Node, group: str, ids: Counter[str]) -> RecordingRule | AlertRule:
        is_alert = isinstance(node, yaml.MappingNode) and any(
            key.value == "alert" for key, _ in node.value
        )
        fields = self._fields(node, _ALERT_KEYS if is_alert else _RECORDING_KEYS, "this rule")
        kind = "alert" if is_alert else "record"
        if kind not in fields:
            raise self._error(node, "a rule with neither alert nor record")
        name = self._text(fields[kind][1])
        if not name:
            raise self._error(node, f"an empty {kind}")
        expression = self._expression(node, fields, name)
        labels = self._templates(fields, "labels")
        if not is_alert:
            if not _METRIC.fullmatch(name):
                raise self._error(node, f"{name!r} is no name of a metric")
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
            place=f"{self._path.name}:{node.start_mark.line + 1}",
        )

    def _expression(self, node: yaml.Node, fields: Fields, name: str) -> Expression:
        if "expr" not in fields:
            raise self._error(node, f"{name} has no expr")
        place = fields["expr"][1]
        try:
            expression = compile_expression(self._text(place))
        except UnsupportedError as error:
            raise self._error(place, f"{name}: {error}") from error
        for own in _OWN:
            if own in expression.metrics:
                raise self._error(place, f"{name}: the engine's rules cannot read {own}")
        return expression

    def _templates(self, fields: Fields, key: str) -> tuple[tuple[str, Template], ...]:
        if key not in fields:
            return ()
        node = fields[key][1]
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"{key}: expected names and texts")
        found: dict[str, Template] = {}
        for name_node, text_node in node.value:
            name = self._text(name_node)
            if not _LABEL.fullmatch(name) or name == "__name__":
                raise self._error(name_node, f"{name!r} is no name for one of the {key}")
            if name in found:
                raise self._error(name_node, f"a second {name!r}")
            try:
                found[name] = parse_template(self._text(text_node))
            except TemplateError as error:
                raise self._error(text_node, f"{name}: {error}") from error
        return tuple(found.items())

    def _seconds(self, fields: Fields, key: str) -> float:
        if key not in fields:
            return 0.0
        node = fields[key][1]
        text = self._text(node)
        found = _DURATION.fullmatch(text)
        if not text or not found:
            raise self._error(node, f"{key}: found {text!r}, expected a duration such as 5m")
        amounts = zip(found.groups(), _UNIT_SECONDS, strict=True)
        return float(sum(int(amount or 0) * unit for amount, unit in amounts))
