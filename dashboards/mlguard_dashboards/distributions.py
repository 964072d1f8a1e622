"""Panels of distributions, in the style of `panels`: heat maps, and bars of what is at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import barchart, bargauge, common, heatmap
from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models import dashboard as m
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from mlguard_dashboards.frame import SOURCE
from mlguard_dashboards.layout import Placed
from mlguard_dashboards.panels import (
    HEIGHT,
    NEUTRAL,
    RATIO,
    Steps,
    instant,
    legend_below,
    queries_of,
    query,
    thresholds,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GREY = m.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "text"})


def heat_map(
    title: str, description: str, expression: str, unit: str, *, width: int = 12
) -> Placed:
    """Return a heat map of a Prometheus histogram, whose series are its buckets."""
    made = (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .targets([query(expression, "{{le}}").format(PromQueryFormat.HEATMAP)])
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Blues")
            .steps(32)
            .fill("dark-blue")
            .exponent(0.5)
            .reverse(False)
        )
        .cell_gap(1)
    )
    return Placed(made, width, HEIGHT)


def ranking(
    title: str,
    description: str,
    series: Mapping[str, str],
    unit: str,
    *,
    steps: Steps = NEUTRAL,
    width: int = 12,
    height: int = HEIGHT,
    largest: float | None = None,
    from_zero: bool = True,
    links: Sequence[d.DashboardLink] = (),
) -> Placed:
    """Return horizontal bars of the values at the end of the time range, each with its number.

    Args:
        title: of the panel.
        description: of the panel.
        series: legend -> expression.
        unit: of Grafana.
        steps: colours by value.
        width: of 24.
        height: in units of the grid.
        largest: end of the axis.
        from_zero: whether the axis begins at 0.
        links: of each bar.
    """
    made = (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .targets(queries_of(series, instant))
        .orientation(c.VizOrientation.HORIZONTAL)
        .display_mode(c.BarGaugeDisplayMode.BASIC)
        .value_mode(c.BarGaugeValueMode.TEXT)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds(steps))
        .color_scheme(d.FieldColor().mode(m.FieldColorModeId.THRESHOLDS))
        .no_value("no data")
    )
    if from_zero:
        made = made.min(0)
    if largest is not None:
        made = made.max(largest)
    if links:
        made = made.data_links(list(links))
    return Placed(made, width, height)


def bin_chart(
    title: str, description: str, series: Mapping[str, str], *, width: int, height: int
) -> Placed:
    """Return bars side by side for each bin of a histogram, in the order of the bins' upper edges.

    Args:
        title: of the panel.
        description: of the panel.
        series: name -> expression of shares by `bin` and `upper`; see `queries.with_upper_edge`.
        width: of 24.
        height: in units of the grid.
    """
    names = {f"Value #{chr(ord('A') + n)}": name for n, name in enumerate(series)}
    transformations = [
        ("merge", {}),
        (
            "convertFieldType",
            {"conversions": [{"targetField": "upper", "destinationType": "number"}]},
        ),
        ("sortBy", {"fields": {}, "sort": [{"field": "upper"}]}),
        ("organize", {"excludeByName": {"Time": True, "upper": True}, "renameByName": names}),
    ]
    made = (
        barchart.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(RATIO)
        .min(0)
        .targets(
            [
                instant(text, name, chr(ord("A") + n)).format(PromQueryFormat.TABLE)
                for n, (name, text) in enumerate(series.items())
            ]
        )
        .transformations(
            [m.DataTransformerConfig(name, options=options) for name, options in transformations]
        )
        .x_field("bin")
        .x_tick_label_max_length(12)
        .legend(legend_below())
        .tooltip(common.VizTooltipOptions().mode(c.TooltipDisplayMode.MULTI))
        .override_by_name("baseline", [_GREY])
    )
    return Placed(made, width, height)
