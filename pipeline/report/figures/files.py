"""All figures of a sweep, written as SVG and PNG: matplotlib, without a screen.

`results` has a row per run. A figure is left out where the design of the sweep has nothing to show in it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from pipeline.report.figures.drawing import STYLE, Picture, drawn_axes, styled
from pipeline.report.figures.heat_maps import median_map, rate_map
from pipeline.report.figures.running_times import cost, profiles, run_lengths, survival
from pipeline.report.figures.trajectories import Curves, Weights, error_curves, final_weights

DPI = 130


@styled
def write_figures(
    results: pd.DataFrame, folder: Path, curves: Curves | None = None, weights: Weights | None = None
) -> dict[Path, str]:
    """All figures that this sweep's design allows, as SVG and PNG; gives the caption of each SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    captions: dict[Path, str] = {}
    for name, picture in pictures(results, curves, weights):
        path = folder / f"{name}.svg"
        save(picture.figure, path)
        captions[path] = picture.caption
    return captions


def pictures(results: pd.DataFrame, curves: Curves | None, weights: Weights | None) -> Iterator[tuple[str, Picture]]:
    """The figures that there are, by name, in the order in which one reads them."""
    if not len(results):
        return
    axes = drawn_axes(results)
    drawings: dict[str, Callable[[], Picture | None]] = {
        "rate_map": lambda: rate_map(results, axes),
        "heat_maps": lambda: median_map(results, axes),
        "cost": lambda: cost(results, axes),
        "error_curves": lambda: error_curves(results, curves, axes) if curves is not None else None,
        "survival": lambda: survival(results, axes),
        "run_lengths": lambda: run_lengths(results, axes),
        "profiles": lambda: profiles(results, axes),
        "weights": lambda: final_weights(results, weights) if weights is not None else None,
    }
    for name, draw in drawings.items():
        if picture := draw():
            yield name, picture


def save(figure: Figure, path: Path, png: bool = True) -> None:
    """An SVG of that name and a PNG beside it, laid out once; the same figure is the same bytes."""
    if layout := figure.get_layout_engine():
        layout.execute(figure)
    figure.set_layout_engine("none")
    with matplotlib.rc_context(STYLE):
        figure.savefig(path, metadata={"Date": None, "Creator": None}, dpi=DPI)
        if png:
            figure.savefig(path.with_suffix(".png"), metadata={"Software": None}, dpi=DPI)
