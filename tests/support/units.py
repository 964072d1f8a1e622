"""Numbers as Grafana shows them in its units."""

from __future__ import annotations

from math import isfinite

from support.fortnight import END

_SCALES = {
    "s": ((604800, "week"), (86400, "day"), (3600, "hour"), (60, "min"), (1, "s"), (1e-3, "ms"),
          (1e-6, "µs")),
    "bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")),
    "reqps": ((1e3, "K req/s"), (1, "req/s")),
    "short": ((1e9, "Bil"), (1e6, "Mil"), (1e3, "K"), (1, "")),
}  # fmt: skip


def text_of(value: float, unit: str, decimals: int | None) -> str:
    """Return a value with its unit."""
    if not isfinite(value):
        return "+Inf" if value > 0 else "NaN"
    if unit == "percentunit":
        return f"{100 * value:.{1 if decimals is None else decimals}f} %"
    if unit == "currencyUSD":
        return f"{'-' if value < 0 else ''}${abs(value):,.2f}"
    if unit == "dateTimeFromNow":
        return f"{text_of(END - value / 1000, 's', 0)} ago"
    scales = _SCALES.get(unit, ((1, ""),))
    scale, name = next((each for each in scales if abs(value) >= each[0]), scales[-1])
    return f"{_short(value / scale, decimals)} {name if value or unit != 's' else ''}".strip()


def _short(value: float, decimals: int | None) -> str:
    return f"{value:.3g}" if decimals is None else f"{value:.{decimals}f}"
