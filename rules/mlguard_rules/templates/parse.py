"""Parses templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_rules.errors import TemplateError
from mlguard_rules.templates.expression import ActionParser
from mlguard_rules.templates.lexer import Action, split
from mlguard_rules.templates.nodes import Branch, Part, Range, Text
from mlguard_rules.templates.template import VARIABLES, Template

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCKS = ("if", "with", "range")
_ENDS = ("else", "end")
_MAX_DEPTH = 50
"""Blocks in each other; parser and evaluator recurse."""

_REFUSED = ("template", "define", "block", "break", "continue")


def parse(source: str) -> Template:
    """Parse a template.

    Raises:
        TemplateError: it cannot be parsed, or uses what is not supported.
    """
    return Template(source, _Parser(source).whole())


class _Parser:
    def __init__(self, source: str) -> None:
        self._parts: Iterator[str | Action] = split(source)
        self._variables = ["$", *VARIABLES]
        self._depth = 0

    def whole(self) -> tuple[Part, ...]:
        parts, end = self._list()
        if end is not None:
            raise TemplateError(f"{{{{ {end.source} }}}} without {' or '.join(_BLOCKS)} before it")
        return parts

    def _list(self) -> tuple[tuple[Part, ...], Action | None]:
        """Parse up to the next else or end, or to the end of the template."""
        known = len(self._variables)
        parts: list[Part] = []
        for part in self._parts:
            if isinstance(part, str):
                parts.append(Text(part))
                continue
            name = part.tokens[0].text if part.tokens else ""
            if name in _ENDS:
                del self._variables[known:]
                return tuple(parts), part
            parts.append(self._action(name, part))
        del self._variables[known:]
        return tuple(parts), None

    def _action(self, name: str, action: Action) -> Part:
        if name in _REFUSED:
            raise TemplateError(f"{name} is outside the supported subset of templates")
        known = len(self._variables)
        if name not in _BLOCKS:
            return ActionParser(action, self._variables).pipeline()
        block = self._block(name, action)
        del self._variables[known:]
        return block

    def _block(self, name: str, action: Action) -> Branch | Range:
        """Parse a block, whose first action is this one without its first `else`."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise TemplateError("too deeply nested")
        block = self._parsed_block(name, ActionParser(action, self._variables, skip=1))
        self._depth -= 1
        return block

    def _parsed_block(self, name: str, inner: ActionParser) -> Branch | Range:
        if name == "range":
            key, element, over = inner.range()
            body, otherwise = self._branches(name)
            return Range(over, key, element, body, otherwise)
        condition = inner.pipeline()
        then, otherwise = self._branches(name)
        return Branch(condition, then, otherwise, name == "with")

    def _branches(self, name: str) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        then, end = self._list()
        if end is None:
            raise TemplateError(f"{name} without its end")
        words = [token.text for token in end.tokens]
        if words == ["end"]:
            return then, ()
        if words[:2] == ["else", "if"] and name == "if":
            nested = Action(end.source, end.tokens[1:])
            return then, (self._block("if", nested),)
        if words != ["else"]:
            raise TemplateError(f"unexpected {{{{ {end.source} }}}} in {name}")
        otherwise, end = self._list()
        if end is None or [token.text for token in end.tokens] != ["end"]:
            raise TemplateError(f"{name} without its end")
        return then, otherwise
