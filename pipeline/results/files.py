"""Curves and weights of all runs of a sweep, as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.results.rows import RunRows, whole


def write_curves(rows: Sequence[RunRows], path: Path) -> None:
    """curves.parquet: `place` (the row in results.parquet), `epoch` and `error` of every kept point and of a run's end."""
    schema = pa.schema({"place": pa.int64(), "epoch": pa.int64(), "error": pa.float64()})
    with pq.ParquetWriter(path, schema) as writer:
        for some in rows:
            curve = whole(some.table.column("curve"))
            lengths = np.diff(curve.offsets.to_numpy())
            points = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            ends = np.cumsum(lengths)
            columns = [
                np.repeat(some.indices, lengths + 1),
                np.insert(some.curve_epochs[points], ends, some.column("epochs")),
                np.insert(curve.flatten().to_numpy(), ends, some.column("final_error")),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def write_weights(rows: Sequence[RunRows], folder: Path) -> None:
    """Final and initial weights as .npz files: arrays (R, units, inputs) or (R, units), and `place` (R,)."""
    folder.mkdir()
    for some in rows:
        arrays: dict[str, Any] = {"place": some.indices}
        for prefix, column in (("", "parameters"), ("initial_", "initial")):
            weights, biases = some.network.split(some.column(column).T)
            for name, array in zip(some.network.names, [*weights, *biases], strict=True):
                if array.size:
                    arrays[prefix + name] = np.moveaxis(array, -1, 0)
        np.savez(folder / f"{some.indices[0]:010d}.npz", **arrays)
