"""Panels in one style: each is placed by its width and height in units of the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import (
    common,
    prometheus,
    stat,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models import dashboard as m

from mlguard_dashboards.frame import SOURCE
from mlguard_dashboards.layout import Placed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.variants import Dataquery

Steps = tuple[tuple[float | None, str], ...]
"""Lower bound -> colour; the first bound is None."""

NEUTRAL: Steps = ((None, "blue"),)
GOOD: Steps = ((None, "green"),)
ANY_IS_BAD: Steps = ((None, "green"), (1, "red"))
OVER_ONE: Steps = ((None, "green"), (0.8, "yellow"), (1, "red"))
"""Of a value as a multiple of its limit."""

COUNT, RATIO, SECONDS, DOLLARS, RATE = "short", "percentunit", "s", "currencyUSD", "reqps"
"""Units of Grafana."""

STAT_HEIGHT, HEIGHT = 4, 8


def thresholds(steps: Steps) -> d.ThresholdsConfig:
    """Return absolute thresholds."""
    return (
        d.ThresholdsConfig()
        .mode(m.ThresholdsMode.ABSOLUTE)
        .steps([m.Threshold(value=bound, color=colour) for bound, colour in steps])
    )


def query(expression: str, legend: str = "", ref: str = "A") -> prometheus.Dataquery:
    """Return a query over the time range."""
    return (
        prometheus.Dataquery()
        .datasource(SOURCE)
        .expr(expression)
        .legend_format(legend or "__auto")
        .ref_id(ref)
        .range()
    )


def instant(expression: str, legend: str = "", ref: str = "A") -> prometheus.Dataquery:
    """Return a query at the end of the time range."""
    return query(expression, legend, ref).instant()


def link(title: str, url: str) -> d.DashboardLink:
    """Return a link of a value or a series."""
    return d.DashboardLink(title).url(url)


def number(
    title: str,
    description: str,
    expression: str,
    unit: str,
    *,
    steps: Steps = NEUTRAL,
    width: int = 4,
    limit: str | None = None,
    decimals: int | None = None,
    no_value: str = "no data",
    graph: bool = True,
    text: Mapping[str, str] | None = None,
    links: Sequence[d.DashboardLink] = (),
) -> Placed:
    """Return one large number.

    Args:
        title: of the panel.
        description: of the panel.
        expression: of one series.
        unit: of Grafana.
        steps: colours by value.
        width: of 24.
        limit: expression of the value from which it is red, instead of `steps`.
        decimals: shown.
        no_value: shown if there is no series.
        graph: whether its course is drawn behind it; else it is queried at the end alone.
        text: value -> what is shown instead.
        links: of the number.
    """
    queries = [(query if graph else instant)(expression, title)]
    made = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(thresholds(steps))
        .color_scheme(d.FieldColor().mode(m.FieldColorModeId.THRESHOLDS))
        .color_mode(c.BigValueColorMode.VALUE)
        .graph_mode(c.BigValueGraphMode.AREA if graph else c.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value(no_value)
    )
    if limit:
        queries.append(instant(limit, "limit", "limit"))
        made = made.thresholds(thresholds(GOOD)).with_transformation(_limit_from_query())
    if decimals is not None:
        made = made.decimals(decimals)
    if text:
        options = {value: m.ValueMappingResult(text=shown) for value, shown in text.items()}
        made = made.mappings([m.ValueMap(options=options)])
    if links:
        made = made.data_links(list(links))
    return Placed(made.targets([*queries]), width, STAT_HEIGHT)


def graph(
    title: str,
    description: str,
    series: Mapping[str, str],
    unit: str,
    *,
    width: int = 12,
    height: int = HEIGHT,
    stacked: bool = False,
    bars: bool = False,
    largest: float | None = None,
    from_zero: bool = True,
    daily: bool = False,
    steps: Steps | None = None,
    links: Sequence[d.DashboardLink] = (),
) -> Placed:
    """Return lines over time.

    A legend that begins with `limit`, `chance`, `baseline` or `expected` is a reference: it is a
    dashed or dotted line, so that it differs by more than its colour.

    Args:
        title: of the panel.
        description: of the panel.
        series: legend -> expression.
        unit: of Grafana.
        width: of 24.
        height: in units of the grid.
        stacked: whether series add up.
        bars: whether bars are drawn instead of lines.
        largest: end of the axis.
        from_zero: whether the axis begins at 0.
        daily: whether values change once a day: they are steps, an hour apart at least.
        steps: areas of the axis that are coloured.
        links: of each series.
    """
    made = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .targets(queries_of(series, query))
        .draw_style(c.GraphDrawStyle.BARS if bars else c.GraphDrawStyle.LINE)
        .line_width(1)
        .fill_opacity(60 if bars else 25 if stacked else 0)
        .show_points(c.VisibilityMode.NEVER)
        .legend(legend_below())
        .tooltip(
            common.VizTooltipOptions().mode(c.TooltipDisplayMode.MULTI).sort(c.SortOrder.DESCENDING)
        )
    )
    for name, style in _REFERENCES.items():
        made = made.override_by_regexp(f"/^{name}/", style)
    if stacked:
        made = made.stacking(common.StackingConfig().mode(c.StackingMode.NORMAL).group("A"))
    if largest is not None:
        made = made.max(largest)
    if from_zero:
        made = made.min(0)
    if daily:
        made = made.interval("1h").line_interpolation(c.LineInterpolation.STEP_AFTER)
        made = made.span_nulls(True)
    if steps:
        made = made.thresholds(thresholds(steps)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(c.GraphTresholdsStyleMode.DASHED)
        )
    if links:
        made = made.data_links(list(links))
    return Placed(made, width, height)


def queries_of(
    series: Mapping[str, str], make: Callable[[str, str, str], prometheus.Dataquery]
) -> list[Builder[Dataquery]]:
    """Return the queries of series, legend -> expression."""
    return [
        make(text, legend, chr(ord("A") + n)) for n, (legend, text) in enumerate(series.items())
    ]


def _style(colour: str, fill: str, dash: list[int]) -> list[m.DynamicConfigValue]:
    return [
        m.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour}),
        m.DynamicConfigValue("custom.lineStyle", {"fill": fill, "dash": dash}),
        m.DynamicConfigValue("custom.fillOpacity", 0),
        m.DynamicConfigValue("custom.stacking", {"mode": "none"}),
        m.DynamicConfigValue("custom.drawStyle", "line"),
    ]


_REFERENCES = {
    "limit": _style("red", "dash", [10, 6]),
    "chance": _style("orange", "dot", [1, 6]),
    "baseline": _style("text", "dash", [4, 4]),
    "expected": _style("text", "dash", [4, 4]),
}


def legend_below() -> common.VizLegendOptions:
    """Return a legend below the graph, with each series' last value."""
    return (
        common.VizLegendOptions()
        .display_mode(c.LegendDisplayMode.LIST)
        .placement(c.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull"])
    )


def _limit_from_query() -> m.DataTransformerConfig:
    mapping = {"fieldName": "limit", "handlerKey": "threshold1"}
    return m.DataTransformerConfig(
        "configFromData", options={"configRefId": "limit", "mappings": [mapping]}
    )
