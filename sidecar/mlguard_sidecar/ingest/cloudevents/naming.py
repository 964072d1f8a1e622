"""The model that an event is of, by its attributes and the configuration."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mlguard.protocol import DEFAULT_ENDPOINT
from mlguard_sidecar.ingest.cloudevents.dropped import DroppedError
from mlguard_sidecar.wire import ModelKey, is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlguard_sidecar.config import CloudEventsConfig, Config

DEFAULT_PROJECT = "default"

_PLACE = re.compile(r"\{([a-z0-9]+)\}")
_SHOWN = 100


class PayloadNames(NamedTuple):
    """Names in the payloads of one model.

    Attributes:
        key: the model.
        features: names of the columns of matrices; none by default.
        y_pred: output that is the prediction; None to know it by its name.
        y_proba: output that is the probability; None to know it by its name.
    """

    key: ModelKey
    features: tuple[str, ...] = ()
    y_pred: str | None = None
    y_proba: str | None = None


class Naming:
    """Names events by one configuration.

    Args:
        config: the configuration.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        events = config.cloudevents
        templates = events.project + events.model + events.endpoint
        self._attributes = sorted(set(_PLACE.findall(templates)))
        self._named = lru_cache(maxsize=1024)(self._name)

    def name(self, attributes: Mapping[str, str]) -> PayloadNames:
        """Return the model of an event and the names in its payloads.

        Raises:
            DroppedError: it names no model.
        """
        return self._named(tuple(attributes.get(name, "") for name in self._attributes))

    def _name(self, values: tuple[str, ...]) -> PayloadNames:
        found = dict(zip(self._attributes, values, strict=True))
        key = _key(self._config.cloudevents, found)
        parts = [
            part
            for part in self._config.models
            if (part.project, part.model) == key[:2] and part.endpoint in (None, key.endpoint)
        ]
        parts.sort(key=lambda part: part.endpoint is None)
        if not parts:
            return PayloadNames(key)
        own = parts[0].cloudevents
        return PayloadNames(key, tuple(own.feature_names or ()), own.y_pred, own.y_proba)


def _key(config: CloudEventsConfig, found: Mapping[str, str]) -> ModelKey:
    def filled(template: str) -> str:
        return _PLACE.sub(lambda place: found[place[1]], template)

    key = ModelKey(
        filled(config.project) or DEFAULT_PROJECT,
        filled(config.model),
        filled(config.endpoint) or DEFAULT_ENDPOINT,
    )
    for part, name in zip(key._fields, key, strict=True):
        if not is_name(name):
            text = f"{part}: found {name[:_SHOWN]!r} by cloudevents.{part}, expected a name"
            raise DroppedError("unnamed", text)
    return key
