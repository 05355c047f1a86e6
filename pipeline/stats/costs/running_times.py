"""Running times of groups of runs: what a success costs, and costs relative to the best."""

import numpy as np
from numpy.typing import ArrayLike

from pipeline.stats.arrays import Floats


def expected_running_time(epochs: ArrayLike, successes: ArrayLike) -> Floats:
    """ERT = the sum of the epochs spent, by runs that converged or not, ÷ the number that converged; infinite with none.

    Hansen, Auger, Brockhoff, Tušar & Tušar, "COCO: Performance Assessment", arXiv:1605.03560 (2016), section "Averaging
    Runtime", where it is called aRT: mean of the successful + (1 − p) ÷ p × mean of the unsuccessful.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(successes) > 0, np.divide(epochs, successes), np.inf)


def performance_ratios(epochs: Floats) -> Floats:
    """Each solver's cost relative to the best one's on the same problem: (problems, solvers) in and out.

    r = t ÷ min t over the solvers; infinite where it did not converge, and all along a problem that none solved. Epoch 0
    counts as 1. Dolan & Moré, "Benchmarking optimization software with performance profiles", Mathematical Programming 91
    (2002), section 2.
    """
    cost = np.maximum(epochs, 1.0)
    best = cost.min(axis=1, keepdims=True)
    return np.where(np.isfinite(cost), cost / np.where(np.isfinite(best), best, 1.0), np.inf)
