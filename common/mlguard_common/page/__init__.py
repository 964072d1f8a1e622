"""Pages in HTML: the site, its templates, and charts."""

from mlguard_common.page.charts import (
    Chart,
    Limit,
    Series,
    time_chart,
)
from mlguard_common.page.paths import paired_bars, sparkline
from mlguard_common.page.renderer import Renderer
from mlguard_common.page.site import Page, Site, not_found

__all__ = [
    "Chart",
    "Limit",
    "Page",
    "Renderer",
    "Series",
    "Site",
    "not_found",
    "paired_bars",
    "sparkline",
    "time_chart",
]
