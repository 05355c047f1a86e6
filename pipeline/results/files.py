"""Curves and weights of all runs of a sweep, as files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.results.rows import whole
from pipeline.results.spool import Spool

if TYPE_CHECKING:
    pass


def write_curves(kept: Spool, trials: int, path: Path) -> None:
    """curves.parquet: `place` (the row in results.parquet), `epoch` and `error` of every kept point and of a run's end."""
    schema = pa.schema({"place": pa.int64(), "epoch": pa.int64(), "error": pa.float64()})
    with pq.ParquetWriter(path, schema) as writer:
        for results in kept.results:
            curve = whole(results.table.column("curve"))
            lengths = np.diff(curve.offsets.to_numpy())
            points = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            ends = np.cumsum(lengths)
            columns = [
                np.repeat(results.places, lengths + 1),
                np.insert(results.curve_epochs[points], ends, results.column("epochs")),
                np.insert(curve.flatten().to_numpy(), ends, results.column("final_error")),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def write_weights(kept: Spool, folder: Path) -> None:
    """Final and initial weights as .npz files: arrays (R, units, inputs) or (R, units), and `place` (R,)."""
    folder.mkdir()
    for results in kept.results:
        arrays: dict[str, Any] = {"place": results.places}
        for prefix, column in (("", "parameters"), ("initial_", "initial")):
            weights, biases = results.network.split(results.column(column).T)
            for name, array in zip(results.network.names, [*weights, *biases], strict=True):
                if array.size:
                    arrays[prefix + name] = np.moveaxis(array, -1, 0)
        np.savez(folder / f"{results.places[0]:010d}.npz", **arrays)
