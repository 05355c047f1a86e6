"""Properties of initial weights that one can name, of S starts of one network at once."""

from itertools import combinations

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Floats

LOW, HIGH = 0.1, 0.9  # a sigmoid unit beyond these is saturated: its slope is less than 0.09, of 0.25 at most
MOST_PAIRS = 500  # of hidden units, whose distances are looked at


def start_properties(parameters: Floats, weights: Floats, biases: Floats, activations: Floats | None = None) -> pd.DataFrame:
    """A row per start: what its initial weights are like. Without what does not exist or is the same for all starts.

    `parameters` (N, S) are all initial weights and biases; `weights` (U, V, S) and `biases` (U, S), (1, S) or (0, S) those of
    the first hidden layer; `activations` (P, U, S) its outputs on the patterns, scaled to 0 … 1, if it saturates.
    norm: Euclidean, of all parameters. largest_hidden: the largest |weight| into a hidden unit. one_sign_units: how many
    hidden units have input weights of one sign; for two or three units also whether it is 0, 1, 2 or 3 of them, as 0 or 1.
    saturated: share of `activations` outside LOW … HIGH. distance: the least Euclidean distance of two hidden units' weights
    and biases.
    """
    units = len(weights)
    one_sign = (np.abs(np.sign(weights).sum(axis=1)) == weights.shape[1]).sum(axis=0)
    columns = {
        "norm": np.sqrt(np.square(parameters).sum(axis=0)),
        "largest_hidden": np.abs(weights).max(axis=(0, 1)),
        "one_sign_units": one_sign.astype(float),
    }
    if units in (2, 3):
        columns |= {f"one_sign_units={number}": (one_sign == number).astype(float) for number in range(units + 1)}
    if activations is not None:
        columns["saturated"] = ((activations < LOW) | (activations > HIGH)).mean(axis=(0, 1))
    if units > 1:
        columns["distance"] = least_distance(weights, biases)
    table = pd.DataFrame(columns)
    return table.loc[:, table.nunique() > 1]


def least_distance(weights: Floats, biases: Floats) -> Floats:
    """The least Euclidean distance (S,) of two units' weights (U, V, S) and biases; of at most MOST_PAIRS pairs of units."""
    own_bias = len(biases) == len(weights)
    least = np.full(weights.shape[-1], np.inf)
    for _, (one, other) in zip(range(MOST_PAIRS), combinations(range(len(weights)), 2), strict=False):
        square = np.square(weights[one] - weights[other]).sum(axis=0)
        least = np.minimum(least, square + (np.square(biases[one] - biases[other]) if own_bias else 0.0))
    return np.asarray(np.sqrt(least), float)
