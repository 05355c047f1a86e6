"""Logistic regression within strata, with standard errors that allow for runs from the same start; and AUC within strata.

Letters: N runs, K properties, S strata (settings), U starts. The dummies of the strata are profiled out, as there may be a
hundred of them; scikit-learn would take them as columns, and has no standard errors.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.stats.arrays import Floats, Integers

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


def concordance(scores: Floats, converged: Floats, stratum: Integers, start: Integers) -> tuple[Floats, Floats]:
    """Pairs of starts (U, U), one converged (down) and the other not (across), in the same stratum: agreeing, and all.

    A start has one run in a stratum. A pair agrees where the score (N,) of the run that converged is higher, and half agrees
    where they are equal. Their sums' ratio is the AUC within strata: the chance that, of two runs of one setting with
    different ends, the score tells which.
    """
    units = int(start.max(initial=-1)) + 1
    agreeing, pairs = np.zeros((2, units, units))
    order = np.argsort(stratum, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(stratum[order])) + 1):
        yes, no = rows[converged[rows] > 0], rows[converged[rows] == 0]
        difference = scores[yes][:, None] - scores[no]
        cells = np.ix_(start[yes], start[no])
        agreeing[cells] += (np.sign(difference) + 1) / 2
        pairs[cells] += 1
    return agreeing, pairs
