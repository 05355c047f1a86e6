"""Synthetic sweeps: results, curves, weights and a configuration of any design, without training."""

import numpy as np
import pandas as pd

from pipeline.results.run_result import Curves
from pipeline.stats.trajectories import Weights

USUAL = {"learning_rate": [0.1, 0.5, 5.0], "initial.range": [0.5, 2.0], "seed": range(5), "threshold": [1e-2, 1e-3]}
HOSTILE = '<script>alert("x")</script>&"\''
CONFIGURATION = {
    "task": {"name": "xor", "coding": "binary"},
    "network": {"hidden": [2]},
    "learning_rate": 0.5,
    "max_epochs": 1000,
    "tracking": {"uri": "http://someone:secret@example.org", "experiment": "backpropagation"},
}


def sweep(_number=0, **axes) -> pd.DataFrame:
    """A result for each combination of the axes, with epochs that grow where the threshold or the learning rate is small."""
    results = pd.MultiIndex.from_product(axes.values(), names=axes.keys()).to_frame(index=False)
    generator = np.random.default_rng(_number)
    rate = pd.to_numeric(results.get("learning_rate", pd.Series(1.0, results.index)), errors="coerce").fillna(1.0)
    epochs = np.rint(100 / rate * generator.lognormal(size=len(results))).astype(int)
    converged = epochs < 1000
    return results.assign(
        status=np.where(converged, "converged", "exhausted"), epochs=np.minimum(epochs, 1000),
        final_error=np.where(converged, 1e-3, 1e-2),
    )  # fmt: skip


class Listed(list, Curves):
    """The error curves of runs, in a list."""


def curves_of(results) -> Listed:
    """A falling curve for each run."""
    return Listed(
        (np.array([0, 1, max(2, end)]), np.array([0.3, 0.2, error]))
        for end, error in results[["epochs", "final_error"]].to_numpy()
    )


def weights_of(results, parameters=10) -> Weights:
    """Some weights for each run."""
    values = np.random.default_rng(0).normal(size=(2, parameters, len(results)))
    return Weights([f"w{number + 1}" for number in range(parameters)], *values)


def start_population(starts, number) -> np.ndarray:
    """Epochs to convergence (starts, 6 learning rates, 4 ranges), some infinite: a start has its luck in all."""
    generator = np.random.default_rng(number)
    luck = generator.normal(size=(starts, 1, 1))
    log = np.log(400) + 0.5 * np.abs(np.arange(6)[:, None] - 3) + 0.2 * np.arange(4) + 0.8 * luck
    log = log + generator.normal(0, 0.5, (starts, 1, 4)) + generator.normal(0, 0.5, (starts, 6, 4))
    fails = generator.random(log.shape) < 1 / (1 + np.exp(3.5 - 1.2 * luck - 0.7 * np.arange(4)))
    return np.where(fails, np.inf, np.ceil(np.exp(log)))


def sweep_of_starts(epochs, samples, horizon) -> pd.DataFrame:
    """The results of that many samples, axis `sample`, of the starts of a population, none in two of them."""
    sample, seed, rate, width = np.indices((samples, len(epochs) // samples, *epochs.shape[1:])).reshape(4, -1)
    time = epochs.reshape(-1)
    return pd.DataFrame(
        {
            "sample": sample, "learning_rate": rate, "initial.range": width, "seed": seed,
            "status": np.where(time <= horizon, "converged", "exhausted"),
            "epochs": np.minimum(time, horizon).astype(int), "horizon": horizon,
        }
    )  # fmt: skip
