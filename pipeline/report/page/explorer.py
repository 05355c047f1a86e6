"""Figures that one can look into: a heat map and the error curves of one of its cells, by Bokeh, filled by explorer.js.

The models have no data and no text of a sweep, so they are the same in each report. Nothing in them is JavaScript: a page's
security policy then need not allow text to become code.
"""

import functools
import hashlib
import importlib
import json
import re
from pathlib import Path
from typing import Any

from pipeline.backprop.cache_folder import cache_folder, read_kept, write_kept
from pipeline.report.page import cells, curves
from pipeline.stats.summary import Summary
from pipeline.stats.trajectories import Curves

TIP_STYLE = "font: 13px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: min(22rem, 42vw); white-space: pre-line"
TIP = f'<div style="{TIP_STYLE}">@{{tip}}</div>'
FONT = "system-ui, sans-serif"
PICKED = "#d55e00"
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


def library(part: str) -> Any:
    """A part of Bokeh, imported when a report is made: it takes half a second."""
    import bokeh  # the house's test reads imports

    return importlib.import_module(f"{bokeh.__name__}.{part}")


@functools.cache
def bokeh_script() -> str:
    """BokehJS without widgets, tables and formulas."""
    import bokeh

    return (Path(bokeh.__file__).parent / "server/static/js/bokeh.min.js").read_text(encoding="utf-8")


@functools.cache
def models() -> dict[str, Any]:
    """Both figures as JSON; kept for later reports, as it takes 0.3 s to import Bokeh's models and to make them."""
    import bokeh

    made_from = bokeh.__version__, cells.MEASURES, Path(__file__).read_bytes()
    file = cache_folder() / f"{hashlib.sha256(repr(made_from).encode()).hexdigest()}.models"
    content = read_kept(file)
    if content is None:
        content = json.dumps(new_models()).encode()
        write_kept(file, content)
    kept: dict[str, Any] = json.loads(content)
    return kept


def new_models() -> dict[str, Any]:
    """Both figures as JSON, with ids that do not depend on what else was drawn."""
    text = json.dumps({"map": item(heat_map()), "curves": item(error_curves())})
    for place, identifier in enumerate(dict.fromkeys(re.findall(r'"(p\d+)"', text))):
        text = text.replace(f'"{identifier}"', f'"m{place}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def item(plot: Any) -> dict[str, Any]:
    """A figure as BokehJS embeds it: `bokeh.embed.json_item`, whose module takes long to be imported."""
    document = library("document").Document()
    document.add_root(plot)
    data = document.to_json(deferred=False)
    return {"root_id": plot.id, "doc": data, "version": data["version"]}


def heat_map() -> Any:
    """A cell is a rectangle around whole numbers, with its text; bars of colour for each measure, one of them shown."""
    models = library("models")

    source = models.ColumnDataSource({name: [] for name in ("x", "y", "fill", "ink", "text", "tip")}, name="cells source")
    ranges: list[Any] = [models.Range1d(-0.5, 0.5), models.Range1d(-0.5, 0.5)]
    plot = models.Plot(x_range=ranges[0], y_range=ranges[1], height=360, toolbar_location=None, name="map")
    rectangle = {"x": "x", "y": "y", "width": 0.96, "height": 0.94, "fill_color": "fill", "border_radius": 3}
    shapes = plot.add_glyph(
        source,
        models.Rect(**rectangle, line_color=None),
        selection_glyph=models.Rect(**rectangle, line_color=PICKED, line_width=4),
        nonselection_glyph=models.Rect(**rectangle, line_color=None),
        hover_glyph=models.Rect(**rectangle, line_color=PICKED, line_width=2),
    )
    font = {"text_font": library("core.properties").value(FONT), "text_font_size": "12px", "text_line_height": 1.2}
    centred = {"text_align": "center", "text_baseline": "middle"}
    written = models.Text(x="x", y="y", text="text", text_color="ink", **font, **centred)
    plot.add_glyph(source, written, nonselection_glyph=written)
    plot.add_tools(
        models.HoverTool(tooltips=TIP, renderers=[shapes], point_policy="follow_mouse"), models.TapTool(renderers=[shapes])
    )
    for side in ("below", "left"):
        plot.add_layout(models.LinearAxis(ticker=models.FixedTicker(ticks=[])), side)
    for measure in cells.MEASURES:
        mapper = models.LinearColorMapper if measure == "rate" else models.LogColorMapper
        colours = mapper(palette=palette(measure != "rate"), low=0.1, high=1.0)
        bar = models.ColorBar(
            color_mapper=colours, name=f"bar {measure}", width=10, visible=False, background_fill_color=None,
            major_tick_line_color=None, padding=8, label_standoff=6, major_label_text_font=FONT,
            major_label_text_font_size="12px",
        )  # fmt: skip
        plot.add_layout(bar, "right")
    return plain(plot)


def error_curves() -> Any:
    """A line per run, error over epochs, both logarithmic; dashed lines at the thresholds, and as it is foreseen to go on."""
    models = library("models")

    source = models.ColumnDataSource({name: [] for name in ("xs", "ys", "colour", "tip")}, name="curves source")
    goals = models.ColumnDataSource({"y": []}, name="goals source")
    plot = models.Plot(
        x_range=models.DataRange1d(range_padding=0.02), y_range=models.DataRange1d(range_padding=0.05),
        x_scale=models.LogScale(), y_scale=models.LogScale(), height=300, toolbar_location="above", name="curves",
    )  # fmt: skip
    line = {"xs": "xs", "ys": "ys", "line_color": "colour", "line_alpha": 0.75}
    lines = plot.add_glyph(
        source, models.MultiLine(**line, line_width=1.4), hover_glyph=models.MultiLine(**line, line_width=3.5)
    )
    plot.add_glyph(goals, models.HSpan(y="y", line_dash="dashed", line_color="#8a6100", line_width=1.2))
    tails = models.ColumnDataSource({name: [] for name in ("xs", "ys", "colour")}, name="tails source")
    dashed = models.MultiLine(xs="xs", ys="ys", line_color="colour", line_alpha=0.6, line_width=1.1, line_dash=[4, 4])
    plot.add_glyph(tails, dashed)
    hover = models.HoverTool(tooltips=TIP, renderers=[lines], line_policy="nearest", visible=False)
    plot.add_tools(models.BoxZoomTool(), models.ResetTool(), hover)
    plot.toolbar.logo = None
    for side, label, dimension in (("below", "epochs", 0), ("left", "total error", 1)):
        axis = models.LogAxis(axis_label=label)
        plot.add_layout(axis, side)
        plot.add_layout(models.Grid(axis=axis, dimension=dimension), "center")
    return plain(plot)


def plain(plot: Any) -> Any:
    """A figure as wide as its place, without frames and backgrounds, in the page's font."""
    plot.sizing_mode, plot.min_border_right = "stretch_width", 10
    plot.background_fill_color = plot.border_fill_color = plot.outline_line_color = None
    for axis in plot.axis:
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = None
        axis.major_label_text_font = axis.axis_label_text_font = FONT
        axis.major_label_text_font_size, axis.axis_label_text_font_size = "12px", "13px"
        axis.axis_label_text_font_style = "normal"
    return plot
