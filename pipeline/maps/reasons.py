"""Why the pixels of a map did not converge: those are trained once more, as a map keeps no weights."""

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.engines import engine as engine_named
from pipeline.backprop.status import Status
from pipeline.maps.grid import Grid
from pipeline.maps.training import MapResult, batch_pixels
from pipeline.trials.batching import CURVE_POINTS

MOST_EXPLAINED = 2**20  # pixels: more would take as long as the map
AT_ONCE = 2**15  # pixels, whose curves are in memory


def reasons(grid: Grid, result: MapResult, engine: str = "compiled") -> NDArray[np.int8] | None:
    """The code of `Cause` of each pixel (H, W), 0 where it converged, −1 where it became stationary; None: too many failed.

    A pixel's cause is that of its own command, which keeps CURVE_POINTS points of the error curve.
    """
    if np.isin(result.status, (Status.EXHAUSTED, Status.DIVERGED)).sum() > MOST_EXPLAINED:
        return None
    found, exhausted = evident_causes(result.status), np.flatnonzero(result.status == Status.EXHAUSTED)
    size = min(batch_pixels(grid), AT_ONCE)
    for start in range(0, len(exhausted), size):
        some = exhausted[start : start + size]
        found.ravel()[some] = causes(engine_named(engine)(grid.batch(some, CURVE_POINTS)), engine).code
    return found


def evident_causes(status: NDArray[np.int8]) -> NDArray[np.int8]:
    """The codes of `Cause` that statuses tell; −1 of other runs."""
    cause = np.full(status.shape, -1, np.int8)
    cause[status == Status.CONVERGED] = Cause.NONE
    cause[status == Status.DIVERGED] = Cause.DIVERGED
    return cause
