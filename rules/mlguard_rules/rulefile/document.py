"""A YAML file whose errors are reported with their line."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, TypeAlias

import yaml

from mlguard_common.config import duration_milliseconds
from mlguard_rules.errors import RuleFileError

if TYPE_CHECKING:
    from pathlib import Path

Fields = dict[str, yaml.Node]

_Pairs: TypeAlias = list[tuple[yaml.Node, yaml.Node]]
_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"
_TEXT = "tag:yaml.org,2002:str"
_MERGES = 50
_INTEGER = re.compile(r"([-+]?)(0[xX]|0[oO]|0[bB]|0(?=[0-7]+$))?([0-9a-fA-F]+)")
_BASES = {"0x": 16, "0o": 8, "0b": 2, "0": 8}
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LARGEST = (1 << 63) - 1


class Document:
    """A YAML file; each method raises RuleFileError with the line of an error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known_pairs: dict[yaml.Node, _Pairs] = {}

    def error(self, node: yaml.Node, reason: str) -> RuleFileError:
        """Return the error of a part."""
        return RuleFileError(self._path, line_of(node), reason)

    def roots(self) -> list[yaml.Node]:
        """Return the roots of the documents in the file that are not empty."""
        try:
            text = self._path.read_text(encoding="utf-8")
            roots = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
        except OSError as error:
            raise RuleFileError(self._path, 1, f"cannot be read: {error.strerror}") from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise RuleFileError(self._path, line, f"not YAML: {error.problem}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise RuleFileError(self._path, 1, f"not YAML: {reason}") from error
        except RecursionError as error:
            raise RuleFileError(self._path, 1, "not YAML: too deeply nested") from error
        return [root for root in roots if not is_null(root)]

    def root(self, expected: str) -> yaml.Node:
        """Return the root of the first document; `expected` says what the file should hold."""
        roots = self.roots()
        if not roots:
            raise RuleFileError(self._path, 1, f"the file is empty; expected {expected}")
        return roots[0]

    def fields(self, node: yaml.Node, known: tuple[str, ...], what: str) -> Fields:
        """Return the values of a mapping by key.

        Args:
            node: the mapping.
            known: the keys that it may have.
            what: says what it is.
        """
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"expected {what}, which is keys and values")
        fields: Fields = {}
        for name_node, value in self._pairs(node):
            name = self.text(name_node)
            if name not in known:
                raise self.error(name_node, f"unknown key {name!r}; {what} has {', '.join(known)}")
            fields[name] = value
        return fields

    def _pairs(self, node: yaml.MappingNode, outer: tuple[yaml.Node, ...] = ()) -> _Pairs:
        """Return keys and values of a mapping, with those of the mappings that it merges (`<<`)."""
        if node in self._known_pairs:
            return self._known_pairs[node]
        if len(outer) > _MERGES:
            raise self.error(node, "too many mappings are merged into each other")
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for part in parts:
                    if not isinstance(part, yaml.MappingNode) or part in (*outer, node):
                        raise self.error(key, "<< merges another mapping, or a list of them")
                    for pair in self._pairs(part, (*outer, node)):
                        merged.setdefault(self.text(pair[0]), pair)
                continue
            name = self.text(key)
            if name in own:
                raise self.error(key, f"a second key {name!r}")
            own[name] = key, value
        pairs = [*(pair for name, pair in merged.items() if name not in own), *own.values()]
        self._known_pairs[node] = pairs
        return pairs

    def items(self, fields: Fields, key: str) -> list[yaml.Node]:
        """Return the members of a list that are not null, none if the key is absent."""
        node = fields.get(key)
        if node is None or is_null(node):
            return []
        if isinstance(node, yaml.SequenceNode):
            return [item for item in node.value if not is_null(item)]
        raise self.error(node, f"{key}: expected a list")

    def text(self, node: yaml.Node) -> str:
        """Return a scalar as it is written, without quotes."""
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(node, "expected a text")
        return str(node.value)

    def required(self, fields: Fields, key: str, of: yaml.Node) -> yaml.Node:
        """Return the value of a required key."""
        if key not in fields:
            raise self.error(of, f"{key} is missing")
        return fields[key]

    def text_nodes(self, fields: Fields, key: str) -> list[tuple[yaml.Node, yaml.Node]]:
        """Return names and texts of a mapping, none if the key is absent."""
        node = fields.get(key)
        if node is None or is_null(node):
            return []
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{key}: expected names and texts")
        return [pair for pair in self._pairs(node) if not is_null(pair[0])]

    def texts(self, fields: Fields, key: str) -> dict[str, str]:
        """Return a mapping of texts, empty if the key is absent; null is an empty text."""
        return {
            self.text(name): "" if is_null(text) else self.text(text)
            for name, text in self.text_nodes(fields, key)
        }

    def milliseconds(self, node: yaml.Node) -> int:
        """Return the milliseconds of a duration such as 1h30m."""
        text = self.text(node)
        try:
            return duration_milliseconds(text)
        except ValueError as error:
            raise self.error(node, f"found {text!r}, {error}") from None

    def name(self, fields: Fields) -> str:
        """Return the text of the key `name`, empty if it is absent or null."""
        node = fields.get("name")
        return "" if node is None or is_null(node) else self.text(node)

    def seconds(self, fields: Fields, key: str) -> float:
        """Return the seconds of a duration, 0 if the key is absent or null."""
        node = fields.get(key)
        return 0.0 if node is None or is_null(node) else self.milliseconds(node) / 1000

    def integer(self, fields: Fields, key: str) -> int:
        """Return an integer as Go's YAML reads it, 0 if the key is absent or null."""
        node = fields.get(key)
        if node is None or is_null(node):
            return 0
        text = self.text(node)
        number = None if _is_text(node) else _integer(text.replace("_", ""))
        if number is None or number > _LARGEST or text.startswith("_"):
            raise self.error(node, f"{key}: found {text[:40]!r}, expected an integer")
        return number

    def number(self, node: yaml.Node) -> float:
        """Return a number, which may be .inf or .nan."""
        text = self.text(node)
        try:
            return float(re.sub(r"\.(inf|nan)$", r"\1", text, flags=re.IGNORECASE))
        except ValueError:
            raise self.error(node, f"found {text!r}, expected a number") from None


def is_null(node: yaml.Node) -> bool:
    """Return whether a part is null or left empty."""
    return bool(node.tag == _NULL)


def _is_text(node: yaml.Node) -> bool:
    """Return whether a scalar is a text by its quotes or its tag."""
    if node.tag != _TEXT:
        return False
    if getattr(node, "style", None):
        return True
    plain = yaml.SafeLoader.yaml_implicit_resolvers.get(node.value[:1], ())
    return any(pattern.match(node.value) for _, pattern in plain)


def _integer(text: str) -> int | None:
    """Return a number without its fraction, None if it is none or has hundreds of digits."""
    found = _INTEGER.fullmatch(text[:100])
    try:
        if found:
            sign, prefix, digits = found.groups()
            return int(sign + digits, _BASES[prefix.lower()] if prefix else 10)
    except ValueError:
        pass  # such as 08, or digits of another base
    number = float(text) if _DECIMAL.fullmatch(text) else math.inf
    return int(min(number, 2.0**63 - 1024)) if number <= 2.0**63 else None


def line_of(node: yaml.Node) -> int:
    """Return the line on which a part begins, from 1."""
    return node.start_mark.line + 1
