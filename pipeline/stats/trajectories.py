"""What happens to the runs on their way, as tables: quantiles of their errors over the epochs, and of their weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.stats.arrays import Booleans, Floats, Integers, evenly
from pipeline.stats.sample import NESTED, Sample

Curve = tuple[NDArray[np.int64], Floats]  # the epochs and the errors of a run

SHARES = {"q5": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
MOST_CURVES, MOST_RUNS = 200, 20_000  # that quantiles of errors (of one axis value) and of weights are taken from


class Curves(Protocol):
    """The error curves of R runs, in the order of the results."""

    def of(self, runs: Integers) -> Sequence[Curve]:
        """Those of these runs."""


class AllWeights(Protocol):
    """The parameters of R runs of one network, in the order of the results."""

    @property
    def names(self) -> Sequence[str]:
        """Their names (N,)."""

    def of(self, which: str, runs: Integers) -> Floats:
        """The parameters (N, runs) of these runs; `which`: initial, final."""

    def finite(self) -> Booleans:
        """Whether all final ones of each run are finite, (R,)."""


@dataclass(frozen=True, slots=True)
class Weights:
    """`AllWeights` in memory: names (N,), initial (N, R), final (N, R)."""

    names: Sequence[str]
    initial: Floats
    final: Floats

    def of(self, which: str, runs: Integers) -> Floats:
        """The parameters (N, runs) of these runs; `which`: initial, final."""
        return (self.initial if which == "initial" else self.final)[:, runs]

    def finite(self) -> Booleans:
        """Whether all final ones of each run are finite, (R,)."""
        return np.asarray(np.isfinite(self.final).all(axis=0))


def of_lowest_threshold(sample: Sample) -> Booleans:
    """The runs (R,) with the lowest threshold: of runs that differ in their threshold only, these go on longest."""
    return sample.having(NESTED, sample.values(NESTED)[0]) if NESTED in sample.axes else np.ones(len(sample), bool)


def chosen_runs(sample: Sample, axis: str | None, value: Any, most: int = MOST_CURVES) -> Integers:
    """Evenly chosen runs with that value of an axis (of all runs where it is None) and the lowest threshold, at most `most`."""
    rows = np.flatnonzero(of_lowest_threshold(sample) & sample.having(axis, value))
    return rows[evenly(len(rows), most)]


def error_bands(sample: Sample, curves: Curves, axis: str | None = None, values: Sequence[Any] | None = None) -> pd.DataFrame:
    """Quantiles of the error over the epochs for each value of an axis (or those given), from `chosen_runs`.

    Columns the axis, epochs, runs (that the quantiles are taken from), least (the lowest error), and `SHARES`. Epochs are
    those of the longest curve. A run that has ended keeps its last error; a diverged one is infinite from there on.
    """
    diverged = sample.ended("diverged")
    parts = []
    for value in [None] if axis is None else sample.values(axis) if values is None else values:
        rows = chosen_runs(sample, axis, value)
        own = curves.of(rows)
        epochs = max((epochs for epochs, _ in own), key=lambda epochs: int(epochs[-1]))
        errors = at_epochs(own, diverged[rows], epochs)
        table = pd.DataFrame({"epochs": epochs, "runs": len(rows), "least": errors.min(axis=0)})
        for name, share in SHARES.items():
            table[name] = quantile(errors, share)
        parts.append(table if axis is None else pd.concat([pd.Series([value] * len(table), name=axis), table], axis=1))
    return pd.concat(parts, ignore_index=True)


def at_epochs(curves: Sequence[Curve], diverged: Booleans, epochs: NDArray[np.int64]) -> Floats:
    """The errors (runs, epochs) of curves: the last one measured up to each epoch."""
    errors = np.empty((len(curves), len(epochs)))
    for run, (own, error) in enumerate(curves):
        errors[run] = error[np.searchsorted(own, epochs, side="right") - 1]
        if diverged[run]:
            errors[run, epochs >= own[-1]] = np.inf
    return np.where(np.isnan(errors), np.inf, errors)


def best_so_far(curve: Curve) -> Floats:
    """The lowest error (K,) up to each kept point of a curve; what is no number is infinite."""
    errors = curve[1]
    return np.minimum.accumulate(np.where(np.isnan(errors), np.inf, errors))


def quantile(errors: Floats, share: float) -> Floats:
    """A quantile at each epoch: one of the errors, so that infinite ones do no harm."""
    return np.asarray(np.quantile(errors, share, axis=0, method="inverted_cdf"), float)


def weight_groups(sample: Sample, weights: AllWeights) -> dict[str, tuple[str, Integers]]:
    """Which parameters and which runs each group has, if any: initial, and final of those that converged or did not.

    Runs have the lowest threshold; those that diverged, or whose final weights are not finite, are left out of the final ones:
    where they stopped says nothing but that they were on their way to infinity.
    """
    lowest, finite = of_lowest_threshold(sample), weights.finite() & ~sample.ended("diverged")
    groups = {
        "initial": ("initial", lowest),
        "final, converged": ("final", lowest & sample.event & finite),
        "final, not converged": ("final", lowest & ~sample.event & finite),
    }
    return {name: (which, np.flatnonzero(runs)) for name, (which, runs) in groups.items() if runs.any()}


@dataclass(frozen=True, slots=True)
class ChosenWeights:
    """N parameters of a group of runs: how many `runs` there are, and the `values` (N, some) of evenly chosen ones."""

    runs: int
    values: Floats


def chosen_weights(sample: Sample, weights: AllWeights, parameters: Sequence[int] | None = None) -> dict[str, ChosenWeights]:
    """All parameters (or those with the given numbers) of at most `MOST_RUNS` runs of each of the `weight_groups`."""
    numbers = list(range(len(weights.names)) if parameters is None else parameters)
    return {
        group: ChosenWeights(len(runs), weights.of(which, runs[evenly(len(runs), MOST_RUNS)])[numbers])
        for group, (which, runs) in weight_groups(sample, weights).items()
    }


def weight_quantiles(chosen: Mapping[str, ChosenWeights], names: Sequence[str]) -> pd.DataFrame:
    """Quantiles of each parameter, `names` (N,), in each group of `chosen_weights`.

    Columns group, parameter, runs (at most `MOST_RUNS` evenly chosen ones have a say), and `SHARES`.
    """
    parts = []
    for group, some in chosen.items():
        quantiles = dict(zip(SHARES, np.quantile(some.values, list(SHARES.values()), axis=1), strict=True))
        parts.append(pd.DataFrame({"group": group, "parameter": names, "runs": some.runs, **quantiles}))
    return pd.concat(parts, ignore_index=True)
