"""Logistic regression within strata, with standard errors that allow for runs from the same start; and AUC within strata.

Letters: N runs, K properties, S strata (settings), U starts. The dummies of the strata are profiled out, as there may be a
hundred of them; scikit-learn would take them as columns, and has no standard errors.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.stats.arrays import Floats, Integers

Counts = NDArray[np.floating[Any]]  # whole numbers
RIDGE = 1e-6  # on each slope, of properties in standard deviations: perfect separation has an end
MOST_STEPS = 50


@dataclass(frozen=True, slots=True)
class Fit:
    """Slopes (K,) of the log odds, and their standard errors (K,)."""

    slopes: Floats
    errors: Floats


def fit(properties: Floats, converged: Floats, stratum: Integers, start: Integers | None = None) -> Fit:
    """Logit P(converged) = a constant for each stratum + properties (N, K) · slopes, by maximum likelihood (Newton).

    Every stratum needs runs of both outcomes. Standard errors, of runs from the same `start` (N,) as one cluster:
    H⁻¹ (Σ over starts of s sᵀ) H⁻¹ U ÷ (U − 1) with s the start's sum of scores (Liang & Zeger, Biometrika 73 (1986);
    the factor as in Cameron & Miller, Journal of Human Resources 50 (2015), section VI). Without `start`, NaN.
    """
    strata = int(stratum.max()) + 1
    constant, slopes = np.zeros(strata), np.zeros(properties.shape[1])
    for _ in range(MOST_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(constant[stratum] + properties @ slopes, -30, 30)))
        weight, rest = chance * (1 - chance), converged - chance
        total = np.bincount(stratum, weight, strata)
        means = np.stack([np.bincount(stratum, weight * column, strata) for column in properties.T], axis=1) / total[:, None]
        within = properties - means[stratum]  # what the strata's constants do not explain
        hessian = (weight[:, None] * within).T @ within + RIDGE * np.eye(len(slopes))
        by_stratum = np.bincount(stratum, rest, strata) / total
        step = np.linalg.solve(hessian, within.T @ rest - RIDGE * slopes)
        bounded = min(1.0, 3.0 / max(np.abs(step).max(initial=0.0), 1e-300))
        slopes = slopes + bounded * step
        constant = constant + np.clip(by_stratum - bounded * means @ step, -3, 3)
        if max(np.abs(step).max(initial=0.0), np.abs(by_stratum).max()) < 1e-9:
            break
    errors = np.full(len(slopes), np.nan)
    if start is not None:
        units = int(start.max()) + 1
        scores = np.stack([np.bincount(start, rest * column, units) for column in within.T], axis=1)
        present = len(np.unique(start))
        inverse = np.linalg.inv(hessian)
        errors = np.sqrt(np.diag(inverse @ (scores.T @ scores) @ inverse) * present / (present - 1))
    return Fit(slopes, errors)


def concordance(scores: Floats, converged: Floats, stratum: Integers, start: Integers, drawn: Counts) -> tuple[Floats, Floats]:
    """Pairs of runs of one stratum, one converged and the other not, in each of B samples of starts: agreeing (B,), all (B,).

    A run (N,) is in a sample as often as its start is, `drawn` (U, B); a start has one run in a stratum. A pair agrees where
    the score of the run that converged is higher, and half agrees where they are equal. Their sums' ratio is the AUC within
    strata: the chance that, of two runs of one setting with different ends, the score tells which. Of each run that
    converged the failed ones below it are counted, in order of score. All sums are whole: `drawn` of single precision has all
    their digits up to 2,896 starts.
    """
    agreeing, pairs = np.zeros((2, drawn.shape[1]))
    order = np.argsort(stratum, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(stratum[order])) + 1):
        yes, no = rows[converged[rows] > 0], rows[converged[rows] == 0]
        no = no[np.argsort(scores[no], kind="stable")]
        failed = np.zeros((len(no) + 1, drawn.shape[1]), drawn.dtype)  # up to each score
        for number, run in enumerate(start[no].tolist()):
            np.add(failed[number], drawn[run], out=failed[number + 1])
        below, not_above = (np.searchsorted(scores[no], scores[yes], side) for side in ("left", "right"))
        won = drawn[start[yes]]
        agreeing += np.einsum("yb,yb->b", won, failed[below] + failed[not_above]) / 2.0
        pairs += won.sum(axis=0) * failed[-1]
    return agreeing, pairs
