"""Parsed templates, and the context in which they are expanded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.errors import TemplateError
from mlguard_rules.templates.functions import FUNCTIONS, go_string, printf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mlguard_rules.templates.functions import QuerySample


def _no_query(expression: str) -> list[QuerySample]:
    raise TemplateError(f"query {expression!r} cannot be run here")


@dataclass(frozen=True)
class TemplateContext:
    """The values that a template is expanded with.

    Attributes:
        labels: of the result, without those of the rule.
        value: of the result.
        query: evaluates an expression now; its results are sorted by labels.
    """

    labels: Mapping[str, str]
    value: float
    query: Callable[[str], list[QuerySample]] = _no_query


@dataclass(frozen=True)
class Literal:
    """A string or a number."""

    value: str | float | int

    def evaluate(self, _: TemplateContext) -> object:
        """Return the value."""
        return self.value


@dataclass(frozen=True)
class Variable:
    """`$value`, `$labels`, or a label such as `$labels.model`."""

    name: str
    label: str | None

    def evaluate(self, context: TemplateContext) -> object:
        """Return the value; an absent label is empty."""
        if self.name == "value":
            return float(context.value)
        return context.labels if self.label is None else context.labels.get(self.label, "")


@dataclass(frozen=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[Node, ...]

    def evaluate(self, context: TemplateContext) -> object:
        """Return the result of the function.

        Raises:
            TemplateError: it does not accept these arguments.
        """
        values = [node.evaluate(context) for node in self.arguments]
        if self.name == "query":
            return context.query(str(values[0]))
        try:
            return FUNCTIONS[self.name].apply(*values)
        except (TypeError, ValueError, ArithmeticError, OSError) as error:
            raise TemplateError(f"{self.name}: {error}") from error


Node = Literal | Variable | Call


@dataclass(frozen=True)
class Template:
    """A text with pipelines.

    Attributes:
        source: the text.
        parts: literal texts, and pipelines.
    """

    source: str
    parts: tuple[str | Node, ...]

    def expand(self, context: TemplateContext) -> str:
        """Return the text with the values of its pipelines.

        Raises:
            TemplateError: a function does not accept its arguments.
        """
        return "".join(
            part if isinstance(part, str) else go_string(part.evaluate(context))
            for part in self.parts
        )

    def queries(self) -> Iterator[str]:
        """Yield the expressions of its queries, with `x` for values, as far as they are literal."""
        for part in self.parts:
            if not isinstance(part, str):
                yield from _queries(part)


def _queries(node: Node) -> Iterator[str]:
    if not isinstance(node, Call):
        return
    for argument in node.arguments:
        yield from _queries(argument)
        if node.name == "query" and isinstance(argument, Literal):
            yield str(argument.value)
        elif node.name == "query" and isinstance(argument, Call) and argument.name == "printf":
            values = [a.value if isinstance(a, Literal) else "x" for a in argument.arguments]
            yield printf(*values)
