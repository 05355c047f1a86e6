"""The runs of a sweep by their index: their curves and their weights."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.results.rows import Indices
from pipeline.results.spool import Spool


class Runs(Sequence[tuple[NDArray[np.int64], Array]]):
    """The kept runs by place: their curves, as (epochs, errors), and their weights."""

    def __init__(self, kept: Spool, trials: int) -> None:
        self.results = kept.results
        self.chunk, self.row = np.empty((2, trials), np.int32)
        for number, results in enumerate(kept.results):
            self.chunk[results.places], self.row[results.places] = number, np.arange(len(results.places))

    def __len__(self) -> int:
        return len(self.chunk)

    def __getitem__(self, place: Any) -> Any:
        """(epochs, errors) of the run at that place."""
        return self.results[self.chunk[place]].curve(int(self.row[place]))

    @cached_property
    def networks(self) -> int:
        """How many different networks there are."""
        return len({results.network for results in self.results})

    def parameters(self, which: str, places: Indices) -> Array:
        """The parameters (N, R) of the runs at these places, `which` are initial or final ones, all of one network."""
        found = np.empty((self.results[0].network.size, len(places)))
        for number in np.unique(self.chunk[places]):
            mine = self.chunk[places] == number
            found[:, mine] = self.results[number].column(which)[self.row[places[mine]]].T
        return found
