"""Figures that one can look into: a heat map and the error curves of one of its cells, by Bokeh, filled by explorer.js.

The models have no data and no text of a sweep, so they are the same in each report. Nothing in them is JavaScript: a page's
security policy then need not allow text to become code.
"""

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.report.page import cells, curves
from pipeline.stats.summary import Summary
from pipeline.stats.trajectories import Curves

TIP = '<div style="font: 13px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: min(22rem, 42vw); white-space: pre-line">@{tip}</div>'
FONT = "system-ui, sans-serif"
MISSED = "#d4d8dd"  # no run converged, or the median was not reached


def explorer(summary: Summary, all_curves: Curves | None, error_goals: bool) -> dict[str, Any] | None:
    """What the page's script draws from, and what the selects above offer; None where there is nothing to choose."""
    found = cells.cube(summary) if len(summary) else None
    if found is None:
        return None
    data = cells.as_data(found)
    data["curves"] = curves.sample(summary, found, all_curves)
    data["goals"] = curves.goals(summary, error_goals)
    data["colours"] = {"rate": palette(False), "median": palette(True), "ert": palette(True)}
    data["missed"] = MISSED
    data["ink"] = {measure: list(map(ink, [*colours, MISSED])) for measure, colours in data["colours"].items()}
    return {"data": data, "models": models(), "measures": cells.MEASURES, "axes": data["axes"], "nested": data["nested"]}


def palette(backwards: bool) -> list[str]:
    """Viridis, bright where it is good: at high shares, at few epochs."""
    from bokeh.palettes import Viridis256

    return list(Viridis256[::-1] if backwards else Viridis256)


def ink(colour: str) -> str:
    """Black or white, whichever stands out more from a colour: by 4.58 to 1 at least (WCAG 2.2, relative luminance)."""
    return "#000000" if luminance(colour) > 0.179 else "#ffffff"


def luminance(colour: str) -> float:
    """The relative luminance of #rrggbb, as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@functools.cache
def bokeh_script() -> str:
    """BokehJS without widgets, tables and formulas."""
    import bokeh

    return (Path(bokeh.__file__).parent / "server/static/js/bokeh.min.js").read_text(encoding="utf-8")


@functools.cache
def models() -> dict[str, Any]:
    """Both figures as JSON, with ids that do not depend on what else was drawn."""
    from bokeh.embed import json_item

    items = {name: json_item(figure) for name, figure in (("map", heat_map()), ("curves", error_curves()))}
    text = json.dumps(items)
    found = re.findall(r'"(p\d+|[0-9a-f]{8}-[0-9a-f-]{27})"', text)
    for place, identifier in enumerate(dict.fromkeys(found)):
        text = text.replace(f'"{identifier}"', f'"m{place}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def heat_map() -> Any:
    """A cell is a rectangle around whole numbers, with its text; bars of colour for each measure, one of them shown."""
    from bokeh.models import ColorBar, ColumnDataSource, FixedTicker, HoverTool, LinearColorMapper, LogColorMapper, Range1d
    from bokeh.core.properties import value
    from bokeh.models import TapTool
    from bokeh.plotting import figure

    empty: Mapping[str, list[Any]] = {name: [] for name in ("x", "y", "fill", "ink", "text", "tip")}
    source = ColumnDataSource(empty, name="cells source")
    plot: Any = figure(
        x_range=Range1d(-0.5, 0.5), y_range=Range1d(-0.5, 0.5), tools="", toolbar_location=None, height=360,
        sizing_mode="stretch_width", name="map", min_border_right=10,
    )  # fmt: skip
    shapes = plot.rect(
        "x", "y", 0.96, 0.94, source=source, fill_color="fill", line_color=None, border_radius=3,
        selection_line_color="#d55e00", selection_line_width=4, nonselection_fill_alpha=1, nonselection_line_color=None,
        hover_line_color="#d55e00", hover_line_width=2,
    )  # fmt: skip
    plot.text("x", "y", "text", source=source, text_color="ink", text_align="center", text_baseline="middle",
              text_font=value(FONT), text_font_size="12px", text_line_height=1.2, nonselection_text_alpha=1)  # fmt: skip
    plot.add_tools(HoverTool(tooltips=TIP, renderers=[shapes], point_policy="follow_mouse"), TapTool(renderers=[shapes]))
    for axis in (plot.xaxis[0], plot.yaxis[0]):
        axis.ticker = FixedTicker(ticks=[])
    plain(plot)
    plot.grid.visible = False
    for measure in cells.MEASURES:
        mapper = LinearColorMapper if measure == "rate" else LogColorMapper
        bar = ColorBar(
            color_mapper=mapper(palette=palette(measure != "rate"), low=0.1, high=1.0), name=f"bar {measure}", width=10,
            visible=False, background_fill_color=None, major_tick_line_color=None, padding=8, label_standoff=6,
            major_label_text_font_size="12px", major_label_text_font=FONT,
        )  # fmt: skip
        plot.add_layout(bar, "right")
    return plot


def error_curves() -> Any:
    """A line per run, error over epochs, both logarithmic; dashed lines at the thresholds."""
    from bokeh.models import ColumnDataSource, DataRange1d, HoverTool
    from bokeh.plotting import figure

    source = ColumnDataSource({name: [] for name in ("xs", "ys", "colour", "tip")}, name="curves source")
    goals = ColumnDataSource({"y": []}, name="goals source")
    plot: Any = figure(
        x_range=DataRange1d(range_padding=0.02), y_range=DataRange1d(range_padding=0.05), x_axis_type="log", y_axis_type="log",
        tools="box_zoom,reset", toolbar_location="above", height=300, sizing_mode="stretch_width", name="curves",
        min_border_right=10,
    )  # fmt: skip
    plot.toolbar.logo = None
    lines = plot.multi_line("xs", "ys", source=source, line_color="colour", line_width=1.4, line_alpha=0.75, hover_line_width=3)
    plot.hspan("y", source=goals, line_dash="dashed", line_color="#8a6100", line_width=1.2)
    plot.add_tools(HoverTool(tooltips=TIP, renderers=[lines], line_policy="nearest", visible=False))
    plot.xaxis.axis_label, plot.yaxis.axis_label = "epochs", "total error"
    plain(plot)
    return plot


def plain(plot: Any) -> None:
    """A figure without frames and backgrounds, in the page's font."""
    plot.background_fill_color = plot.border_fill_color = plot.outline_line_color = None
    for axis in plot.axis:
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = None
        axis.major_label_text_font = axis.axis_label_text_font = FONT
        axis.major_label_text_font_size, axis.axis_label_text_font_size = "12px", "13px"
        axis.axis_label_text_font_style = "normal"
