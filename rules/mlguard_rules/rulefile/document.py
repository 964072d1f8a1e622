"""A YAML file whose errors are reported with their line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from mlguard_common.config import duration_milliseconds
from mlguard_rules.errors import RuleFileError

if TYPE_CHECKING:
    from pathlib import Path

Fields = dict[str, yaml.Node]


class Document:
    """A YAML file; each method raises RuleFileError with the line of an error."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def error(self, node: yaml.Node, reason: str) -> RuleFileError:
        """Return the error of a part."""
        return RuleFileError(self._path, line_of(node), reason)

    def root(self, expected: str) -> yaml.Node:
        """Return the root; `expected` says what the file should hold."""
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
            raise RuleFileError(self._path, 1, f"the file is empty; expected {expected}")
        return root

    def fields(self, node: yaml.Node, known: tuple[str, ...], what: str) -> Fields:
        """Return the values of a mapping by key; `what` says what it is."""
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"expected {what}, which is keys and values")
        fields: Fields = {}
        for key, value in node.value:
            name = self.text(key)
            if name not in known:
                raise self.error(key, f"unknown key {name!r}; {what} has {', '.join(known)}")
            if name in fields:
                raise self.error(key, f"a second key {name!r}")
            fields[name] = value
        return fields

    def items(self, fields: Fields, key: str) -> list[yaml.Node]:
        """Return the members of a list, none if the key is absent."""
        node = fields.get(key)
        if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
            return []
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        raise self.error(node, f"{key}: expected a list")

    def text(self, node: yaml.Node) -> str:
        """Return a scalar as text."""
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(node, "expected a text")
        return str(node.value)

    def required(self, fields: Fields, key: str, of: yaml.Node) -> yaml.Node:
        """Return the value of a required key."""
        if key not in fields:
            raise self.error(of, f"{key} is missing")
        return fields[key]

    def texts(self, fields: Fields, key: str) -> dict[str, str]:
        """Return a mapping of texts, empty if the key is absent."""
        node = fields.get(key)
        if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
            return {}
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{key}: expected names and texts")
        found: dict[str, str] = {}
        for name_node, text_node in node.value:
            name = self.text(name_node)
            if name in found:
                raise self.error(name_node, f"a second {name!r}")
            found[name] = self.text(text_node)
        return found

    def milliseconds(self, node: yaml.Node) -> int:
        """Return the milliseconds of a duration such as 1h30m."""
        text = self.text(node)
        try:
            return duration_milliseconds(text)
        except ValueError as error:
            raise self.error(node, f"found {text!r}, {error}") from None

    def number(self, node: yaml.Node) -> float:
        """Return a number, which may be .inf or .nan."""
        text = self.text(node)
        try:
            return float(re.sub(r"\.(inf|nan)$", r"\1", text, flags=re.IGNORECASE))
        except ValueError:
            raise self.error(node, f"found {text!r}, expected a number") from None


def line_of(node: yaml.Node) -> int:
    """Return the line on which a part begins, from 1."""
    return node.start_mark.line + 1
