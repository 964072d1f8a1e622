"""The functions of templates: those of Prometheus, and those of Go's text/template."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus

from mlguard_common.config import duration_milliseconds
from mlguard_rules.regex import replace_all, search
from mlguard_rules.templates.comparison import COMPARISONS, is_true
from mlguard_rules.templates.golang import QuerySample, printf, sprint
from mlguard_rules.templates.humanize import (
    humanize,
    humanize1024,
    humanize_duration,
    humanize_percentage,
    humanize_timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_UNLIMITED = 99
_ADDRESS = re.compile(r"(?:\[(?P<bracketed>[^\[\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[^:\[\]]*)")


class Function(NamedTuple):
    """A function, and the least and greatest number of its arguments."""

    apply: Callable[..., object]
    arguments: tuple[int, int] = (1, 1)

    @property
    def arguments_text(self) -> str:
        """The number of arguments, for an error."""
        low, high = self.arguments
        if high == _UNLIMITED:
            return f"{low} or more arguments"
        return f"{low} argument{'' if low == 1 else 's'}"


def _samples(found: Any) -> list[QuerySample]:
    if not isinstance(found, list):
        raise TypeError("expected the result of query")
    return found


def _first(found: Any) -> QuerySample:
    samples = _samples(found)
    if not samples:
        raise ValueError("first() called on vector with no elements")
    return samples[0]


def _sample(found: Any) -> QuerySample:
    if not isinstance(found, QuerySample):
        raise TypeError("expected the result of first")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("expected a text")
    return value


def _label(name: Any, found: Any) -> str:
    return _sample(found).labels.get(name, "")


def _sort_by_label(name: Any, found: Any) -> list[QuerySample]:
    return sorted(_samples(found), key=lambda sample: sample.labels.get(name, ""))


def _title(text: Any) -> str:
    return re.sub(r"(?<![\w'])\w", lambda found: found[0].upper(), _text(text))


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, QuerySample) or not isinstance(value, list | Mapping):
        raise TypeError("expected a text, a map or a list")
    return len(value)


def _index(value: Any, *keys: Any) -> object:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(_text(key), "")
        elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            value = value[key]
        else:
            raise TypeError(f"cannot be indexed by {key!r}")
    return value


def _strip_port(address: Any) -> str:
    found = _ADDRESS.fullmatch(_text(address))
    return str(address) if found is None else found["bracketed"] or found["host"] or ""


def _strip_domain(address: Any) -> str:
    found = _ADDRESS.fullmatch(_text(address))
    host = _strip_port(address)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        name = host.split(".")[0]
        return name if found is None or not found["port"] else f"{name}:{found['port']}"
    return str(address)


def _link(tab: int) -> Callable[[Any], str]:
    return lambda expression: f"/graph?g0.expr={quote_plus(_text(expression))}&g0.tab={tab}"


FUNCTIONS: dict[str, Function] = {
    "humanize": Function(humanize),
    "humanize1024": Function(humanize1024),
    "humanizePercentage": Function(humanize_percentage),
    "humanizeDuration": Function(humanize_duration),
    "humanizeTimestamp": Function(humanize_timestamp),
    "parseDuration": Function(lambda text: duration_milliseconds(_text(text)) / 1000),
    "printf": Function(printf, (1, _UNLIMITED)),
    "print": Function(sprint, (0, _UNLIMITED)),
    "query": Function(_text),
    "first": Function(_first),
    "value": Function(lambda found: _sample(found).value),
    "label": Function(_label, (2, 2)),
    "strvalue": Function(lambda found: _sample(found).labels.get("__value__", "")),
    "sortByLabel": Function(_sort_by_label, (2, 2)),
    "and": Function(lambda *values: values[-1], (1, _UNLIMITED)),
    "or": Function(lambda *values: values[-1], (1, _UNLIMITED)),
    "not": Function(lambda value: not is_true(value)),
    **{name: Function(apply, (2, 2)) for name, apply in COMPARISONS.items()},
    "eq": Function(COMPARISONS["eq"], (2, _UNLIMITED)),
    "len": Function(_length),
    "index": Function(_index, (1, _UNLIMITED)),
    "match": Function(lambda pattern, text: search(_text(pattern), _text(text)), (2, 2)),
    "reReplaceAll": Function(
        lambda pattern, by, text: replace_all(_text(pattern), _text(by), _text(text)), (3, 3)
    ),
    "title": Function(_title),
    "toUpper": Function(lambda text: _text(text).upper()),
    "toLower": Function(lambda text: _text(text).lower()),
    "stripPort": Function(_strip_port),
    "stripDomain": Function(_strip_domain),
    "graphLink": Function(_link(0)),
    "tableLink": Function(_link(1)),
    "safeHtml": Function(_text),
}
"""The functions by name; `query`, `and` and `or` are evaluated in nodes.py instead."""
