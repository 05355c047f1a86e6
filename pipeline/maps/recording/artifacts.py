"""What is recorded of a map: its arrays, its pictures, its configuration, its numbers, its description."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.backprop.status import Status
from pipeline.errors import as_override
from pipeline.maps.boundary import boundary, outcomes, sentence
from pipeline.maps.grid import Grid
from pipeline.maps.pictures.files import write_pictures
from pipeline.maps.recording.request import MapRequest
from pipeline.maps.rounding import rounding
from pipeline.maps.training import MapResult
from pipeline.report.tables import markdown_text

ARRAYS, CONFIGURATION, PICTURE = "map.npz", "config.yaml", "picture.png"
LEVEL = 1  # of compression: more takes several times as long for a few percent
MOST_EPOCHS_32 = 2**31


@dataclass(frozen=True, slots=True)
class Finding:
    """What is found in a trained map: its metrics, and sentences."""

    metrics: Mapping[str, float]
    sentences: Sequence[str]


def find(request: MapRequest, result: MapResult) -> Finding:
    """How much of the map rounding decides, and what its boundary is like."""
    decided = rounding(request.grid, result, request.settings.engine)
    outcome, word = outcomes(result.status)
    edge = boundary(outcome)
    return Finding(metrics(result) | decided.metrics() | edge.metrics(), [str(decided), sentence(edge, word)])


def write_artifacts(folder: Path, request: MapRequest, result: MapResult, found: Finding) -> None:
    """Writes the files of a map into a folder: arrays, configuration, pictures."""
    write_arrays(folder / ARRAYS, arrays_of(request, result))
    text = yaml.safe_dump(dict(request.configuration), sort_keys=False, allow_unicode=True)
    (folder / CONFIGURATION).write_text(text, encoding="utf-8")
    grid = request.grid
    does = f"converges{goal(grid)}" if (result.status == Status.CONVERGED).any() else "does not diverge"
    title = f"Where {named(request)} {does} within {grid.batch_key.max_epochs:,} epochs"
    caption = " ".join(f"{text[0].upper()}{text[1:]}." for text in (held_fixed(grid), *found.sentences))
    write_pictures(folder, result, grid.across, grid.down, title=title, caption=caption, scale=request.colours)


def held_fixed(grid: Grid) -> str:
    """What all pixels have in common, as one writes it on the command line."""
    names = tuple(f"{axis.name}=" for axis in grid.axes)
    words = [word for word in grid.overrides(0, 0) if not word.startswith((*names, "learning_rate=["))]
    return f"held fixed: {' '.join(words) or 'all else of the worked example'}"


def arrays_of(request: MapRequest, result: MapResult) -> dict[str, NDArray[Any]]:
    """The arrays of map.npz: status (H, W), with the codes of `Status`, epochs, final_error; across (W,), down (H,)."""
    small = request.grid.batch_key.max_epochs < MOST_EPOCHS_32
    return {
        "status": result.status,
        "epochs": result.epochs.astype(np.int32) if small else result.epochs,
        "final_error": result.final_error,
        "across": request.grid.across.values,
        "down": request.grid.down.values,
    }


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes an .npz file, compressed; the same arrays, the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def shares(result: MapResult) -> dict[str, float]:
    """The share of the pixels that ended in each way, by its word."""
    counts = np.bincount(result.status.reshape(-1), minlength=len(Status))
    return {status.word: float(counts[status] / result.status.size) for status in Status}


def metrics(result: MapResult) -> dict[str, float]:
    """The numbers of a map."""
    converged = result.epochs[result.status == Status.CONVERGED]
    found = {"pixels": float(result.status.size)} | {f"share_{word}": share for word, share in shares(result).items()}
    return found | ({"median_epochs": float(np.median(converged))} if len(converged) else {})


def in_words(result: MapResult) -> str:
    """How the pixels ended."""
    numbers = metrics(result)
    parts = [f"{share:.1%} {word}" for word, share in shares(result).items() if share]
    after = (
        f"; half of those that converged did within {numbers['median_epochs']:,.0f} epochs"
        if "median_epochs" in numbers
        else ""
    )
    return f"{result.status.size:,} runs: {', '.join(parts)}{after}"


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


def note(request: MapRequest, result: MapResult, found: Finding, run_id: str, command: str) -> str:
    """The description of a map on its MLflow page, in Markdown."""
    picture = f"![](get-artifact?path={PICTURE}&run_uuid={run_id})"
    words = [question(request), in_words(result), *(f"{text[0].upper()}{text[1:]}." for text in found.sentences)]
    return "\n\n".join([*map(markdown_text, words), f"`{command}`", picture])
