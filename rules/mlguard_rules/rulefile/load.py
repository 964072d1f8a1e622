"""Reads rule files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from mlguard_rules.errors import RuleFileError
from mlguard_rules.rulefile.document import Document
from mlguard_rules.rulefile.rule_parser import RuleParser
from mlguard_rules.rulefile.rules import RuleGroup

if TYPE_CHECKING:
    from pathlib import Path

_FILE_KEYS = ("groups",)
_GROUP_KEYS = ("name", "interval", "limit", "rules")
_KIND = "PrometheusRule"
_OBJECT_KEYS = ("apiVersion", "kind", "metadata", "spec", "status")
_LIST_KEYS = ("apiVersion", "kind", "metadata", "items")
_OBJECT_GROUP_KEYS = (*_GROUP_KEYS, "partial_response_strategy")  # which only Thanos reads


@dataclass(frozen=True)
class RuleFile:
    """What a rule file holds.

    Attributes:
        groups: with the rules that can be used.
        errors: why others cannot, in the order of the file.
    """

    groups: tuple[RuleGroup, ...]
    errors: tuple[RuleFileError, ...]


def load_rules(path: Path) -> tuple[RuleGroup, ...]:
    """Return the groups of a rule file.

    Raises:
        RuleFileError: it cannot be read, is no rule file, or has rules that cannot be used; the
            text names the first.
    """
    file = read_rules(path)
    if not file.errors:
        return file.groups
    first, *others = file.errors
    if not others:
        raise first
    reason = f"{first.reason} (and {len(others)} more, see: mlguard rules check)"
    raise RuleFileError(path, first.line, reason)


def read_rules(path: Path) -> RuleFile:
    """Return the groups of a rule file, and why some of its rules cannot be used.

    A document of the file is one in Prometheus' format or a PrometheusRule object of Kubernetes,
    or a list of such objects. The `interval` of a group is checked and ignored: all rules are
    evaluated together.

    Raises:
        RuleFileError: it cannot be read, is not YAML, or is no rule file.
    """
    reader = _Reader(path)
    groups = tuple(group for root in reader.document.roots() for group in reader.groups(root))
    return RuleFile(groups, tuple(sorted(reader.parser.errors, key=lambda error: error.line)))


class _Reader:
    def __init__(self, path: Path) -> None:
        self.document = Document(path)
        self.parser = RuleParser(path, self.document)

    def groups(self, root: yaml.Node) -> list[RuleGroup]:
        """Return the groups of a document."""
        kind = _kind(root)
        if kind is None:
            return self._groups(root, _FILE_KEYS, "a rule file", _GROUP_KEYS)
        if kind.endswith("List"):
            fields = self.document.fields(root, _LIST_KEYS, f"a {kind}")
            items = self.document.items(fields, "items")
            return [group for item in items for group in self._member(item)]
        if kind != _KIND:
            raise self.document.error(root, f"found a {kind}, expected a {_KIND}")
        fields = self.document.fields(root, _OBJECT_KEYS, f"a {_KIND}")
        if "spec" not in fields:
            return []
        return self._groups(fields["spec"], _FILE_KEYS, "a spec", _OBJECT_GROUP_KEYS)

    def _member(self, item: yaml.Node) -> list[RuleGroup]:
        kind = _kind(item)
        if kind is not None and kind.endswith("List"):  # an alias may be the outer list itself
            raise self.document.error(item, f"found a {kind} in a list, expected a {_KIND}")
        return self.groups(item)

    def _groups(
        self, node: yaml.Node, keys: tuple[str, ...], what: str, group_keys: tuple[str, ...]
    ) -> list[RuleGroup]:
        fields = self.document.fields(node, keys, what)
        groups: list[RuleGroup] = []
        for part in self.document.items(fields, "groups"):
            group = self._group(part, group_keys)
            if any(group.name == other.name for other in groups):
                raise self.document.error(part, f"a second group {group.name!r}")
            groups.append(group)
        return groups

    def _group(self, node: yaml.Node, keys: tuple[str, ...]) -> RuleGroup:
        fields = self.document.fields(node, keys, "a group")
        name = self.document.name(fields)
        if not name:
            raise self.document.error(node, "a group without a name")
        self.document.seconds(fields, "interval")
        limit = self.document.integer(fields, "limit")
        parsed = [
            self.parser.rule(part, name, limit) for part in self.document.items(fields, "rules")
        ]
        return RuleGroup(name, tuple(rule for rule in parsed if rule is not None))


def _kind(root: yaml.Node) -> str | None:
    """Return the kind of an object of Kubernetes, None of a document in Prometheus' format."""
    if not isinstance(root, yaml.MappingNode):
        return None
    pairs = {key.value: value.value for key, value in root.value if _is_scalar(key)}
    kind = pairs.get("kind")
    return kind if isinstance(kind, str) and "apiVersion" in pairs else None


def _is_scalar(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode)
