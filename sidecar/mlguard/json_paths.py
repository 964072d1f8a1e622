"""Where features and predictions are in JSON bodies."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple, NoReturn

_MAX_KEYS_SHOWN = 10
_IN_REQUEST = ("features", "id")
_IN_RESPONSE = ("y_pred", "y_proba", "response_id")


class NotFoundError(LookupError):
    """A path leads nowhere.

    Attributes:
        missing: what was not found, and where.
        found: what was found instead.
    """

    def __init__(self, missing: str, found: str) -> None:
        super().__init__(f"found no {missing}; found {found}")
        self.missing = missing
        self.found = found


class JsonPath(NamedTuple):
    """A path that has been parsed.

    Attributes:
        text: as it was written.
        start: keys and indices up to the list whose elements are meant, or to the value.
        rest: keys and indices within each element; None if the path has no `*`.
    """

    text: str
    start: tuple[str, ...]
    rest: tuple[str, ...] | None

    def find(self, body: Any) -> Any:
        """Return the value that the path leads to; with `*`, a list with one for each element.

        An element that lacks it has None.

        Raises:
            NotFoundError: it leads nowhere, or `*` is not at a list.
        """
        value = _follow(body, self.start)
        if self.rest is None:
            return value
        if type(value) is not list:
            at = f"at {'.'.join(self.start)!r}" if self.start else "as the whole body"
            raise NotFoundError(f"list {at}", _describe(value))
        if not self.rest or not value:
            return value
        found = [_follow_if_there(each, self.rest) for each in value]
        if all(each is None for each in found):
            _follow(value[0], self.rest)  # its error says what is there
        return found


class Paths:
    """Where the features and predictions of one route are in its JSON bodies.

    A path is a sequence of keys and list indices, separated by dots; `.` is the whole body. `*`
    stands for each element of a list: each is one inference. Without a `*` in any path, a request
    is one inference. Features without `*`, where the predictions have one, are a mapping of names
    to columns. Without any path, requests are only timed.

    ::

        Paths(features=".", y_pred="prediction")
        Paths(features="instances.*", y_pred="predictions.*.label")

    Args:
        features: path in the request, to an object, or to an array of numbers or texts.
        y_pred: path in the response, to a number, boolean or string, or to an array of one of them.
        y_proba: path in the response, to a probability, an object of classes to probabilities, or
            an array of probabilities, of which the largest is logged.
        id: path in the request, to the ID of the prediction.
        response_id: path in the response, to the same.
        feature_names: names of the elements of features that are arrays, by default x0, x1 and
            so on; of features that are objects, which keys to log, by default all.
        classes: names of the elements of `y_proba` that is an array: all are logged.

    Raises:
        ValueError: a path is invalid, or some have a `*` and others have none.
        TypeError: a path is not a string.
    """

    def __init__(
        self,
        *,
        features: str | None = None,
        y_pred: str | None = None,
        y_proba: str | None = None,
        id: str | None = None,
        response_id: str | None = None,
        feature_names: Iterable[str] | None = None,
        classes: Iterable[str] | None = None,
    ) -> None:
        if id is not None and response_id is not None:
            raise ValueError("both id and response_id are given: expected one of them")
        given = {
            "features": features,
            "y_pred": y_pred,
            "y_proba": y_proba,
            "id": id,
            "response_id": response_id,
        }
        parsed = {name: _parse(name, text) for name, text in given.items() if text is not None}
        self.in_request = {name: parsed[name] for name in _IN_REQUEST if name in parsed}
        self.in_response = {name: parsed[name] for name in _IN_RESPONSE if name in parsed}
        self.is_batch = any(path.rest is not None for path in parsed.values())
        for name, path in parsed.items():
            if self.is_batch and path.rest is None and name != "features":
                raise ValueError(
                    f"the path of {name}, {path.text!r}, has no *, but another has: write where"
                    f" the {name} of each inference is"
                )
        self.feature_names = _names("feature_names", feature_names)
        self.classes = _names("classes", classes)

    @property
    def is_by_column(self) -> bool:
        """Whether features are a mapping of names to columns."""
        features = self.in_request.get("features")
        return self.is_batch and features is not None and features.rest is None


def _parse(name: str, text: str) -> JsonPath:
    if not isinstance(text, str):
        raise TypeError(f"the path of {name} is of type {type(text).__name__}, expected a string")
    if text == ".":
        return JsonPath(text, (), None)
    parts = text.split(".")
    if not all(parts) or parts.count("*") > 1:
        raise ValueError(
            f"the path of {name} is {text!r}: expected keys separated by dots, with at most one *,"
            " such as 'instances.*.features', or '.' for the whole body"
        )
    if "*" not in parts:
        return JsonPath(text, tuple(parts), None)
    star = parts.index("*")
    return JsonPath(text, tuple(parts[:star]), tuple(parts[star + 1 :]))


def _names(argument: str, names: Iterable[str] | None) -> list[str] | None:
    if isinstance(names, str):
        raise TypeError(f"{argument} is one string, expected a list of them")
    return None if names is None else list(names)


def _follow(value: Any, keys: tuple[str, ...]) -> Any:
    for position, key in enumerate(keys):
        if type(value) is dict and key in value:
            value = value[key]
        elif type(value) is list and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            _raise_not_found(value, keys[:position], key)
    return value


def _follow_if_there(value: Any, keys: tuple[str, ...]) -> Any:
    try:
        return _follow(value, keys)
    except NotFoundError:
        return None


def _raise_not_found(value: Any, before: tuple[str, ...], key: str) -> NoReturn:
    at = f" at {'.'.join(before)!r:.200}" if before else ""
    raise NotFoundError(f"key {key!r:.200}{at}", _describe(value))


def _describe(value: Any) -> str:
    """Return what a JSON value is, without its data."""
    if type(value) is dict:
        keys = ", ".join(f"{key:.100}" for key in islice(value, _MAX_KEYS_SHOWN))
        more = f" and {len(value) - _MAX_KEYS_SHOWN} more" if len(value) > _MAX_KEYS_SHOWN else ""
        return f"keys: {keys}{more}" if value else "an object without keys"
    if type(value) is list:
        return f"a list of {len(value)}"
    names = {str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
