"""Features in the arguments of a predict function."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mlguard.records import fields_of, is_record

if TYPE_CHECKING:
    from inspect import Parameter


class CallFeatures(NamedTuple):
    """Features of one call.

    Attributes:
        values: of one inference, a mapping, or None; of many, what `Guard.log_batch` takes.
        rows: how many inferences the call is; None for one whose argument has no rows.
        is_vector: whether the features of one inference have no names but their positions.
    """

    values: Any
    rows: int | None = None
    is_vector: bool = False


NO_FEATURES = CallFeatures(None)
_PLAIN_TYPES = frozenset({int, float, str, bool, type(None)})


class ArgumentReader:
    """Finds the features in the arguments of one function.

    Args:
        parameters: those of the function, as far as they are known.
        feature_names: names of the elements of an array that is one inference.
    """

    def __init__(
        self, parameters: "Iterable[Parameter]", feature_names: Iterable[Any] | None
    ) -> None:
        known = list(parameters)
        self._names = [
            each.name
            for each in known
            if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
        ]
        self._defaults = {
            each.name: each.default for each in known if each.default is not each.empty
        }
        self._feature_names = None if feature_names is None else list(feature_names)

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallFeatures:
        """Return the features of a call, before it runs; arrays and frames are not copied.

        An argument may raise anything when it is inspected.
        """
        passed = {**dict(zip(self._names, args, strict=False)), **kwargs}
        given = {**self._defaults, **passed} if self._defaults else passed
        if self._names and self._names[0] in {"self", "cls"}:
            given.pop(self._names[0], None)
        others = [each for each in given.values() if type(each) not in _PLAIN_TYPES]
        if len(others) == 1 and type(others[0]) is dict and _rows(others[0]) is None:
            return CallFeatures(others[0].copy())
        return (others and self._read_objects(others)) or self._read_scalars(given, passed, others)

    def _read_objects(self, others: list[Any]) -> CallFeatures | None:
        """Return the features in the one argument that has some; None if there is not one."""
        found = [(each, _rows(each)) for each in others]
        tables = [(each, rows) for each, rows in found if rows is not None]
        mappings = [each for each, rows in found if rows is None and isinstance(each, Mapping)]
        if tables or mappings:
            if len(tables) + len(mappings) > 1:
                return None
            return CallFeatures(*tables[0]) if tables else CallFeatures(dict(mappings[0]))
        records = [each for each in others if is_record(each)]
        return CallFeatures(fields_of(records[0])) if len(records) == 1 else None

    def _read_scalars(
        self, given: dict[str, Any], passed: dict[str, Any], others: list[Any]
    ) -> CallFeatures:
        scalars = {key: each for key, each in given.items() if _is_scalar(each)}
        if others and not scalars.keys() & passed.keys():
            vectors = [each for each in others if _is_vector(each)]
            if len(vectors) == 1:
                return self._from_vector(vectors[0])
        return CallFeatures(scalars or None)

    def _from_vector(self, vector: Any) -> CallFeatures:
        values = list(vector.tolist() if hasattr(vector, "tolist") else vector)
        if not values:
            return CallFeatures([], 0)
        index = getattr(vector, "index", None)  # of a Series; a list has a method of this name
        own = None if index is None or callable(index) else list(index)
        names = self._feature_names or own or [f"x{n}" for n in range(len(values))]
        if len(names) != len(values):
            return NO_FEATURES
        return CallFeatures(dict(zip(names, values, strict=True)), is_vector=True)


def _rows(value: Any) -> int | None:
    """Return how many rows a table has, in any form that `Guard.log_batch` takes; None if none."""
    if isinstance(value, Mapping):
        lengths = {_length(each) for each in value.values()}
        return lengths.pop() if len(lengths) == 1 else None
    if hasattr(value, "__len__") and not is_record(value) and not isinstance(value, (str, bytes)):
        if getattr(value, "ndim", 0) == 2 or hasattr(value, "columns"):
            return len(value)
        if getattr(getattr(value, "dtype", None), "names", None):
            return len(value)
        if isinstance(value, (list, tuple)) and value and _is_row(value[0]):
            return len(value)
    return None


def _is_row(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple)) or is_record(value) or _ndim(value) == 1


def _length(value: Any) -> int | None:
    """Return the length of a column; None if it is none."""
    if isinstance(value, list) or (_ndim(value) == 1 and hasattr(value, "__len__")):
        return len(value)
    return None


def _is_vector(value: Any) -> bool:
    """Return whether a value is a row of numbers, or empty."""
    if isinstance(value, (list, tuple)) and not is_record(value):
        return all(isinstance(each, (int, float)) for each in value)
    return _ndim(value) == 1 and hasattr(value, "tolist")


def _ndim(value: Any) -> int | None:
    return getattr(value, "ndim", None)


def _is_scalar(value: Any) -> bool:
    """Return whether a value can be a feature; numpy's scalars have `item` and no dimensions."""
    if isinstance(value, (str, int, float)):
        return True
    return hasattr(value, "item") and _ndim(value) == 0
