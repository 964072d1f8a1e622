"""The widths that panes are kept in."""

from __future__ import annotations

MINUTE, HOUR, DAY, EVER = range(4)
"""The finest, of the configured width; whole hours; whole days; running totals."""

HOUR_SECONDS, DAY_SECONDS = 3600, 86_400
