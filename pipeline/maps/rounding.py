"""How much of a map rounding decides: some of its runs are trained again with their sums added in another order.

The mathematics is the same, so a run that ends otherwise was decided by the last bits; one that is decided by them may still
end alike, so the share is rather too low. The hidden units are put in reverse order, or where that changes no bit of any run
(one unit, or two without a bias, have one sum only) the patterns.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from pipeline.backprop.batch import Batch, BatchResult, Progress
from pipeline.backprop.engines import engine as engine_named
from pipeline.backprop.status import Status
from pipeline.maps.grid import Grid
from pipeline.maps.training import MapResult
from pipeline.stats.intervals import wilson

MOST_RUNS = 4096
SEED = 20210  # any number: the same map has the same check


@dataclass(frozen=True, slots=True)
class Rounding:
    """Of `runs` out of `pixels`, how many end with another status, and how many of those converge in one order only.

    `order` names what was put in another order, "" where no order changes a bit of any run.
    """

    pixels: int
    runs: int
    differing: int
    converging: int
    order: str

    @property
    def share(self) -> float:
        """Of the runs, those that end with another status."""
        return self.differing / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share among all pixels, 95 %; the share itself where all were trained again."""
        if self.runs == self.pixels:
            return self.share, self.share
        low, high = wilson(self.differing, self.runs)
        return float(low), float(high)

    def metrics(self) -> dict[str, float]:
        """Numbers to record; none where nothing could be checked."""
        if not self.order:
            return {}
        low, high = self.interval
        return {
            "rounding_share": self.share,
            "rounding_share_low": low,
            "rounding_share_high": high,
            "rounding_share_converged": self.converging / self.runs,
            "rounding_runs": float(self.runs),
        }

    def __str__(self) -> str:
        if not self.order:
            return f"what rounding decides is not known: no other order of the sums changes a bit in any of {self.runs:,} runs"
        low, high = self.interval
        counted = (
            f"{self.differing:,} of {self.runs:,} runs end with another status when the {self.order} are put in another order"
        )
        if not self.differing and not high:
            return f"no run of this picture is seen to be decided by rounding ({counted})"
        if not self.differing:
            return f"rounding decides less than {in_percent(high, ceil)} of this picture ({counted})"
        between = f" [{in_percent(low)}, {in_percent(high)}]" if low < high else ""
        return f"rounding decides {in_percent(self.share)}{between} of this picture ({counted})"


def rounding(
    grid: Grid,
    result: MapResult,
    engine: str = "compiled",
    progress: Progress | None = None,
    threads: int | None = None,
    most: int = MOST_RUNS,
) -> Rounding:
    """Trains at most so many pixels of a trained map again, chosen at random, always the same ones."""
    pixels = result.status.size
    random = np.random.default_rng(SEED)
    chosen = np.arange(pixels) if pixels <= most else np.sort(random.choice(pixels, most, replace=False))
    known = result.of(chosen)
    batch = grid.batch(chosen)
    for order, other in other_orders(batch).items():
        again: BatchResult = engine_named(engine)(other, progress, None, threads)
        if not np.array_equal(again.final_error, known.final_error, equal_nan=True):
            differing = again.status != known.status
            converging = (again.status == Status.CONVERGED) != (known.status == Status.CONVERGED)
            return Rounding(pixels, len(chosen), int(differing.sum()), int(converging.sum()), order)
    return Rounding(pixels, len(chosen), 0, 0, "")


def other_orders(batch: Batch) -> dict[str, Batch]:
    """The same batch with another order of its sums, by what is put in that order."""
    orders = {}
    if max(batch.network.units[1:-1], default=1) > 1:
        orders["hidden units"] = reversed_units(batch)
    if batch.update == "batch" and len(batch.inputs) > 1:  # online, the order of the patterns is part of the mathematics
        orders["patterns"] = replace(batch, inputs=batch.inputs[::-1].copy(), targets=batch.targets[::-1].copy())
    return orders


def reversed_units(batch: Batch) -> Batch:
    """The batch with the units of each hidden layer, and all their weights, in reverse order."""
    parameters = batch.initial_parameters.copy()
    weights, biases = batch.network.split(parameters)
    for layer in range(batch.network.layers - 1):
        for array in (weights[layer], biases[layer]):  # (U, …), a shared bias (1, …)
            array[:] = array[::-1].copy()
        weights[layer + 1][:] = weights[layer + 1][:, ::-1].copy()
    return replace(batch, initial_parameters=parameters)


def in_percent(share: float, rounded: Callable[[float], float] = round) -> str:
    """A share in percent, with more digits where it is near none or all; `rounded` by ceil as an upper bound."""
    percent = 100 * share
    digits = 2 if percent < 1 else 1 if percent < 10 or percent > 99 else 0
    number = rounded(percent * 10**digits) / 10**digits
    return f"{number:.{digits}f} %" if number or not share else f"less than {10**-digits} %"
