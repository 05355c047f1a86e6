"""95 % intervals. Arrays in, arrays out."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from pipeline.stats.arrays import Floats

LEVEL = 0.95  # of every interval
Z = float(ndtri((1 + LEVEL) / 2))  # of the normal law
RESAMPLES = 1000
MOST_UNITS = 1000  # that are weighted one by one; more are put into this many blocks at random, and the blocks are weighted
SEED = 20210  # any number: the same table has the same intervals


def wilson(successes: ArrayLike, runs: ArrayLike, z: ArrayLike = Z) -> tuple[Floats, Floats]:
    """The interval of a rate, (low, high), each of the shape of `successes`, `runs` and the quantile `z`.

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) ÷ (1 + z²/n): Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927); Brown, Cai & DasGupta, Statistical Science 16 (2001), equation 4. It takes the runs as
    independent. NaN where there are no runs.
    """
    k, n, z = (np.asarray(numbers, float) for numbers in (successes, runs, z))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = k / n
        middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return np.where((k == 0) & (n > 0), 0.0, low), np.where((k == n) & (n > 0), 1.0, high)
