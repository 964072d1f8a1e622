"""Values as Go's fmt prints them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_VERB = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d*))?([a-zA-Z%])")
_WIDEST = 1_000_000
_KINDS = {float: "float64", int: "int", bool: "bool", str: "string"}


class QuerySample(NamedTuple):
    """One result of a query."""

    labels: Mapping[str, str]
    value: float


def go_string(value: object) -> str:
    """Return a value as Go formats it with %v."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _shortest(value)
    if value is None:
        return "<no value>"
    if isinstance(value, QuerySample):
        return f"{{{go_string(value.labels)} {go_string(value.value)}}}"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{k}:{v}" for k, v in sorted(value.items())) + "]"
    return str(value)


def special_float(value: float) -> str | None:
    """Return NaN or an infinity as text, None for other numbers."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return None


def _shortest(value: float) -> str:
    """Return the fewest digits that identify a number, with an exponent below -4 or from 6 on."""
    special = special_float(value)
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


def printf(pattern: object, *values: object) -> str:
    """Return what Go's Sprintf returns, for the verbs s q v d f e g t x."""
    rest = list(values)

    def formatted(found: re.Match[str]) -> str:
        flags, width, precision, verb = found.groups()
        if verb == "%":
            return "%"
        if not rest:
            return f"%!{verb}(MISSING)"
        refused = ""
        if _is_too_wide(width):
            width, refused = "", "%!(BADWIDTH)"
        if _is_too_wide(precision):
            precision, refused = None, f"{refused}%!(BADPREC)"
        text = _verb(verb, flags, precision, rest.pop(0))
        if width:
            text = _padded(text, flags, int(width))
        return refused + text

    text = _VERB.sub(formatted, str(pattern))
    if rest:
        text += f"%!(EXTRA {', '.join(f'{kind_of(value)}={go_string(value)}' for value in rest)})"
    return text


def _is_too_wide(digits: str | None) -> bool:
    return bool(digits) and (len(digits or "") > len(str(_WIDEST)) or int(digits or 0) > _WIDEST)


def sprint(*values: object) -> str:
    """Return what Go's Sprint returns: a space between two values that are no texts."""
    parts: list[str] = []
    for i, value in enumerate(values):
        if i and not isinstance(value, str) and not isinstance(values[i - 1], str):
            parts.append(" ")
        parts.append(go_string(value))
    return "".join(parts)


def kind_of(value: object) -> str:
    """Return the name of a value's type in Go."""
    return _KINDS.get(type(value), "object")


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
        special = special_float(value)
        if special:
            return plus + special if math.isnan(value) else special
        if verb == "g" and precision is None:
            return _shortest(value)
        digits = 6 if precision is None else int(precision or 0)
        return f"{value:{plus}.{digits}{verb}}"
    if verb == "x" and is_integer:
        return f"{value:{plus}x}"
    return f"%!{verb}({kind_of(value)}={go_string(value)})"
