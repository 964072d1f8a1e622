"""Parsed templates, and the context in which they are expanded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.errors import TemplateError
from mlguard_rules.templates.golang import printf
from mlguard_rules.templates.nodes import (
    Branch,
    Call,
    Field,
    Literal,
    Part,
    Pipeline,
    Range,
    Root,
    Scope,
    Value,
    write_parts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mlguard_rules.templates.golang import QuerySample

VARIABLES = {
    "$labels": "Labels",
    "$value": "Value",
    "$externalLabels": "ExternalLabels",
    "$externalURL": "ExternalURL",
}
"""Variables that every template has, and the field of `.` that each holds."""


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
class Template:
    """A text with actions.

    Attributes:
        source: the text.
        parts: literal texts, and actions.
    """

    source: str
    parts: tuple[Part, ...]

    def expand(self, context: TemplateContext) -> str:
        """Return the text with what its actions write.

        There are no external labels and no external URL: they are empty.

        Raises:
            TemplateError: a function does not accept its arguments.
        """
        root = Root(
            Labels=context.labels, Value=float(context.value), ExternalLabels={}, ExternalURL=""
        )
        scope = Scope(context.query, root, [("$", root)])
        scope.variables += [(name, root[of]) for name, of in VARIABLES.items()]
        return "".join(write_parts(self.parts, scope, root))

    def queries(self) -> Iterator[str]:
        """Yield the expressions of its queries, with `x` for values, as far as they are literal."""
        yield from _queries_of_parts(self.parts)


def _queries_of_parts(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        match part:
            case Pipeline():
                yield from _queries(part.value)
            case Branch():
                yield from _queries(part.condition.value)
                yield from _queries_of_parts((*part.then, *part.otherwise))
            case Range():
                yield from _queries(part.over)
                yield from _queries_of_parts((*part.body, *part.otherwise))


def _queries(node: Value) -> Iterator[str]:
    if isinstance(node, Field):
        yield from _queries(node.of)
    if not isinstance(node, Call):
        return
    for argument in node.arguments:
        yield from _queries(argument)
        if node.name == "query" and isinstance(argument, Literal):
            yield str(argument.value)
        elif node.name == "query" and isinstance(argument, Call) and argument.name == "printf":
            values = [a.value if isinstance(a, Literal) else "x" for a in argument.arguments]
            yield printf(*values)
