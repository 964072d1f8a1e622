"""One request of a model server with its response, and the inferences that are in them."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlguard.deferred_log import describe_error
from mlguard.guard import Guard
from mlguard.http_bodies import PassingBody, UnreadError
from mlguard.json_paths import JsonPath, NotFoundError, Paths
from mlguard.json_rows import FormError, features_by_column, features_of, prediction, score

MAX_BODY_BYTES = 1 << 20
_WITHOUT = {
    "features": "features",
    "id": "IDs",
    "response_id": "IDs",
    "y_pred": "predictions",
    "y_proba": "probabilities",
}


class Routes:
    """What a middleware logs.

    Args:
        guard: what inferences are logged to.
        routes: paths of URLs to what is in their bodies.
        max_body_bytes: the largest body that is read.

    Raises:
        ValueError: a path of a URL does not start with `/`, or `max_body_bytes` is negative.
        TypeError: an argument is of another type.
    """

    def __init__(self, guard: Guard, routes: Mapping[str, Paths], max_body_bytes: int) -> None:
        if not isinstance(guard, Guard):
            raise TypeError(f"guard is of type {type(guard).__name__}, expected a Guard")
        for url, paths in dict(routes).items():
            if not isinstance(url, str) or not url.startswith("/"):
                raise ValueError(f"the route {url!r} does not start with /")
            if not isinstance(paths, Paths):
                raise TypeError(f"the route {url} has a {type(paths).__name__}, expected Paths")
        if max_body_bytes < 0:
            raise ValueError(f"max_body_bytes must be 0 or more, not {max_body_bytes}")
        self.guard = guard
        self._routes = dict(routes)
        self._limit = max_body_bytes

    def begin(
        self, url: str, method: object, headers: Callable[[], Iterable[tuple[str, str]]]
    ) -> "Exchange | None":
        """Return an exchange that starts now; None if it is of no route that is logged.

        Args:
            url: path of the URL, as the application sees it.
            method: of the request.
            headers: returns those of the request, as `PassingBody` takes them.
        """
        paths = self._routes.get(url)
        if paths is None or method != "POST":
            return None
        return Exchange(self.guard, url, paths, self._limit, headers)


class Exchange:
    """One request and its response, while they pass. No method raises.

    Attributes:
        request: copy of the request's body; None if nothing of it is logged.
        response: copy of the response's body; None if nothing of it is logged.
    """

    __slots__ = ("_guard", "_limit", "_logged", "_paths", "_started", "_url", "request", "response")

    def __init__(
        self,
        guard: Guard,
        url: str,
        paths: Paths,
        limit: int,
        headers: Callable[[], Iterable[tuple[str, str]]],
    ) -> None:
        self._started = time.perf_counter()
        self._guard = guard
        self._url = url
        self._paths = paths
        self._limit = limit
        self._logged = True  # there is no response yet
        self.response: PassingBody | None = None
        self.request = self._copy_of("request", headers) if paths.in_request else None

    def response_started(
        self, status: int, headers: Callable[[], Iterable[tuple[str, str]]]
    ) -> None:
        """Note the response's status and headers; only one with 2xx is logged."""
        self._logged = not 200 <= status < 300
        wanted = self._paths.in_response and not self._logged
        self.response = self._copy_of("response", headers) if wanted else None

    def seconds(self) -> float:
        """Return how long it has taken until now."""
        return time.perf_counter() - self._started

    def log(self, seconds: float) -> None:
        """Log the inferences, once; nothing unless the response is successful.

        Args:
            seconds: how long the exchange took.
        """
        if self._logged:
            return
        self._logged = True
        try:
            self._log(seconds * 1_000)
        except Exception as error:  # noqa: BLE001 - what is not expected must not harm the host
            self._guard.log(latency_ms=seconds * 1_000)
            self._warn("error", f"requests of {self._url} are only timed: {describe_error(error)}")

    def _log(self, latency_ms: float) -> None:
        paths = self._paths
        found = {
            **self._read("request", self.request, paths.in_request),
            **self._read("response", self.response, paths.in_response),
        }
        values = {"id" if name == "response_id" else name: each for name, each in found.items()}
        if not paths.is_batch or not values:
            self._guard.log(**values, latency_ms=latency_ms)
        elif columns := self._of_one_length(values):
            self._guard.log_batch(**columns, latency_ms=latency_ms)

    def _copy_of(
        self, what: str, headers: Callable[[], Iterable[tuple[str, str]]]
    ) -> PassingBody | None:
        try:
            return PassingBody(self._limit, headers())
        except Exception as error:  # noqa: BLE001 - the host's headers may be anything
            self._warn("error", f"a {what} of {self._url} is not read: {describe_error(error)}")
            return None

    def _read(
        self, what: str, body: PassingBody | None, paths: Mapping[str, JsonPath]
    ) -> dict[str, Any]:
        """Return what is found at the paths of one body."""
        if not paths or body is None:
            return {}
        try:
            value = body.parse()
        except UnreadError as error:
            self._warn_without(paths, error.reason, f"the {what} is not read: {error}")
            return {}
        found = {name: self._find(what, value, name, path) for name, path in paths.items()}
        return {name: each for name, each in found.items() if each is not None}

    def _find(self, what: str, value: Any, name: str, path: JsonPath) -> Any:
        """Return what is at one path in the form that the guard takes; None if it is not there."""
        try:
            return self._form(name, path.find(value))
        except NotFoundError as error:
            why = f"found no {error.missing} in the {what} of {self._url}; found {error.found}"
            self._warn_without([name], "not_found", why)
        except FormError as error:
            self._warn_without([name], "other_form", f"{error}, at {path.text!r} of the {what}")
        return None

    def _form(self, name: str, value: Any) -> Any:
        paths = self._paths
        if name == "features":
            if paths.is_batch:
                return features_by_column(
                    value, paths.feature_names, are_columns=paths.is_by_column
                )
            return features_of(value, paths.feature_names)
        if name == "y_proba":
            if paths.is_batch:
                return [score(each, paths.classes) for each in value]
            return score(value, paths.classes)
        if name == "y_pred":
            return [prediction(each) for each in value] if paths.is_batch else prediction(value)
        return value

    def _of_one_length(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the columns that have as many elements as the first; none if that is empty."""
        lengths = {
            name: len(next(iter(value.values()), ()) if name == "features" else value)
            for name, value in values.items()
        }
        rows = next(iter(lengths.values()))
        for name, length in lengths.items():
            if length != rows:
                text = f"found {length} of {name}, and {rows} of {next(iter(lengths))}"
                self._warn_without([name], "other_length", text)
        return {name: value for name, value in values.items() if rows and lengths[name] == rows}

    def _warn_without(self, names: Iterable[str], reason: str, why: str) -> None:
        missing = " and ".join(dict.fromkeys(_WITHOUT[name] for name in names))
        self._warn(
            reason, f"inferences of {self._url} are logged without {missing}: {why}", missing
        )

    def _warn(self, reason: str, text: str, of: str = "") -> None:
        kind = ("http", self._url, reason, of)
        self._guard._count_unread(reason, kind, text)  # noqa: SLF001 - of this package
