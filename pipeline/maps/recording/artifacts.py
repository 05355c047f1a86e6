"""What is recorded of a map: its arrays, its pictures, its configuration, its numbers, its description."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.backprop.status import Status
from pipeline.errors import as_override
from pipeline.maps.recording.request import MapRequest
from pipeline.maps.training import MapResult

ARRAYS, CONFIGURATION, PICTURE, PIXELS = "map.npz", "config.yaml", "map.png", "pixels.png"
LEVEL = 1  # of compression: more takes several times as long for a few percent
MOST_EPOCHS_32 = 2**31


def write_artifacts(folder: Path, request: MapRequest, result: MapResult) -> dict[str, float]:
    """Writes the files of a map into a folder; gives the metrics that pictures come with."""
    write_arrays(folder / ARRAYS, arrays_of(request, result))
    (folder / CONFIGURATION).write_text(
        yaml.safe_dump(dict(request.configuration), sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    return {}


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


def question(request: MapRequest) -> str:
    """What a map asks."""
    grid, key = request.grid, request.grid.batch_key
    units = "-".join(map(str, grid.network.units))
    goal = (
        ""
        if "threshold" in (grid.across.name, grid.down.name)
        else f", to a {key.criterion} of {as_override(grid.base.threshold)}"
    )
    return (
        f"For which `{grid.across.name}` and `{grid.down.name}` does {key.task.name} ({units}) converge "
        f"within {key.max_epochs:,} epochs{goal}?"
    )


def note(request: MapRequest, result: MapResult, run_id: str, command: str) -> str:
    """The description of a map on its MLflow page, in Markdown."""
    picture = f"![](get-artifact?path={PICTURE}&run_uuid={run_id})"
    return "\n\n".join([question(request), in_words(result), f"`{command}`", picture])
