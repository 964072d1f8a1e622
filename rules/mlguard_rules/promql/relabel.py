"""label_replace and label_join: vectors with other labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.promql.nodes import EvalContext, VectorNode
from mlguard_rules.promql.values import Labels, Vector, vector_of

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class LabelFunction(VectorNode):
    """A vector with one label replaced.

    Attributes:
        argument: the vector.
        label: to replace.
        value: from the labels of an element to the value of the label, or to None if it is kept;
            an empty value removes it.
    """

    argument: VectorNode
    label: str
    value: Callable[[dict[str, str]], str | None]

    def vector(self, context: EvalContext) -> Vector:
        """Return the elements with their new labels.

        Raises:
            EvaluationError: two elements then have the same labels.
        """
        elements = self.argument.vector(context).items()
        return vector_of((self._replaced(labels), value) for labels, value in elements)

    def _replaced(self, labels: Labels) -> Labels:
        known = dict(labels)
        value = self.value(known)
        if value is None:
            return labels
        known[self.label] = value
        return tuple(sorted(pair for pair in known.items() if pair[1]))
