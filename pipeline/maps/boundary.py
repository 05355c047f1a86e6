"""The dimension of the boundary between runs that converge and runs that do not, by the uncertainty exponent.

The share f(ε) of pairs of pixels at a distance ε whose outcome differs grows as ε^(2 − D): McDonald, Grebogi, Ott & Yorke,
"Fractal basin boundaries", Physica D 17 (1985), section 3. Pairs lie along either axis, ε pixels apart; the first of each
is any pixel that has both its partners at the largest ε within the map, so that the shares are of the same pixels.

Letters: E distances, B blocks of pixels, S resamples.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.status import Status

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DISTANCES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)  # in pixels
WINDOW = 16  # the largest ε is at most the shorter side ÷ this
SMALLEST, FEWEST = 200, 50  # pixels along the shorter side, and pairs of neighbours that differ, that a dimension needs
BLOCKS = 8  # along each side: pixels are no independent observations, so whole blocks are resampled
RESAMPLES, SEED = 1000, 20210
TAILS = (0.025, 0.975)
WOBBLE = 0.05  # of ln f about a straight line, of curves that repeat themselves at some distances only
ERROR = 0.05  # of the estimate, on planted boundaries (tests/maps/test_boundary.py)
SMOOTH = 0.15  # above 1, at most, of what is called a curve
DRIFT = 0.15  # of D from the smaller to the larger distances: less may be the wobble
FILLED = 1.95


@dataclass(frozen=True)
class Estimate:
    """A dimension with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, eq=False)
class Boundary:
    """What pairs of pixels say of a boundary.

    distances (E,) in pixels; differing (B, E) pairs whose outcome differs, in each block, out of `pairs` in all blocks.
    """

    distances: Integers
    differing: Integers
    pairs: int

    @property
    def neighbours(self) -> int:
        """How many pairs of neighbouring pixels differ; each is counted from both its ends."""
        return int(self.differing[:, 0].sum()) // 2 if len(self.distances) else 0

    @property
    def exists(self) -> bool:
        """Whether there is enough of a boundary to have a dimension."""
        return self.neighbours >= FEWEST

    @property
    def shares(self) -> Floats:
        """f(ε), (E,)."""
        return np.asarray(self.differing.sum(axis=0) / self.pairs, float)

    @cached_property
    def resampled(self) -> Floats:
        """Pairs that differ (1 + S, E): as they are, then with as many blocks drawn at random."""
        blocks = len(self.differing)
        drawn = np.random.default_rng(SEED).multinomial(blocks, np.full(blocks, 1 / blocks), RESAMPLES)
        return np.maximum(np.vstack([np.ones((1, blocks), np.int64), drawn]) @ self.differing, 0.5)

    def dimension_between(self, first: int, last: int) -> Floats:
        """D (1 + S,) by the distances from index `first` up to, not including, `last`."""
        numbers = self.resampled[:, first:last]
        return 2.0 - slopes(np.log(self.distances[first:last]), np.log(numbers), 1 / (1 / numbers + WOBBLE**2))

    @cached_property
    def dimension(self) -> Estimate:
        """D by all distances."""
        return estimate(self.dimension_between(0, len(self.distances)))

    @cached_property
    def local(self) -> list[Estimate]:
        """D between each distance and the next, E − 1 of them."""
        return [estimate(self.dimension_between(index, index + 2)) for index in range(len(self.distances) - 1)]

    @cached_property
    def drift(self) -> Estimate:
        """By how much D is larger by the larger half of the distances than by the smaller half."""
        half = (len(self.distances) + 2) // 2
        fine, coarse = self.dimension_between(0, half), self.dimension_between(half - 1, len(self.distances))
        return estimate(coarse - fine)

    def metrics(self) -> dict[str, float]:
        """Numbers to record; none where there is no boundary."""
        if not self.exists:
            return {}
        dimension = self.dimension
        return {
            "boundary_dimension": dimension.value,
            "boundary_dimension_low": dimension.low,
            "boundary_dimension_high": dimension.high,
            "boundary_dimension_finest": self.local[0].value,
            "boundary_smallest_distance": float(self.distances[0]),
            "boundary_largest_distance": float(self.distances[-1]),
        }


def outcomes(status: NDArray[np.int8]) -> tuple[NDArray[np.bool_], str]:
    """Whether each pixel's run (H, W) converged, and that word; whether it did not diverge, where none converged."""
    if (status < 0).any():
        raise ValueError("a boundary is of a map whose runs have all been trained")
    converged = status == Status.CONVERGED
    return (converged, "converged") if converged.any() else (status != Status.DIVERGED, "did not diverge")


def boundary(outcome: NDArray[np.bool_]) -> Boundary:
    """Compares pairs of pixels of a map (H, W), at several distances along both axes."""
    shorter = min(outcome.shape)
    distances = np.array([one for one in DISTANCES if one * WINDOW <= shorter and shorter >= SMALLEST], np.int64)
    margin = int(distances.max(initial=0))
    rows, columns = (np.arange(BLOCKS) * (size - 2 * margin) // BLOCKS for size in outcome.shape)
    differing = np.zeros((BLOCKS * BLOCKS, len(distances)), np.int64)
    for index, distance in enumerate(distances):
        pairs = differing_partners(outcome, int(distance), margin)
        by_row = np.add.reduceat(pairs, rows, axis=0, dtype=np.int64)
        differing[:, index] = np.add.reduceat(by_row, columns, axis=1).ravel()
    inner = (outcome.shape[0] - 2 * margin) * (outcome.shape[1] - 2 * margin)
    return Boundary(distances, differing, 4 * inner)


def differing_partners(outcome: NDArray[np.bool_], distance: int, margin: int) -> NDArray[np.uint8]:
    """How many of the four pixels at this distance have another outcome, of each pixel at least `margin` from the edges."""
    height, width = outcome.shape
    inner = outcome[margin : height - margin, margin : width - margin]
    number = np.zeros(inner.shape, np.uint8)
    for down, across in ((distance, 0), (-distance, 0), (0, distance), (0, -distance)):
        number += inner != outcome[margin + down : height - margin + down, margin + across : width - margin + across]
    return number


def slopes(x: Floats, y: Floats, weights: Floats) -> Floats:
    """The slope of each line (S,) of weighted least squares through x (E,) and y (S, E), weights (S, E)."""
    weights = weights / weights.sum(axis=1, keepdims=True)
    centred = x - (weights * x).sum(axis=1, keepdims=True)
    slope: Floats = (weights * centred * y).sum(axis=1) / (weights * centred**2).sum(axis=1)
    return slope


def estimate(values: Floats) -> Estimate:
    """The first of the values, and the middle 95 % of the others."""
    low, high = np.quantile(values[1:], TAILS)
    return Estimate(float(values[0]), float(low), float(high))


def sentence(found: Boundary, word: str = "converged") -> str:
    """What may be said of the boundary: a straight edge, and one that gets smooth on looking closer, are no fractals."""
    if not len(found.distances):
        return f"no dimension of the boundary: that needs at least {SMALLEST} pixels along each side"
    if not found.exists:
        if not found.neighbours:
            return f"no boundary away from the edges of the map: no two neighbouring runs differ in whether they {word}"
        return (
            f"too little boundary for a dimension: {found.neighbours} pairs of neighbouring runs differ in whether they {word}"
        )
    return f"{verdict(found)}; {evidence(found)}"


def verdict(found: Boundary) -> str:
    """What kind of boundary it is, at the distances that were looked at."""
    dimension, finest, drift = found.dimension, found.local[0], found.drift
    if dimension.high >= FILLED:
        return "the boundary is finer than the pixels: neighbouring runs differ about as often as distant ones"
    if drift.value < -DRIFT and drift.high < 0:
        return "the boundary has no one dimension at these scales: it is rougher on looking closer"
    if finest.low <= 1 + ERROR < dimension.low:
        return "the boundary is no fractal at these scales: its dimension falls towards 1 on looking closer"
    if max(finest.high, dimension.high) <= 1 + SMOOTH:
        return "the boundary is a curve, no fractal at these scales"
    if min(finest.low, dimension.low) <= 1 + ERROR:
        return "the boundary is not told from a curve: nothing shows a fractal at these scales"
    if drift.value > DRIFT and drift.low > 0:
        return "the boundary has no one dimension at these scales: it is smoother on looking closer"
    return "the boundary is rougher than a curve at these scales"


def evidence(found: Boundary) -> str:
    """The numbers behind it."""
    local = [one.value for one in found.local]
    return (
        f"uncertainty exponent at distances of {found.distances[0]} to {found.distances[-1]} pixels: D = {found.dimension}, "
        f"locally {min(local):.2f} to {max(local):.2f}, {local[0]:.2f} at the smallest"
    )
