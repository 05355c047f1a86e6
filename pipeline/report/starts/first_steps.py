"""K* at the initial weights of a sweep's runs."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.limits import is_small
from pipeline.backprop.causes.tangent_kernel import k_star
from pipeline.backprop.network import Network
from pipeline.results.runs import Runs
from pipeline.stats.arrays import Floats, Integers
from pipeline.stats.starts.first_steps import FirstSteps

MOST_WORK = 500_000_000  # multiplications, about: two seconds
TURNS = 4  # what eigenvalues take, in products of two matrices

Steps = Callable[[Integers], tuple[Array, Array]]  # of runs: learning rates of the layers (1 or L, R), momentum (R,)


def first_steps_of(runs: Runs, steps: Steps) -> FirstSteps | None:
    """What gives K* at the start of runs, which grows as the learning rates do; None of large networks, or different ones."""
    if runs.networks != 1 or runs.inputs is None or not is_small(runs.rows[0].network, len(runs.inputs)):
        return None
    network, inputs = runs.rows[0].network, np.asarray(runs.inputs, float)
    targets = np.zeros((len(inputs), network.units[-1]))  # K* does not depend on them

    def of(rows: Integers) -> Floats:
        rates, momentum = steps(rows)
        own = np.concatenate([rates[1:] / rates[:1], runs.parameters("initial", rows)])
        distinct, number = np.unique(own, axis=1, return_inverse=True)
        relative = np.concatenate([np.ones((1, distinct.shape[1])), distinct[: len(rates) - 1]])
        relative = np.broadcast_to(relative, (network.layers, distinct.shape[1])) if len(relative) == 1 else relative
        none = np.zeros(distinct.shape[1])
        base = k_star(network, distinct[len(rates) - 1 :], inputs, targets, relative, none)
        return np.asarray(base[number.ravel()] * rates[0] / (1.0 + momentum), float)

    return FirstSteps(of, MOST_WORK // work(network, len(inputs)))


def steps_in(table: pd.DataFrame) -> Steps | None:
    """The learning rates and the momentum of runs from results; None where one is no number, or updates are within an epoch."""
    keys = ("learning_rate", "momentum")
    known = "update" in table and (table["update"] == "batch").all()
    if not known or not all(name in table and pd.api.types.is_numeric_dtype(table[name]) for name in keys):
        return None
    rates, momentum = (table[name].to_numpy(float) for name in keys)
    return lambda rows: (rates[None, rows], momentum[rows])


def work(network: Network, patterns: int) -> int:
    """What K* of one run takes, in multiplications, about."""
    rows, columns = sorted((patterns * network.units[-1], network.trained))
    return max(1, rows * rows * (columns + TURNS * rows))
