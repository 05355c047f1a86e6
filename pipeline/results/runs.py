"""All runs of a sweep, from the rows of its chunks: by the index of their trial, in order, and as files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.results.rows import CURVE, Indices, RunRows
from pipeline.results.run_result import Curve, Curves, weight_arrays

ROWS_AT_ONCE = 65_536
MOST_CURVES = 5_000  # that are kept in memory
TrainCurves = Callable[[Indices, int, str], Sequence[Curve]]


class Runs(Curves):
    """The runs of a sweep; an item is a run's error curve. `trials` is their number.

    `inputs` (P, I) are the patterns that all of them learn; None where they differ. `train` gives the curves of the runs of
    these trials, with so many points, by that engine: of those that were not kept.
    """

    def __init__(
        self, rows: Sequence[RunRows], trials: int, inputs: Array | None = None, train: TrainCurves | None = None
    ) -> None:
        self.rows, self.inputs, self.train = rows, inputs, train
        self.chunk, self.row = np.empty((2, trials), np.int32)
        self._curves: dict[int, Curve] = {}
        for number, some in enumerate(rows):
            self.chunk[some.indices], self.row[some.indices] = number, np.arange(len(some.indices))

    def __len__(self) -> int:
        return len(self.chunk)

    def __getitem__(self, index: Any) -> Any:
        """(epochs, errors) of the run of that trial."""
        return self.of(np.array([index]))[0]

    def of(self, runs: NDArray[np.intp]) -> list[Curve]:
        """The curves of the runs of these trials; the figures look at some of them again and again."""
        missing = set(runs.tolist()) - self._curves.keys()
        if len(self._curves) + len(missing) > MOST_CURVES:
            self._curves.clear()
            missing = set(runs.tolist())
        self._curves.update(zip(missing, self._read(np.array([*missing], np.int64)), strict=True))
        return [self._curves[run] for run in runs.tolist()]

    def _read(self, runs: Indices) -> Sequence[Curve]:
        """The curves of these runs, from their chunks; all are trained again where those of one were not kept."""
        chunks = [self.rows[number] for number in self.chunk[runs].tolist()]
        without = next((rows for rows in chunks if not rows.has_curves), None)
        if without is None:
            return [rows.curve(row) for rows, row in zip(chunks, self.row[runs].tolist(), strict=True)]
        assert self.train
        return self.train(runs, without.curve_points, without.engine)

    @cached_property
    def networks(self) -> int:
        """How many different networks there are."""
        return len({some.network for some in self.rows})

    def parameters(self, which: str, indices: Indices) -> Array:
        """The parameters (N, R) of these runs, all of one network; `which`: initial, or parameters (the final ones)."""
        parameters = np.empty((self.rows[0].network.size, len(indices)))
        chunks = self.chunk[indices]
        for number in np.flatnonzero(np.bincount(chunks)).tolist():
            mine = chunks == number
            parameters[:, mine] = self.rows[number].column(which)[self.row[indices[mine]]].T
        return parameters


class InOrder:
    """The columns of one value a run, in the order of the trials: those of ROWS_AT_ONCE trials once all of these have come."""

    def __init__(self, trials: int) -> None:
        self._came: list[list[RunRows]] = [[] for _ in range(0, trials, ROWS_AT_ONCE)]
        self._missing = np.minimum(trials - ROWS_AT_ONCE * np.arange(len(self._came)), ROWS_AT_ONCE)
        self._first = 0  # of those that have not all come

    def add(self, rows: RunRows) -> Iterator[pa.Table]:
        """Takes the rows of a chunk; gives what is whole with them."""
        numbers, counts = np.unique(rows.indices // ROWS_AT_ONCE, return_counts=True)
        self._missing[numbers] -= counts
        for number in numbers.tolist():
            self._came[number].append(rows)
        while self._first < len(self._came) and not self._missing[self._first]:
            yield scalars_of(self._came[self._first], self._first * ROWS_AT_ONCE)
            self._came[self._first] = []
            self._first += 1


def scalars_of(rows: Iterable[RunRows], start: int) -> pa.Table:
    """The columns of one value a run of ROWS_AT_ONCE trials from that one on, in their order; null in rows that have none."""
    parts = []
    for some in rows:
        first, last = np.searchsorted(some.indices, [start, start + ROWS_AT_ONCE])
        parts.append(some.scalars.slice(first, last - first).replace_schema_metadata())
    table = pa.concat_tables(parts, promote_options="default")
    indices = table.column("place").to_numpy()
    return table if (indices[1:] > indices[:-1]).all() else table.sort_by("place")


def write_curves(rows: Iterable[RunRows], path: Path) -> None:
    """curves.parquet: `place` (the row in results.parquet), `epoch` and `error` of every kept point and of a run's end."""
    import pyarrow.parquet as pq  # not before runs are trained

    schema = pa.schema({"place": pa.int64(), "epoch": pa.int64(), "error": pa.float64()})
    with pq.ParquetWriter(path, schema) as writer:
        for some in rows:
            curve = some.table.column(CURVE).combine_chunks()
            lengths = np.diff(curve.offsets.to_numpy())
            ends = np.cumsum(lengths)
            points = np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
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
        weights = weight_arrays(some.network, some.column("initial").T, some.column("parameters").T)
        arrays: dict[str, Any] = {name: np.moveaxis(array, -1, 0) for name, array in weights.items()}
        np.savez(folder / f"{some.indices[0]:010d}.npz", place=some.indices, **arrays)
