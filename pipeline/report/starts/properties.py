"""The properties of the initial weights of a sweep's runs."""

import numpy as np
import pandas as pd

from pipeline.backprop.network import Network, forward
from pipeline.results.runs import Runs
from pipeline.stats.arrays import Floats, Integers, evenly
from pipeline.stats.starts.effects import PropertiesOf
from pipeline.stats.starts.properties import start_properties

MOST_PATTERNS, AT_ONCE = 200, 4_000_000  # patterns, and numbers in one array of activations
SATURATING = {"sigmoid": (1.0, 0.0), "tanh": (0.5, 0.5)}  # scale and shift to 0 … 1


def properties_of(runs: Runs) -> PropertiesOf | None:
    """What gives the properties of the initial weights of runs; None without a hidden layer, or where networks differ."""
    if runs.networks != 1 or runs.rows[0].network.layers < 2:
        return None

    def properties(rows: Integers) -> pd.DataFrame:
        network = runs.rows[0].network
        parameters = runs.parameters("initial", rows)
        distinct, number = np.unique(parameters, axis=1, return_inverse=True)
        weights, biases = network.split(distinct)
        table = start_properties(distinct, weights[0], biases[0], activations(network, distinct, runs.inputs))
        return table.take(number.ravel()).reset_index(drop=True)

    return properties


def activations(network: Network, parameters: Floats, inputs: Floats | None) -> Floats | None:
    """The first hidden layer's outputs (P, U, S) on at most MOST_PATTERNS patterns, as 0 … 1; None where it cannot saturate."""
    if network.activation not in SATURATING or inputs is None:
        return None
    first = Network(network.units[:2], network.activation, network.activation, network.bias)
    weights, biases = network.split(parameters)
    own = np.concatenate([weights[0].reshape(-1, parameters.shape[1]), biases[0]])
    some = inputs[evenly(len(inputs), max(1, min(MOST_PATTERNS, AT_ONCE // (network.units[1] * parameters.shape[1]))))]
    scale, shift = SATURATING[network.activation]
    return np.asarray(forward(first, own, some)[-1] * scale + shift, float)
