"""Parses templates."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from mlguard_rules.errors import TemplateError
from mlguard_rules.templates.functions import FUNCTIONS
from mlguard_rules.templates.template import Call, Literal, Node, Template, Variable

_ACTION = re.compile(r"\{\{(-(?=\s))?(.*?)((?<=\s)-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    | (?P<variable>\$(?:labels|value)|\.(?:Labels|Value))
      (?:\.(?P<label>\w+))?
    | (?P<name>[A-Za-z_]\w*)
    | (?P<mark>[|()])
    )""",
    re.VERBOSE,
)


class _Token(NamedTuple):
    kind: str
    text: str
    label: str | None


def parse(source: str) -> Template:
    """Parse a template.

    Raises:
        TemplateError: it cannot be parsed, or uses what is not supported.
    """
    parts: list[str | Node] = []
    end, trim = 0, False
    for found in _ACTION.finditer(source):
        text = source[end : found.start()]
        text = text.lstrip() if trim else text
        parts.append(text.rstrip() if found[1] else text)
        end, trim = found.end(), bool(found[3])
        action = found[2].lstrip() if found[1] else found[2]
        action = action.rstrip() if found[3] else action
        if not (action.startswith("/*") and action.endswith("*/")):
            parts.append(_Parser(action.strip()).whole())
    rest = source[end:]
    if "{{" in rest:
        raise TemplateError("a {{ without its }}")
    parts.append(rest.lstrip() if trim else rest)
    return Template(source, tuple(part for part in parts if part != ""))


class _Parser:
    def __init__(self, action: str) -> None:
        self._action = action
        self._tokens = _tokens(action)
        self._at = 0

    def whole(self) -> Node:
        node = self._pipeline()
        if self._peek() is not None:
            raise TemplateError(f"unexpected ) in {{{{ {self._action} }}}}")
        return node

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _pipeline(self) -> Node:
        node = self._command(None)
        while (token := self._peek()) is not None and token.text == "|":
            self._at += 1
            node = self._command(node)
        return node

    def _command(self, piped: Node | None) -> Node:
        token = self._peek()
        if token is None or (token.kind == "mark" and token.text != "("):
            raise TemplateError(f"a value is missing in {{{{ {self._action} }}}}")
        if token.kind != "name":
            node = self._operand()
            if piped is not None or self._begins_operand():
                raise TemplateError(f"{token.text} is no function in {{{{ {self._action} }}}}")
            return node
        self._at += 1
        arguments = []
        while self._begins_operand():
            arguments.append(self._operand())
        if piped is not None:
            arguments.append(piped)
        return _call(token.text, tuple(arguments))

    def _begins_operand(self) -> bool:
        token = self._peek()
        return token is not None and (token.kind != "mark" or token.text == "(")

    def _operand(self) -> Node:
        token = self._tokens[self._at]
        self._at += 1
        if token.kind == "mark":
            node = self._pipeline()
            closing = self._peek()
            if closing is None or closing.text != ")":
                raise TemplateError(f"a ) is missing in {{{{ {self._action} }}}}")
            self._at += 1
            return node
        if token.kind == "name":
            return _call(token.text, ())
        if token.kind == "variable":
            name = token.text[1:].lower()
            if name == "value" and token.label is not None:
                raise TemplateError("a value has no labels")
            return Variable(name, token.label)
        return Literal(_literal(token))


def _tokens(action: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(action):
        found = _TOKEN.match(action, at)
        if not found or found.end() == at:
            raise TemplateError(f"not supported: {{{{ {action} }}}}")
        kind = found.lastgroup or ""
        kind = "variable" if kind == "label" else kind
        tokens.append(_Token(kind, found[kind], found["label"]))
        at = found.end()
    return tokens


def _literal(token: _Token) -> str | float | int:
    if token.kind == "number":
        return int(token.text) if token.text.lstrip("+-").isdigit() else float(token.text)
    if token.text.startswith("`"):
        return token.text[1:-1]
    try:
        return str(json.loads(token.text))
    except ValueError as error:
        raise TemplateError(f"not a text: {token.text}") from error


def _call(name: str, arguments: tuple[Node, ...]) -> Call:
    function = FUNCTIONS.get(name)
    if function is None:
        known = ", ".join(FUNCTIONS)
        raise TemplateError(f"{name} is not supported; these are: {known}")
    low, high = function.arguments
    if not low <= len(arguments) <= high:
        raise TemplateError(f"{name} takes {function.arguments_text}, not {len(arguments)}")
    return Call(name, arguments)
