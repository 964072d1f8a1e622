"""Objects with named fields, whose fields are features: dataclasses, pydantic models and others."""

from collections.abc import Callable, Mapping
from typing import Any


def fields_of(value: Any) -> dict[Any, Any] | None:
    """Return the features of one inference by name; None if the value has none.

    It may be a mapping, a named tuple, or an instance of a dataclass, of a pydantic model (v1 or
    v2), or of a class made by attrs or msgspec. What its fields refer to is not copied.
    """
    if isinstance(value, Mapping):
        return dict(value)
    read = _reader(type(value))
    return None if read is None else read(value)


def is_record(value: Any) -> bool:
    """Return whether a value has named fields and is no mapping."""
    return _reader(type(value)) is not None


def _reader(kind: type) -> Callable[[Any], dict[Any, Any]] | None:
    """Return what reads the fields of a type; None if it has none that are known."""
    if hasattr(kind, "__dataclass_fields__"):
        return _read_attributes(list(kind.__dataclass_fields__))
    if isinstance(getattr(kind, "model_fields", None) or _v1_fields(kind), Mapping):
        return (
            dict  # iterating over a model of pydantic yields its fields, additional ones included
        )
    if hasattr(kind, "__attrs_attrs__"):
        return _read_attributes([each.name for each in kind.__attrs_attrs__])
    if hasattr(kind, "__struct_fields__"):
        return _read_attributes(list(kind.__struct_fields__))
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _read_attributes(list(kind._fields))
    return None


def _v1_fields(kind: type) -> Any:
    """Return the fields of a model of pydantic v1; v2 would warn of the name."""
    return vars(kind).get("__fields__")


def _read_attributes(names: list[str]) -> Callable[[Any], dict[Any, Any]]:
    return lambda value: {name: getattr(value, name) for name in names}
