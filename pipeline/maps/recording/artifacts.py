"""What is recorded of a map: its arrays, its pictures, its configuration, its numbers, its description."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from pipeline.backprop.status import Status
from pipeline.errors import as_override
from pipeline.maps.boundary import boundary, outcomes, sentence
from pipeline.maps.grid import Grid
from pipeline.maps.large import central, drawn_every, is_large, thinned
from pipeline.maps.pictures.files import write_pictures
from pipeline.maps.reasons import reasons
from pipeline.maps.recording.arrays import arrays_of, write_arrays
from pipeline.maps.recording.request import MapRequest
from pipeline.maps.recording.tiles import write_tiles
from pipeline.maps.rounding import rounding
from pipeline.maps.training import MapResult
from pipeline.report.tables import markdown_text

ARRAYS, CONFIGURATION, PICTURE = "map.npz", "config.yaml", "picture.png"
BINS = 2**16  # of epochs


@dataclass(frozen=True, slots=True)
class Finding:
    """What is found in a trained map: its metrics, and sentences."""

    metrics: Mapping[str, float]
    sentences: Sequence[str]


def find(request: MapRequest, result: MapResult) -> Finding:
    """How much of the map rounding decides, and what its boundary is like."""
    decided = rounding(request.grid, result, request.settings.engine)
    middle = central(result.status)
    outcome, word = outcomes(middle)
    edge = boundary(outcome)
    of_edge = sentence(edge, word)
    if middle.shape != result.status.shape:
        of_edge += f" (of the {middle.shape[1]:,} × {middle.shape[0]:,} runs in the middle of the map)"
    result.release()
    return Finding(metrics(result) | decided.metrics() | edge.metrics(), [str(decided), of_edge])


def write_artifacts(folder: Path, request: MapRequest, result: MapResult, found: Finding) -> None:
    """Writes the files of a map into a folder: arrays, configuration, pictures."""
    grid = request.grid
    if is_large(grid.shape):
        write_tiles(folder, grid, result)
    else:
        values = {"across": grid.across.values, "down": grid.down.values}
        write_arrays(folder / ARRAYS, arrays_of(grid, result) | values)
    text = yaml.safe_dump(dict(request.configuration), sort_keys=False, allow_unicode=True)
    (folder / CONFIGURATION).write_text(text, encoding="utf-8")
    does = f"converges{goal(grid)}" if found.metrics["share_converged"] else "does not diverge"
    title = f"Where {named(request)} {does} within {grid.batch_key.max_epochs:,} epochs"
    caption = " ".join(f"{text[0].upper()}{text[1:]}." for text in (held_fixed(grid), *found.sentences))
    every = drawn_every(grid.shape)
    drawn = thinned(result, every) if every > 1 else result
    cause = reasons(grid, result, request.settings.engine) if every == 1 and request.settings.causes else None
    axes = grid.across, grid.down
    write_pictures(folder, drawn, *axes, title=title, caption=caption, scale=request.colours, cause=cause, every=every)


def held_fixed(grid: Grid) -> str:
    """What all pixels have in common, as one writes it on the command line."""
    names = tuple(f"{axis.name}=" for axis in grid.axes)
    words = [word for word in grid.overrides(0, 0) if not word.startswith((*names, "learning_rate=["))]
    return f"held fixed: {' '.join(words) or 'all else of the worked example'}"


def metrics(result: MapResult) -> dict[str, float]:
    """The numbers of a map; epochs are the median of those that converged."""
    counts = np.zeros(len(Status), np.int64)
    for rows in result.bands():
        counts += np.bincount(result.status[rows].reshape(-1), minlength=len(Status))
    shares = {f"share_{status.word}": float(counts[status] / result.status.size) for status in Status}
    found = {"pixels": float(result.status.size)} | shares
    if number := int(counts[Status.CONVERGED]):
        middle = [nth_epochs(result, place) for place in ((number - 1) // 2, number // 2)]
        found["median_epochs"] = sum(middle) / 2
    return found


def nth_epochs(result: MapResult, place: int) -> int:
    """The number of epochs at a place (from 0) of those that converged, in order; counted, not put in order."""
    low, high = 0, 1 + max(int(result.epochs[rows].max()) for rows in result.bands())
    while True:
        width = -(-(high - low) // BINS)
        counts = np.zeros(BINS, np.int64)
        for rows in result.bands():
            epochs = result.epochs[rows][result.status[rows] == Status.CONVERGED]
            counts += np.bincount((epochs[(low <= epochs) & (epochs < high)] - low) // width, minlength=BINS)
        upto = np.cumsum(counts)
        chosen = int(np.searchsorted(upto, place, side="right"))
        low, high, place = low + chosen * width, low + (chosen + 1) * width, place - int(upto[chosen] - counts[chosen])
        if width == 1:
            return low


def in_words(numbers: Mapping[str, float]) -> str:
    """How the pixels ended, by the map's metrics."""
    shares = {status.word: numbers[f"share_{status.word}"] for status in Status}
    parts = [f"{share:.1%} {word}" for word, share in shares.items() if share]
    after = (
        f"; half of those that converged did within {numbers['median_epochs']:,.0f} epochs"
        if "median_epochs" in numbers
        else ""
    )
    return f"{numbers['pixels']:,.0f} runs: {', '.join(parts)}{after}"


def named(request: MapRequest) -> str:
    """The task and its network."""
    grid = request.grid
    return f"{grid.batch_key.task.name} ({'-'.join(map(str, grid.network.units))})"


def goal(grid: Grid) -> str:
    """To what the runs are to converge, where that is the same for all."""
    if "threshold" in (grid.across.name, grid.down.name):
        return ""
    return f" to a {grid.batch_key.criterion} of {as_override(grid.base.threshold)}"


def question(request: MapRequest) -> str:
    """What a map asks."""
    grid = request.grid
    within = f"within {grid.batch_key.max_epochs:,} epochs"
    return f"For which {grid.across.name} and {grid.down.name} does {named(request)} converge{goal(grid)} {within}?"


def note(request: MapRequest, found: Finding, run_id: str, command: str) -> str:
    """The description of a map on its MLflow page, in Markdown."""
    picture = f"![](get-artifact?path={PICTURE}&run_uuid={run_id})"
    words = [question(request), in_words(found.metrics), *(f"{text[0].upper()}{text[1:]}." for text in found.sentences)]
    return "\n\n".join([*map(markdown_text, words), f"`{command}`", picture])
