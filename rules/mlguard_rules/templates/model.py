"""A parsed template, and what it is expanded with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.templates.functions import FUNCTIONS, go_string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlguard_rules.templates.functions import Found


class TemplateError(ValueError):
    """A template cannot be used, or not with these values; one line."""


def _no_query(expression: str) -> list[Found]:
    raise TemplateError(f"query {expression!r} cannot be run here")


@dataclass(frozen=True)
class Context:
    """What a template is about.

    Attributes:
        labels: of the alert's series, before the rule's own.
        value: of the alert's expression.
        query: evaluates an expression now; what it gives is sorted by labels.
    """

    labels: Mapping[str, str]
    value: float
    query: Callable[[str], list[Found]] = _no_query


@dataclass(frozen=True)
class Literal:
    """A string or a number."""

    value: str | float | int

    def evaluate(self, _: Context) -> object:
        """The value itself."""
        return self.value


@dataclass(frozen=True)
class Variable:
    """`$value` or `$labels`, perhaps with the name of a label."""

    name: str
    label: str | None

    def evaluate(self, context: Context) -> object:
        """The value; a label that is not there is an empty text."""
        if self.name == "value":
            return float(context.value)
        return context.labels if self.label is None else context.labels.get(self.label, "")


@dataclass(frozen=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[Node, ...]

    def evaluate(self, context: Context) -> object:
        """What the function gives.

        Raises:
            TemplateError: it cannot take these arguments.
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
    """Text with pipelines in it.

    Attributes:
        source: as it was written.
        parts: texts as they are, and pipelines.
    """

    source: str
    parts: tuple[str | Node, ...]

    def expand(self, context: Context) -> str:
        """The text, with each pipeline's value in its place.

        Raises:
            TemplateError: a function cannot take its arguments.
        """
        return "".join(
            part if isinstance(part, str) else go_string(part.evaluate(context))
            for part in self.parts
        )
