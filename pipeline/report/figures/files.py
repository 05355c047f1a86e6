"""All figures of a sweep, written as SVG and PNG, without a screen; one in which there is nothing to show is left out."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from pathlib import Path

from pipeline.report.figures.drawing import RANGE, Picture
from pipeline.report.figures.heat_maps import median_map, rate_map
from pipeline.report.figures.main_causes import main_causes
from pipeline.report.figures.running_times import cost, profiles, run_lengths, survival
from pipeline.report.figures.saving import save
from pipeline.report.figures.starts.effects import start_effects
from pipeline.report.figures.starts.outcomes import start_outcomes
from pipeline.report.figures.style import styled
from pipeline.report.figures.trajectories import error_curves, final_weights
from pipeline.report.figures.views.fixed_budget import fixed_budget
from pipeline.report.figures.views.fixed_target import fixed_target
from pipeline.report.figures.views.partial_dependence import partial_dependence
from pipeline.report.figures.views.restart_cutoffs import restart_cutoffs
from pipeline.report.note import PICTURES
from pipeline.stats.summary import Summary
from pipeline.stats.trajectories import AllWeights, Curves

MAPS, LINES = ("rate_map", "heat_maps", "main_causes"), ("cost", "survival")  # figures that are drawn for every axis
MOST_OTHERS = 3  # axes
DRAWN_LAST = "start_effects"  # whose statistics take longest, and are made for the tables meanwhile
WIDEST = 960  # pixels, of a PNG that MLflow's page of a sweep shows: it does not make a wider one smaller, but cuts the text


@styled
def write_figures(
    summary: Summary,
    folder: Path,
    curves: Curves | None = None,
    weights: AllWeights | None = None,
    error_goals: bool = True,
    axes: Sequence[str] = (),
) -> dict[Path, str]:
    """All figures that this sweep's design allows, as SVG and PNG; gives the caption of each SVG, in the order of reading.

    `error_goals`: thresholds are values of the total error, not of another criterion; `axes`: what they are over, where they
    can be, or else the most telling ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    captions: dict[Path, str] = {}
    for name, picture in pictures(summary, curves, weights, error_goals, axes):
        path = folder / f"{name}.svg"
        captions[path] = picture.caption
        save(picture.figure, path, widest=WIDEST if name in PICTURES else inf)
    place = {name: number for number, name in enumerate(drawings(curves, weights))}
    return dict(sorted(captions.items(), key=lambda item: place[item[0].stem.partition("_by_")[0]]))


def pictures(
    summary: Summary, curves: Curves | None, weights: AllWeights | None, error_goals: bool = True, axes: Sequence[str] = ()
) -> Iterator[tuple[str, Picture]]:
    """The figures that there are, by name, in the order in which one reads them, but for DRAWN_LAST."""
    draw_all = sorted(drawings(curves, weights, error_goals).items(), key=lambda item: item[0] == DRAWN_LAST)
    for name, draw in draw_all if len(summary) else ():
        if axes and (picture := draw(summary, axes=axes)):
            yield name, picture
            continue
        for more, shown in views(summary, name):
            if picture := draw(summary, axes=shown):
                yield f"{name}{more}", picture


def views(summary: Summary, name: str) -> Iterator[tuple[str, list[str] | None]]:
    """What is added to a figure's name, and its axes: of its main ones nothing; of each other axis `_by_` and that axis.

    The range of the initial weights, if it is an axis, comes first of all.
    """
    main = summary.main_axes[: 2 if name in MAPS else 1]
    others = [axis for axis in summary.main_axes if axis not in main] if name in (*MAPS, *LINES) else []
    others.sort(key=lambda axis: axis != RANGE)
    more = [(f"_by_{file_name(axis)}", axes_of(summary, name, axis)) for axis in others[:MOST_OTHERS]]
    first = [view for view, axis in zip(more, others, strict=False) if axis == RANGE and name in LINES]
    yield from [*first, ("", None), *more[len(first) :]]


def axes_of(summary: Summary, name: str, axis: str) -> list[str]:
    """That axis alone or, of a map, with the most telling one, in the order of the sweep."""
    return sorted([summary.main_axes[0], axis], key=summary.axes.index) if name in MAPS else [axis]


def file_name(axis: str) -> str:
    """The name of an axis without what would name a folder."""
    return re.sub(r"[^\w.+@-]", "_", axis)


def drawings(
    curves: Curves | None = None, weights: AllWeights | None = None, error_goals: bool = True
) -> dict[str, Callable[..., Picture | None]]:
    """What draws each figure, of a summary and (axes=) the axes that are shown; without those whose data are not given."""
    draw: dict[str, Callable[..., Picture | None] | None] = {
        "rate_map": rate_map,
        "heat_maps": median_map,
        "main_causes": main_causes,
        "start_outcomes": start_outcomes,
        "start_effects": start_effects,
        "cost": cost,
        "error_curves": None if curves is None else partial(error_curves, curves=curves, error_goals=error_goals),
        "fixed_target": None if curves is None else partial(fixed_target, curves=curves, error_goals=error_goals),
        "fixed_budget": None if curves is None else partial(fixed_budget, curves=curves, error_goals=error_goals),
        "survival": survival,
        "run_lengths": run_lengths,
        "restart_cutoffs": restart_cutoffs,
        "profiles": profiles,
        "partial_dependence": partial_dependence,
        "weights": None if weights is None else lambda summary, axes=None: final_weights(summary, weights),
    }
    return {name: function for name, function in draw.items() if function}
