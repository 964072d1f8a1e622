"""Nodes of parsed templates: values, and actions that write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from mlguard_rules.errors import TemplateError
from mlguard_rules.templates.comparison import is_true
from mlguard_rules.templates.functions import FUNCTIONS
from mlguard_rules.templates.golang import QuerySample, go_string, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Root(dict[str, object]):
    """The data of a template: Labels, Value and others."""


@dataclass
class Scope:
    """What is visible at one place of a template.

    Attributes:
        query: evaluates an expression.
        dot: the value of `.`.
        variables: their names and values, inner ones last.
    """

    query: Callable[[str], list[QuerySample]]
    dot: object
    variables: list[tuple[str, object]] = field(default_factory=list)

    def value_of(self, name: str) -> object:
        """Return the value of a variable."""
        return next(value for known, value in reversed(self.variables) if known == name)

    def assign(self, name: str, value: object) -> None:
        """Change a variable that is declared."""
        at = max(i for i, (known, _) in enumerate(self.variables) if known == name)
        self.variables[at] = name, value


@dataclass(frozen=True)
class Literal:
    """A string, a number, true, false or nil."""

    value: str | float | bool | None

    def evaluate(self, _: Scope) -> object:
        """Return the value."""
        return self.value


@dataclass(frozen=True)
class Dot:
    """`.`, the current value."""

    def evaluate(self, scope: Scope) -> object:
        """Return the value."""
        return scope.dot


@dataclass(frozen=True)
class Variable:
    """A variable such as `$value`."""

    name: str

    def evaluate(self, scope: Scope) -> object:
        """Return the value."""
        return scope.value_of(self.name)


@dataclass(frozen=True)
class Field:
    """A field, or a key of a map: `.Labels`, `$labels.model`."""

    of: Value
    name: str

    def evaluate(self, scope: Scope) -> object:
        """Return the value; an absent key is empty.

        Raises:
            TemplateError: there is no such field.
        """
        of = self.of.evaluate(scope)
        if isinstance(of, QuerySample):
            if self.name in ("Labels", "Value"):
                return of.labels if self.name == "Labels" else of.value
        elif isinstance(of, Root):
            if self.name in of:
                return of[self.name]
        elif isinstance(of, Mapping):
            return of.get(self.name, "")
        raise TemplateError(f"can't evaluate field {self.name} in type {kind_of(of)}")


@dataclass(frozen=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[Value, ...]

    def evaluate(self, scope: Scope) -> object:
        """Return the result of the function.

        Raises:
            TemplateError: it does not accept these arguments.
        """
        if self.name in ("and", "or"):
            return self._first_that_decides(scope)
        values = [node.evaluate(scope) for node in self.arguments]
        try:
            result = FUNCTIONS[self.name].apply(*values)
        except (TypeError, ValueError, ArithmeticError, OSError) as error:
            raise TemplateError(f"{self.name}: {error}") from error
        return scope.query(str(result)) if self.name == "query" else result

    def _first_that_decides(self, scope: Scope) -> object:
        value: object = None
        for node in self.arguments:
            value = node.evaluate(scope)
            if is_true(value) == (self.name == "or"):
                break
        return value


Value: TypeAlias = Literal | Dot | Variable | Field | Call


@dataclass(frozen=True)
class Pipeline:
    """A value, which may be assigned to a variable.

    Attributes:
        value: to compute.
        variable: that takes it, None if it is written.
        declares: whether the variable is new.
    """

    value: Value
    variable: str | None = None
    declares: bool = False

    def evaluate(self, scope: Scope) -> object:
        """Return the value, which the variable has then."""
        value = self.value.evaluate(scope)
        if self.variable is not None and self.declares:
            scope.variables.append((self.variable, value))
        elif self.variable is not None:
            scope.assign(self.variable, value)
        return value

    def write(self, scope: Scope) -> Iterator[str]:
        """Yield the value, unless it is assigned."""
        value = self.evaluate(scope)
        if self.variable is None:
            yield go_string(value)


@dataclass(frozen=True)
class Text:
    """A text that is written as it is."""

    text: str

    def write(self, _: Scope) -> Iterator[str]:
        """Yield the text."""
        yield self.text


@dataclass(frozen=True)
class Branch:
    """if and with.

    Attributes:
        condition: whose value decides.
        then: written if it is true.
        otherwise: written if it is not.
        sets_dot: whether the value is `.` inside, as of with.
    """

    condition: Pipeline
    then: tuple[Part, ...]
    otherwise: tuple[Part, ...]
    sets_dot: bool

    def write(self, scope: Scope) -> Iterator[str]:
        """Yield what one of the two branches writes."""
        known = len(scope.variables)
        value = self.condition.evaluate(scope)
        if is_true(value):
            yield from write_parts(self.then, scope, value if self.sets_dot else scope.dot)
        else:
            yield from write_parts(self.otherwise, scope, scope.dot)
        del scope.variables[known:]


@dataclass(frozen=True)
class Range:
    """range, over a list or a map.

    Attributes:
        over: the list or map.
        key: variable of the position or key, None if it has none.
        element: variable of the element, None if it has none.
        body: written for each element.
        otherwise: written if there is none.
    """

    over: Value
    key: str | None
    element: str | None
    body: tuple[Part, ...]
    otherwise: tuple[Part, ...]

    def write(self, scope: Scope) -> Iterator[str]:
        """Yield what the body writes for each element.

        Raises:
            TemplateError: the value is neither a list nor a map.
        """
        elements = self._elements(self.over.evaluate(scope))
        known = len(scope.variables)
        for key, element in elements:
            variables = ((self.key, key), (self.element, element))
            scope.variables += [(name, value) for name, value in variables if name is not None]
            yield from write_parts(self.body, scope, element)
            del scope.variables[known:]
        if not elements:
            yield from write_parts(self.otherwise, scope, scope.dot)

    def _elements(self, over: object) -> list[tuple[object, object]]:
        if isinstance(over, list):
            return list(enumerate(over))
        if isinstance(over, Mapping) and not isinstance(over, Root):
            return sorted(over.items())
        if over is None:
            return []
        raise TemplateError(f"range can't iterate over {go_string(over)}")


Part: TypeAlias = Text | Pipeline | Branch | Range


def write_parts(parts: tuple[Part, ...], scope: Scope, dot: object) -> Iterator[str]:
    """Yield what the parts write, with this value of `.`; their variables end with them."""
    outer, known = scope.dot, len(scope.variables)
    scope.dot = dot
    for part in parts:
        yield from part.write(scope)
    del scope.variables[known:]
    scope.dot = outer
