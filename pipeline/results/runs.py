"""The runs of a sweep by the index of their trial: their curves and their weights."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.results.rows import SCALARS, Indices, RunRows

ROWS_AT_ONCE = 100_000


class Runs(Sequence[tuple[NDArray[np.int64], Array]]):
    """All runs of a sweep of so many trials, from the rows of its chunks. An item is a curve: (epochs, errors)."""

    def __init__(self, rows: Sequence[RunRows], trials: int) -> None:
        self.rows = rows
        self.chunk, self.row = np.empty((2, trials), np.int32)
        for number, some in enumerate(rows):
            self.chunk[some.indices], self.row[some.indices] = number, np.arange(len(some.indices))

    def __len__(self) -> int:
        return len(self.chunk)

    def __getitem__(self, index: Any) -> Any:
        """(epochs, errors) of the run of that trial."""
        return self.rows[self.chunk[index]].curve(int(self.row[index]))

    @cached_property
    def networks(self) -> int:
        """How many different networks there are."""
        return len({some.network for some in self.rows})

    def parameters(self, which: str, indices: Indices) -> Array:
        """The parameters (N, R) of these runs, all of one network; `which`: initial, or parameters (the final ones)."""
        found = np.empty((self.rows[0].network.size, len(indices)))
        for number in np.unique(self.chunk[indices]):
            mine = self.chunk[indices] == number
            found[:, mine] = self.rows[number].column(which)[self.row[indices[mine]]].T
        return found


def scalars(rows: Sequence[RunRows], trials: int) -> Iterator[pa.Table]:
    """The columns of one value a run, in the order of the trials, some rows at a time."""
    for start in range(0, trials, ROWS_AT_ONCE):
        parts = []
        for some in rows:
            first, last = np.searchsorted(some.indices, [start, start + ROWS_AT_ONCE])
            if first < last:
                parts.append(some.table.select(SCALARS).slice(first, last - first))
        if parts:
            table = pa.concat_tables(part.replace_schema_metadata() for part in parts)
            yield table.sort_by("place") if len(parts) > 1 else table
