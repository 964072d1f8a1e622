"""Parses the pipelines of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_rules.errors import TemplateError
from mlguard_rules.templates.functions import FUNCTIONS
from mlguard_rules.templates.lexer import Action, Token, unquote
from mlguard_rules.templates.nodes import Call, Dot, Field, Literal, Pipeline, Value, Variable

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONSTANTS = {"true": True, "false": False, "nil": None}
_MAX_BRACKETS = 50
"""In one action; parser and evaluator recurse."""

_LONGEST_INTEGER = 100
_KEYWORDS = ("if", "else", "end", "range", "with")


class ActionParser:
    """Parses one action.

    Args:
        action: to parse.
        variables: that are declared; those that it declares are added.
        skip: tokens before the pipeline.
    """

    def __init__(self, action: Action, variables: list[str], skip: int = 0) -> None:
        self._source = action.source
        self._tokens: Sequence[Token] = action.tokens
        self._variables = variables
        self._at = skip

    def pipeline(self) -> Pipeline:
        """Return the whole action, which may assign to a variable."""
        names = self._assigned()
        if names is None:
            return Pipeline(self._whole())
        (name,), declares = names
        if not declares:
            self._check(name)
        value = self._whole()
        if declares:
            self._variables.append(name)
        return Pipeline(value, name, declares)

    def range(self) -> tuple[str | None, str | None, Value]:
        """Return the variables of key and element of a range, and what it is over."""
        names = self._assigned(most=2)
        value = self._whole()
        if names is None:
            return None, None, value
        found, declares = names
        if not declares:
            raise self._error("range assigns with :=")
        self._variables += found
        key, element = (None, *found)[-2:]
        return key, element, value

    def _assigned(self, most: int = 1) -> tuple[list[str], bool] | None:
        """Return the variables before := or =, None if there are none."""
        for count in range(1, most + 1):
            end = self._at + 2 * count - 1
            tokens = self._tokens[self._at : end + 1]
            marks = [token.text for token in tokens[1::2]]
            if marks in ([":="], ["="], [",", ":="], [",", "="]):
                if any(token.kind != "variable" for token in tokens[::2]):
                    raise self._error("only a variable can be assigned to")
                self._at = end + 1
                return [token.text for token in tokens[::2]], marks[-1] == ":="
        return None

    def _error(self, reason: str) -> TemplateError:
        return TemplateError(f"{reason} in {{{{ {self._source} }}}}")

    def _check(self, name: str) -> None:
        if name not in self._variables:
            raise self._error(f"undefined variable {name}")

    def _whole(self) -> Value:
        if sum(token.text in ("(", "|") for token in self._tokens) > _MAX_BRACKETS:
            raise self._error("too many brackets and pipes")
        value = self._pipeline()
        token = self._peek()
        if token is not None:
            raise self._error(f"unexpected {token.text}")
        return value

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _pipeline(self) -> Value:
        value = self._command(None)
        while (token := self._peek()) is not None and token.text == "|":
            self._at += 1
            value = self._command(value)
        return value

    def _command(self, piped: Value | None) -> Value:
        token = self._peek()
        if token is None or not self._begins_operand():
            raise self._error("a value is missing")
        if token.kind != "name" or token.text in _CONSTANTS:
            value = self._operand()
            if piped is not None or self._begins_operand():
                raise self._error(f"{token.text} is no function")
            return value
        self._at += 1
        arguments = []
        while self._begins_operand():
            arguments.append(self._operand())
        if piped is not None:
            arguments.append(piped)
        return self._call(token.text, tuple(arguments))

    def _begins_operand(self) -> bool:
        token = self._peek()
        return token is not None and (token.kind != "mark" or token.text in "(.")

    def _operand(self) -> Value:
        """Return a value with the fields that follow it without space."""
        token = self._tokens[self._at]
        self._at += 1
        value = self._simple(token)
        last = self._tokens[self._at - 1]
        while (
            not last.spaced
            and (following := self._peek()) is not None
            and following.kind == "field"
        ):
            if isinstance(value, Literal):
                raise self._error(f"unexpected {following.text}")
            value = Field(value, following.text[1:])
            last = following
            self._at += 1
        return value

    def _simple(self, token: Token) -> Value:  # noqa: PLR0911 - one for each kind
        match token.kind:
            case "mark" if token.text == ".":
                return Dot()
            case "mark":
                return self._parenthesized()
            case "field":
                return Field(Dot(), token.text[1:])
            case "variable":
                self._check(token.text)
                return Variable(token.text)
            case "string":
                return Literal(unquote(token.text))
            case "number":
                return Literal(_number(token.text))
        if token.text in _CONSTANTS:
            return Literal(_CONSTANTS[token.text])
        return self._call(token.text, ())

    def _parenthesized(self) -> Value:
        value = self._pipeline()
        closing = self._peek()
        if closing is None or closing.text != ")":
            raise self._error("a ) is missing")
        self._at += 1
        return value

    def _call(self, name: str, arguments: tuple[Value, ...]) -> Call:
        if name in _KEYWORDS:
            raise self._error(f"unexpected {name}")
        function = FUNCTIONS.get(name)
        if function is None:
            known = ", ".join(FUNCTIONS)
            raise TemplateError(f"the function {name} is not supported; these are: {known}")
        low, high = function.arguments
        if not low <= len(arguments) <= high:
            raise self._error(f"{name} takes {function.arguments_text}, not {len(arguments)},")
        return Call(name, arguments)


def _number(text: str) -> float:
    if "x" in text.lower():
        return int(text, 16)
    if not text.lstrip("+-").isdigit():
        return float(text)
    number = int(text) if len(text) < _LONGEST_INTEGER else 1 << 64
    if not -1 << 63 <= number < 1 << 64:
        raise TemplateError(f"integer overflow: {text[:40]}")
    return number
