"""95 % intervals, and the bootstrap: resampling of the units that are independent of each other. Arrays in, arrays out."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtrit

from pipeline.stats.arrays import Floats

LEVEL = 0.95  # of every interval
Z = float(ndtri((1 + LEVEL) / 2))  # of the normal law
RESAMPLES = 1000
MOST_UNITS = 1000  # that are drawn one by one; more are put into this many blocks at random, and the blocks are drawn
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


@lru_cache(maxsize=8)
def draws(units: int) -> Floats:
    """How often each unit is drawn in each resample, (U, RESAMPLES); each column sums to U. Read-only, as it is cached."""
    drawn = np.random.default_rng(SEED).multinomial(units, np.full(units, 1 / units), size=RESAMPLES).astype(float).T
    drawn.setflags(write=False)
    return drawn


def bca(samples: Floats, estimate: Floats, influence: Floats) -> tuple[Floats, Floats]:
    """Bootstrap intervals, (low, high), each (G,), of `samples` (G, S) around `estimate` (G,); infinite ones sort last.

    The samples' quantiles at Φ(z₀ + (z₀ ± k) ÷ (1 − a(z₀ ± k))): Efron, "Better bootstrap confidence intervals", JASA 82
    (1987), with z₀ from the share of samples below the estimate, and a = Σ l³ ÷ 6 (Σ l²)^1.5 from the `influence` l (G, U) of
    each of the U units on the estimate or on its logarithm (quantiles do not care). k is not Φ⁻¹ of the level but
    √(U ÷ (U − 1)) Student's t with U − 1, which widens it for few units: Hesterberg, "What teachers should know about the
    bootstrap", The American Statistician 69 (2015), section 4.2, the expanded percentile interval. It holds the estimate.
    """
    ordered = np.sort(samples, axis=-1)
    size, units = samples.shape[-1], influence.shape[-1]
    k = np.sqrt(units / (units - 1)) * stdtrit(units - 1, (1 + LEVEL) / 2)
    middle = estimate[..., None]
    below = (samples < middle).mean(-1) + (samples == middle).mean(-1) / 2
    bias = ndtri(np.clip(below, 1 / size, 1 - 1 / size))
    spread = np.square(influence).sum(-1) ** 1.5
    skew = np.divide((influence**3).sum(-1), 6 * spread, out=np.zeros(spread.shape), where=spread > 0)
    bounds = []
    for z in (bias - k, bias + k):
        share = ndtr(bias + z / np.maximum(1 - skew * z, 0.05))
        index = np.clip(np.rint(share * (size - 1)).astype(np.intp), 0, size - 1)
        bounds.append(np.take_along_axis(ordered, index[..., None], -1)[..., 0])
    return np.minimum(bounds[0], estimate), np.maximum(bounds[1], estimate)
