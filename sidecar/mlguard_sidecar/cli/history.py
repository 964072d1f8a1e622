"""Output of `mlguard history`."""

from __future__ import annotations

from typing import Any

from mlguard_sidecar.cli.table import table

_WHOLE = "\u2588"
_PARTS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589"
_WIDTH = 8
_MAX_NAMES = 4


def history_table(days: list[dict[str, Any]]) -> str:
    """Return a table of days: volume, latency, the largest drift, and what drifted beyond chance.

    Args:
        days: `days` of `GET .../history`, the oldest first.
    """
    if not days:
        return "No days yet."
    worst = [_worst(day["columns"]) for day in days]
    most = max(day["inferences"] for day in days)
    highest = max((_psi(column) for column in worst if column), default=0.0)
    figure = _figure_of_quality(days)
    quality = () if figure is None else (figure[1],)
    rows = [("DAY", "INFERENCES", "", "P95", *quality, "LARGEST PSI", "", "OF", "BEYOND CHANCE")]
    for day, column in zip(days, worst, strict=True):
        p95 = day["latency_p95_seconds"]
        rows.append(
            (
                day["day"],
                f"{day['inferences']:,}",
                bar(day["inferences"], most),
                "-" if p95 is None else f"{p95 * 1000:,.1f} ms",
                *(() if figure is None else (_quality(day, figure[0]),)),
                "-" if column is None else f"{column['psi']:.3f}",
                "" if column is None else bar(column["psi"], highest),
                "-" if column is None else column["name"],
                _beyond_chance(day["columns"]),
            )
        )
    return table(rows)


def _figure_of_quality(days: list[dict[str, Any]]) -> tuple[str, str] | None:
    """Return key and heading of the figure of quality that any day has."""
    for figure in (("accuracy", "ACCURACY"), ("absolute_error_mean", "MEAN ERROR")):
        if any(figure[0] in (day.get("quality") or {}) for day in days):
            return figure
    return None


def _quality(day: dict[str, Any], figure: str) -> str:
    value = (day.get("quality") or {}).get(figure)
    if value is None:
        return "-"
    return f"{value:.1%}" if figure == "accuracy" else f"{value:.4g}"


def bar(value: float, largest: float) -> str:
    """Return a bar of at most eight characters, in eighths of a character."""
    eighths = round(_WIDTH * 8 * value / largest) if largest > 0 else 0
    whole, rest = divmod(max(eighths, 1 if value > 0 else 0), 8)
    return _WHOLE * whole + (_PARTS[rest] if rest else "")


def _worst(columns: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the column with the largest index; None if no drift was measured."""
    return max((c for c in columns if c["psi"] is not None), key=_psi, default=None)


def _psi(column: dict[str, Any]) -> float:
    return float(column["psi"])


def _beyond_chance(columns: list[dict[str, Any]]) -> str:
    names = [c["name"] for c in columns if c["psi"] is not None and c["psi"] > c["psi_critical"]]
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more or "-"
