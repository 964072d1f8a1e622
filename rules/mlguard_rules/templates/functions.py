"""The functions of templates, with the results that Prometheus gives.

Source: prometheus/template/template.go, and Go's fmt for printf.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")
_BINARY = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_VERB = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d*))?([a-zA-Z%])")
_UNLIMITED = 99


class QuerySample(NamedTuple):
    """One result of a query."""

    labels: Mapping[str, str]
    value: float


class Function(NamedTuple):
    """A function, and the least and greatest number of its arguments."""

    apply: Callable[..., object]
    arguments: tuple[int, int] = (1, 1)

    @property
    def arguments_text(self) -> str:
        """The number of arguments, for an error."""
        low, high = self.arguments
        return f"{low} or more arguments" if high == _UNLIMITED else f"{low} arguments"


def go_string(value: object) -> str:
    """Return a value as Go formats it with %v."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _shortest(value)
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{k}:{v}" for k, v in sorted(value.items())) + "]"
    return str(value)


def _special(value: float) -> str | None:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return None


def _shortest(value: float) -> str:
    """Return the fewest digits that identify a number, with an exponent below -4 or from 6 on."""
    special = _special(value)
    if special:
        return special
    digits, exponent = _digits(value)
    if exponent < -4 or exponent >= 6:
        mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
        text = f"{mantissa}e{exponent:+03d}"
    elif exponent < 0:
        text = "0." + "0" * (-exponent - 1) + digits
    else:
        whole = digits[: exponent + 1].ljust(exponent + 1, "0")
        text = whole + ("." + digits[exponent + 1 :] if digits[exponent + 1 :] else "")
    return "-" + text if math.copysign(1.0, value) < 0 else text


def _digits(value: float) -> tuple[str, int]:
    """Return the significant digits of a number, and the exponent of the first one."""
    if value == 0:
        return "0", 0
    mantissa, _, exponent = f"{abs(value):.17e}".partition("e")
    for precision in range(17):
        text = f"{abs(value):.{precision}e}"
        if float(text) == abs(value):
            mantissa, _, exponent = text.partition("e")
            break
    return mantissa.replace(".", "").rstrip("0") or "0", int(exponent)


def _number(value: object) -> float:
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        return float(value)
    raise ValueError(f"{go_string(value)} is no number")


def _four(value: float) -> str:
    return _special(value) or f"{value:.4g}"


def _scaled(value: float, steps: Sequence[str], factor: float) -> tuple[float, str]:
    """Return a number scaled by powers of the factor until its prefix fits, and the prefix."""
    prefix = ""
    for step in steps:
        if (abs(value) < factor) if factor > 1 else (abs(value) >= 1):
            break
        prefix, value = step, value / factor
    return value, prefix


def humanize(raw: object) -> str:
    """Return four digits with a metric prefix."""
    value = _number(raw)
    if value == 0 or not math.isfinite(value):
        return _four(value)
    if abs(value) >= 1:
        scaled, prefix = _scaled(value, _LARGE, 1000.0)
    else:
        scaled, prefix = _scaled(value, _SMALL, 0.001)
    return f"{scaled:.4g}{prefix}"


def humanize1024(raw: object) -> str:
    """Return four digits with a binary prefix."""
    value = _number(raw)
    if abs(value) <= 1 or not math.isfinite(value):
        return _four(value)
    scaled, prefix = _scaled(value, _BINARY, 1024.0)
    return f"{scaled:.4g}{prefix}"


def humanize_percentage(raw: object) -> str:
    """Return a ratio in percent."""
    return _four(_number(raw) * 100) + "%"


def humanize_duration(raw: object) -> str:  # noqa: PLR0911 - one for each magnitude
    """Return seconds as days, hours, minutes and seconds."""
    value = _number(raw)
    if not math.isfinite(value):
        return _four(value)
    if value == 0:
        return "0s"
    if abs(value) < 1:
        scaled, prefix = _scaled(value, _SMALL, 0.001)
        return f"{scaled:.4g}{prefix}s"
    sign, value = ("-", -value) if value < 0 else ("", value)
    minutes, seconds = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{value:.4g}s"


def humanize_timestamp(raw: object) -> str:
    """Return epoch seconds as a time in UTC."""
    value = _number(raw)
    if not math.isfinite(value):
        return _four(value)
    milliseconds = int(value * 1000)
    time = datetime.fromtimestamp(milliseconds // 1000, UTC)
    fraction = f".{milliseconds % 1000:03d}".rstrip("0").rstrip(".")
    return f"{time:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def printf(pattern: object, *values: object) -> str:
    """Return what Go's Sprintf returns, for the verbs s q v d f e g t."""
    rest = list(values)

    def formatted(found: re.Match[str]) -> str:
        flags, width, precision, verb = found.groups()
        if verb == "%":
            return "%"
        if not rest:
            return f"%!{verb}(MISSING)"
        text = _verb(verb, flags, precision, rest.pop(0))
        if width:
            text = _padded(text, flags, int(width))
        return text

    return _VERB.sub(formatted, str(pattern))


def _padded(text: str, flags: str, width: int) -> str:
    if "-" in flags:
        return text.ljust(width)
    return text.zfill(width) if "0" in flags and text[-1:].isdigit() else text.rjust(width)


def _verb(  # noqa: PLR0911 - one for each verb
    verb: str, flags: str, precision: str | None, value: Any
) -> str:
    plus = "+" if "+" in flags else ""
    is_float = isinstance(value, float)
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if verb == "v":
        return go_string(value)
    if verb == "s" and isinstance(value, str):
        return value if precision is None else value[: int(precision or 0)]
    if verb == "q" and isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if verb == "d" and is_integer:
        return f"{value:{plus}d}"
    if verb == "t" and isinstance(value, bool):
        return str(value).lower()
    if verb in "feg" and is_float:
        special = _special(value)
        if special:
            return plus + special if math.isnan(value) else special
        if verb == "g" and precision is None:
            return _shortest(value)
        digits = 6 if precision is None else int(precision or 0)
        return f"{value:{plus}.{digits}{verb}}"
    kind = {float: "float64", int: "int", bool: "bool", str: "string"}.get(type(value), "object")
    return f"%!{verb}({kind}={go_string(value)})"


def _first(found: Any) -> QuerySample:
    if not isinstance(found, list):
        raise TypeError("expected the result of query")
    if not found:
        raise ValueError("first() called on vector with no elements")
    return found[0]  # type: ignore[no-any-return]


def _value(found: Any) -> float:
    if not isinstance(found, QuerySample):
        raise TypeError("expected the result of first")
    return found.value


def _label(name: Any, found: Any) -> str:
    if not isinstance(found, QuerySample):
        raise TypeError("expected the result of first")
    return found.labels.get(name, "")


def _or(*values: object) -> object:
    """Return the first value that is not empty or zero, else the last one."""
    return next((value for value in values if value), values[-1])


def _title(text: object) -> str:
    return re.sub(r"(?<![\w'])\w", lambda found: found[0].upper(), str(text))


FUNCTIONS: dict[str, Function] = {
    "humanize": Function(humanize),
    "humanize1024": Function(humanize1024),
    "humanizePercentage": Function(humanize_percentage),
    "humanizeDuration": Function(humanize_duration),
    "humanizeTimestamp": Function(humanize_timestamp),
    "printf": Function(printf, (1, _UNLIMITED)),
    "query": Function(lambda text: text),
    "first": Function(_first),
    "value": Function(_value),
    "label": Function(_label, (2, 2)),
    "or": Function(_or, (1, _UNLIMITED)),
    "title": Function(_title),
    "toUpper": Function(lambda text: str(text).upper()),
    "toLower": Function(lambda text: str(text).lower()),
}
"""The functions by name; `query` is evaluated by the context instead."""
