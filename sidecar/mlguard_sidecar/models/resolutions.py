"""The widths that panes are kept in."""

from __future__ import annotations

MINUTE, HOUR, DAY, TOTAL, HOUR_CACHE = range(5)
"""The finest, of the configured width; whole hours; whole days; running totals; whole hours of
finest panes, kept beside these so that a window is quick to read."""

HOUR_SECONDS, DAY_SECONDS = 3600, 86_400
