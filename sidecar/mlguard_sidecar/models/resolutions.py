"""Resolutions of stored panes."""

from __future__ import annotations

MINUTE, HOUR, DAY, TOTAL, HOUR_CACHE = range(5)
"""MINUTE: the finest panes, of the configured width. HOUR, DAY: folded panes. TOTAL: running
totals. HOUR_CACHE: the sum of an hour's finest panes, stored besides these as a cache."""

HOUR_SECONDS, DAY_SECONDS = 3600, 86_400
