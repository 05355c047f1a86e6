"""The two figures of the page, by Bokeh: the map, and the error curve of one of its pixels. No text of them is a formula."""

from typing import Any

import numpy as np
from bokeh import models

from pipeline.maps.axis import Axis
from pipeline.maps.explorer.view import bounds
from pipeline.maps.pictures.axis_labels import marks

FONT = "system-ui, sans-serif"
PICKED = "#111111"
GOAL = "#8a6100"
BORDERS = {"left": 84, "right": 24, "top": 8, "bottom": 56}  # pixels around the map, enough for all that is written there
LOD_TIMEOUT = 40  # milliseconds after the last movement until the page says where it is: Bokeh's 500 would be waited for


class MapPlot:
    """The map: a picture in the window of two axes, and a mark on the pixel that was picked."""

    def __init__(self) -> None:
        self.source = models.ColumnDataSource({name: [] for name in ("image", "x", "y", "dw", "dh")}, name="picture")
        self.picked = models.ColumnDataSource({"x": [], "y": []}, name="picked")
        self.plot = models.Plot(
            x_range=models.Range1d(), y_range=models.Range1d(), name="map", sizing_mode="stretch_both",
            lod_timeout=LOD_TIMEOUT, toolbar_location=None,
        )  # fmt: skip
        self.plot.update(**{f"min_border_{side}": width for side, width in BORDERS.items()})
        self.plot.add_glyph(self.source, models.ImageRGBA(image="image", x="x", y="y", dw="dw", dh="dh"))
        for colour, width in (("#ffffff", 5), (PICKED, 2)):
            self.plot.add_glyph(
                self.picked, models.Scatter(marker="circle", size=13, fill_color=None, line_color=colour, line_width=width)
            )
        wheel, pan = models.WheelZoomTool(), models.PanTool()
        self.plot.add_tools(pan, wheel)
        self.plot.toolbar.active_scroll, self.plot.toolbar.active_drag = wheel, pan
        self.axes = [models.LinearAxis(), models.LinearAxis()]
        for axis, side in zip(self.axes, ("below", "left"), strict=True):
            plain_axis(axis)
            self.plot.add_layout(axis, side)  # type: ignore[arg-type]

    def show(self, across: Axis, down: Axis) -> None:
        """Moves the window to these axes."""
        ranges, sides = (self.plot.x_range, self.plot.y_range), ("x_scale", "y_scale")
        for side, extent, axis in zip(sides, ranges, (across, down), strict=True):
            kind = models.LogScale if axis.scale == "log" else models.LinearScale
            if not isinstance(getattr(self.plot, side), kind):
                setattr(self.plot, side, kind())
            limits = None if axis.scale == "log" or bounds(axis.name) == (None, None) else bounds(axis.name)
            extent.update(bounds=limits, start=float(axis.low), end=float(axis.high))

    def label(self, across: Axis, down: Axis) -> None:
        """Writes exact numbers beside the axes, at exact places."""
        for model, axis in zip(self.axes, (across, down), strict=True):
            found = marks(axis)
            ticks = [value_at(axis, place) for place in found.places]
            model.update(
                axis_label=found.label, ticker=models.FixedTicker(ticks=ticks),
                major_label_overrides=dict(zip(ticks, found.texts, strict=True)),
            )  # fmt: skip

    def draw(self, image: np.ndarray[Any, np.dtype[np.uint32]], across: Axis, down: Axis) -> None:
        """Puts a picture (H, W) into the window of these axes."""
        (left, right), (bottom, top) = ((float(axis.low), float(axis.high)) for axis in (across, down))
        self.source.data = {"image": [image], "x": [left], "y": [bottom], "dw": [right - left], "dh": [top - bottom]}

    def mark(self, x: float, y: float) -> None:
        """Marks a pixel."""
        self.picked.data = {"x": [x], "y": [y]}

    def unmark(self) -> None:
        """Marks none."""
        self.picked.data = {"x": [], "y": []}


class CurvePlot:
    """The error curve of one run, both axes logarithmic, and its threshold."""

    def __init__(self) -> None:
        self.source = models.ColumnDataSource({"x": [], "y": []}, name="curve")
        self.goal = models.ColumnDataSource({"y": []}, name="goal")
        self.plot = models.Plot(
            x_range=models.DataRange1d(range_padding=0.02), y_range=models.DataRange1d(range_padding=0.05),
            x_scale=models.LogScale(), y_scale=models.LogScale(), height=260, sizing_mode="stretch_width", name="curves",
            toolbar_location=None, min_border_right=18,
        )  # fmt: skip
        self.plot.add_glyph(self.source, models.Line(x="x", y="y", line_width=2, line_color="#0072b2"))
        self.plot.add_glyph(self.source, models.Scatter(x="x", y="y", size=4, fill_color="#0072b2", line_color=None))
        self.plot.add_glyph(self.goal, models.HSpan(y="y", line_dash="dashed", line_color=GOAL, line_width=1.5))
        for side, label, dimension in (("below", "epochs", 0), ("left", "total error", 1)):
            axis = models.LogAxis(axis_label=label)
            plain_axis(axis)
            self.plot.add_layout(axis, side)  # type: ignore[arg-type]
            self.plot.add_layout(models.Grid(axis=axis, dimension=dimension, grid_line_alpha=0.4), "center")  # type: ignore[arg-type]

    def draw(self, epochs: Any, errors: Any, threshold: float | None) -> None:
        """Draws another curve."""
        self.source.data = {"x": epochs, "y": errors}
        self.goal.data = {"y": [] if threshold is None else [threshold]}


def shown_marks(axis: Axis) -> dict[str, Any]:
    """What is written beside an axis before there is a plot: its label, and marks at percents of its length."""
    found = marks(axis)
    percents = [round(100 * place / axis.size, 3) for place in found.places]
    return {"label": found.label, "marks": list(zip(percents, found.texts, strict=True))}


def value_at(axis: Axis, place: float) -> float:
    """The number at a place of the axis, in pixels from its low end."""
    low, high, part = float(axis.low), float(axis.high), place / axis.size
    return float(low * (high / low) ** part if axis.scale == "log" else low + (high - low) * part)


def plain_axis(axis: Any) -> None:
    """An axis in the page's font."""
    axis.major_label_text_font = axis.axis_label_text_font = FONT
    axis.major_label_text_font_size, axis.axis_label_text_font_size = "12px", "13px"
    axis.axis_label_text_font_style = "normal"
