"""The arrays of a map as .npz files; the same arrays are the same bytes."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.maps.grid import Grid
from pipeline.maps.training import MapResult

LEVEL = 1  # of compression: more takes several times as long for a few percent
MOST_EPOCHS_32 = 2**31


def arrays_of(grid: Grid, result: MapResult) -> dict[str, NDArray[Any]]:
    """What is recorded of pixels (H, W): status, with the codes of `Status`, epochs, final_error."""
    small = grid.batch_key.max_epochs < MOST_EPOCHS_32
    return {
        "status": result.status,
        "epochs": result.epochs.astype(np.int32) if small else result.epochs,
        "final_error": result.final_error,
    }


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes an .npz file, compressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
