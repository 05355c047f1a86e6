"""Sweeps with known truth: settings whose epochs and failures are drawn, many samples of the same population at once."""

import numpy as np
import pandas as pd

HORIZON = 20_000


class World:
    """Settings with a median cost (K,) in epochs and a share of starts that fail (K,) each.

    The epochs of a start are lognormal and correlated between settings; with `shared`, it is the same starts that fail in all.
    """

    def __init__(self, cost, fails, shared=True, seed=0):
        self.cost, self.fails = np.array(cost, float)[:, None], np.array(fails, float)[:, None]
        self.shared = shared
        self.generator = np.random.default_rng(seed)
        epochs, converged = self._draw(1, 100_000)
        self.truth = epochs[0].sum(axis=1) / converged[0].sum(axis=1)
        self.truth_of_all = epochs.sum() / converged.sum()

    def _draw(self, samples, starts):
        shape = (samples, len(self.cost), starts)
        one = self.generator.normal(size=(samples, 1, starts))
        epochs = np.ceil(self.cost * np.exp(0.5 * one + 0.5 * self.generator.normal(size=shape)))
        fate = self.generator.random((samples, 1, starts) if self.shared else shape)
        converged = (fate >= self.fails) & (epochs <= HORIZON)
        return np.where(converged, epochs, HORIZON), converged

    def results(self, samples, starts):
        """Results with an axis `threshold`, which numbers the samples, and `learning_rate`, which numbers the settings."""
        epochs, converged = self._draw(samples, starts)
        axes = dict(zip(("threshold", "learning_rate", "seed"), np.indices(epochs.shape).reshape(3, -1), strict=True))
        status = np.where(converged.ravel(), "converged", "exhausted")
        return pd.DataFrame(axes).assign(status=status, epochs=epochs.ravel().astype(int), horizon=HORIZON)
