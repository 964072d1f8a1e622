"""Parses the rules of rule files."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from mlguard_rules.errors import RuleFileError, TemplateError, UnsupportedError
from mlguard_rules.promql import Expression, compile_expression
from mlguard_rules.rulefile.document import is_null, line_of
from mlguard_rules.rulefile.rules import AlertRule, RecordingRule
from mlguard_rules.templates import Template
from mlguard_rules.templates import parse as parse_template

if TYPE_CHECKING:
    from pathlib import Path

    import yaml

    from mlguard_rules.rulefile.document import Document, Fields

_KEYS = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_ALERT_ONLY = ("for", "keep_firing_for", "annotations")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_RESERVED = ("ALERTS", "ALERTS_FOR_STATE")


class RuleParser:
    """Parses rules, and collects why some cannot be used.

    Args:
        path: of the file.
        document: that holds the rules.

    Attributes:
        errors: one for each part that cannot be used.
    """

    def __init__(self, path: Path, document: Document) -> None:
        self._path = path
        self._document = document
        self._ids: Counter[str] = Counter()
        self.errors: list[RuleFileError] = []

    def rule(self, node: yaml.Node, group: str, limit: int) -> RecordingRule | AlertRule | None:
        """Return a rule, None if it cannot be used.

        Args:
            node: of the rule.
            group: name of its group.
            limit: results that it may have, 0 if any number.
        """
        before = len(self.errors)
        try:
            rule = self._rule(node, group, limit)
        except RuleFileError as error:
            self.errors.append(error)
        return rule if len(self.errors) == before else None

    def _rule(self, node: yaml.Node, group: str, limit: int) -> RecordingRule | AlertRule | None:
        fields = self._document.fields(node, _KEYS, "a rule")
        record, alert = (
            self._document.text(fields[key]) if key in fields else "" for key in ("record", "alert")
        )
        if bool(record) == bool(alert):
            count = "both" if record else "neither"
            raise self._document.error(node, f"a rule with {count} of alert and record")
        expression = self._expression(node, fields, record or alert, limit)
        location = f"{self._path.name}:{line_of(node)}"
        if alert:
            return self._alert(fields, alert, group, expression, location)
        return self._recording(fields, record, expression, location)

    def _recording(
        self, fields: Fields, name: str, expression: Expression | None, location: str
    ) -> RecordingRule | None:
        if not _METRIC.fullmatch(name):
            raise self._document.error(fields["record"], f"{name!r} is not the name of a metric")
        for key in _ALERT_ONLY:
            if key not in fields or is_null(fields[key]):
                continue
            if self._document.seconds(fields, key) if "for" in key else fields[key].value:
                raise self._document.error(fields[key], f"{name}: only an alert has {key}")
        labels = self._document.texts(fields, "labels")
        for label_node, _ in self._document.text_nodes(fields, "labels"):
            self._check_label(label_node, "labels", "__name__")
        if expression is None:
            return None
        return RecordingRule(name, expression, tuple(sorted(labels.items())), location)

    def _alert(
        self, fields: Fields, name: str, group: str, expression: Expression | None, location: str
    ) -> AlertRule | None:
        labels = self._templates(fields, "labels", ("__name__", "alertname"))
        annotations = self._templates(fields, "annotations", ())
        for_seconds = self._document.seconds(fields, "for")
        keep_firing_seconds = self._document.seconds(fields, "keep_firing_for")
        if expression is None:
            return None
        return AlertRule(
            id=self._id(group, name, labels),
            name=name,
            expression=expression,
            for_seconds=for_seconds,
            keep_firing_seconds=keep_firing_seconds,
            labels=labels,
            annotations=annotations,
            location=location,
        )

    def _id(self, group: str, name: str, labels: tuple[tuple[str, Template], ...]) -> str:
        identity = "\x1f".join(
            [self._path.name, group, name, *(f"{k}={t.source}" for k, t in labels)]
        )
        self._ids[identity] += 1
        return hashlib.sha256(f"{identity}\x1f{self._ids[identity]}".encode()).hexdigest()[:16]

    def _expression(
        self, node: yaml.Node, fields: Fields, name: str, limit: int
    ) -> Expression | None:
        if "expr" not in fields:
            self.errors.append(self._document.error(node, f"{name} has no expr"))
            return None
        value = fields["expr"]
        try:
            expression = compile_expression(self._document.text(value))
        except UnsupportedError as error:
            self.errors.append(self._document.error(value, f"{name}: {error}"))
            return None
        for own in _RESERVED:
            if own in expression.metrics:
                reason = f"{name}: the engine's rules cannot read {own}"
                self.errors.append(self._document.error(value, reason))
        return replace(expression, limit=limit)

    def _templates(
        self, fields: Fields, key: str, refused: tuple[str, ...]
    ) -> tuple[tuple[str, Template], ...]:
        found: list[tuple[str, Template]] = []
        for name_node, text_node in self._document.text_nodes(fields, key):
            name = self._check_label(name_node, key, *refused)
            text = "" if is_null(text_node) else self._document.text(text_node)
            try:
                found.append((name, parse_template(text)))
            except TemplateError as error:
                self.errors.append(self._document.error(text_node, f"{name}: {error}"))
        return tuple(found)

    def _check_label(self, node: yaml.Node, key: str, *refused: str) -> str:
        name = self._document.text(node)
        if not _LABEL.fullmatch(name) or name in refused:
            reason = f"{name!r} cannot be the name of one of the {key}"
            if name == "alertname":
                reason = "the label alertname is the alert's name"
            self.errors.append(self._document.error(node, reason))
        return name
