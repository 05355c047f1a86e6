"""Is the cause that is said right? Trained on, ten times as long and more, to see: `python -m benchmarks.causes [seeds]`.

Populations that the rules were not made from. Contradicted is: a run that converged from a minimum, bouncing or bound; a frozen
one whose error moved; one that descends and took more than three times or less than a third of the epochs said (and ten more or
less); one on a plateau or saturated that left it (its error fell by a tenth) at another time, by more than a factor of ten.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from pipeline.app.composition import compose
from pipeline.backprop.batch import BatchResult
from pipeline.backprop.causes.of_batch import Causes, causes
from pipeline.backprop.causes.rules import FAR, Cause
from pipeline.backprop.engines import engine
from pipeline.backprop.status import Status
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from pipeline.trials.trial import InitialChoice

TRAIN = engine("compiled")
XOR = ("task=xor", "network=trained")


@dataclass(frozen=True)
class Population:
    """Runs of one configuration over rates and ranges, trained to `epochs`, and on to `on` × as many."""

    name: str
    overrides: tuple[str, ...]
    rates: tuple[float, ...]
    ranges: tuple[float, ...]
    epochs: int
    on: int = 100
    seeds: int = 40


POPULATIONS = (
    Population("xor 2-4-1", (*XOR, "network.hidden=[4]"), (0.2, 2, 20), (0.7, 3), 2000),
    Population("xor 2-2-2-1", (*XOR, "network.hidden=[2,2]"), (0.5, 3), (1, 3), 2000),
    Population("xor tanh", (*XOR, "network.hidden=[3]", "network.activation=tanh"), (0.1, 1, 5), (0.5, 2), 1000),
    Population("xor relu", (*XOR, "network.hidden=[4]", "network.activation=relu"), (0.05, 0.3), (0.7, 1.5), 1000),
    Population("xor momentum", (*XOR, "momentum=0.9"), (0.1, 1, 10), (1, 4), 500),
    Population("worked example", (), (0.3, 30, 3000), (1, 8), 1000),
    Population(
        "encoder 5-2-5", ("task=encoder", "task.size=5", "network=trained", "network.hidden=[2]"), (0.5, 5), (0.5, 2), 500
    ),
    Population("parity 3-3-1", ("task=parity", "task.bits=3", "network=trained", "network.hidden=[3]"), (0.3, 3), (1, 4), 1000),
    Population(
        "symmetry 4-2-1", ("task=symmetry", "task.bits=4", "network=trained", "network.hidden=[2]"), (0.2, 2), (0.5, 2), 1000
    ),
    Population("iris 4-3-3", ("task=iris", "network=trained", "network.hidden=[3]"), (0.01, 0.1), (0.5,), 1000, 20, 20),
)


def trained(population: Population, seeds: int) -> tuple[BatchResult, BatchResult]:
    """The runs that were exhausted after `epochs`, and the same trained on."""
    trial, _ = read_run(
        compose([*population.overrides, "initial=uniform", "threshold=1e-3", f"max_epochs={population.epochs}"])
    )
    first = 7_000 + sum(map(ord, population.name))
    trials = [
        replace(trial, learning_rate=(float(rate),), initial=InitialChoice("uniform", (-float(size), float(size))), seed=seed)
        for rate, size, seed in product(population.rates, population.ranges, range(first, first + seeds))
    ]
    batch = make_batch(trials)
    short = TRAIN(batch)
    left = np.flatnonzero(short.status == Status.EXHAUSTED)
    short = TRAIN(batch.columns(batch.training[left]))
    longer = replace(short.batch, max_epochs=population.epochs * population.on, curve_points=400)
    return short, TRAIN(longer)


def judged(population: Population, short: BatchResult, longer: BatchResult, found: Causes) -> pd.DataFrame:
    """A row per run: its cause, whether what came later contradicts it, epochs said and true."""
    n, horizon = population.epochs, population.epochs * population.on - population.epochs
    converged = longer.status == Status.CONVERGED
    until = np.where(converged, longer.epochs - n, np.inf)
    error = longer.curve_errors[:, longer.batch.training]
    fallen = (longer.curve_epochs[:, None] > n) & ~(error >= 0.9 * short.final_error)
    left = np.where(fallen.any(axis=0), longer.curve_epochs[fallen.argmax(axis=0)] - n, np.inf)
    moved = np.minimum(left, until)
    said = found.number
    far = short.final_error > FAR * short.batch.threshold
    wrong = {
        Cause.UNREACHABLE: converged,
        Cause.SYMMETRIC: np.zeros(len(said), bool),
        Cause.FROZEN: longer.final_error != short.final_error,
        Cause.SATURATED: (found.k_star <= 1) & off(said, moved, horizon, 10),
        Cause.OSCILLATING: converged,
        Cause.DESCENDING: np.where(far, until < said / 3 - 10, off(said, until, horizon, 3)),
        Cause.PLATEAU: off(said, moved, horizon, 10),
        Cause.MINIMUM: until < 9 * n,
        Cause.UNDECIDED: np.zeros(len(said), bool),
    }
    rows = np.zeros(len(said), bool)
    for one, contradicted in wrong.items():
        rows |= (found.code == one) & contradicted
    return pd.DataFrame(
        {
            "population": population.name,
            "cause": [Cause(code).word for code in found.code],
            "wrong": rows,
            "converged": converged,
            "said": said,
            "true": until,
            "ratio": short.final_error / short.batch.threshold,
            "rho": found.rho, "left": left,
        }
    )  # fmt: skip


def off(said: np.ndarray, true: np.ndarray, horizon: int, factor: float) -> np.ndarray:
    """Whether it happened at another time than said, as far as could be seen."""
    late = (true > factor * said + 10) & (factor * said + 10 < horizon)
    return late | (true < said / factor - 10)


def main(seeds: int | None = None) -> None:
    """Prints what came of each cause, in all and by population."""
    parts = []
    for population in POPULATIONS:
        short, longer = trained(population, seeds or population.seeds)
        begun = time.perf_counter()
        found = causes(short)
        took = time.perf_counter() - begun
        table = judged(population, short, longer, found)
        parts.append(table)
        undecided = (table["cause"] == "undecided").mean()
        print(
            f"| {population.name} | {len(table):,} | {table['wrong'].mean():.1%} | {undecided:.1%} | "
            f"{1e6 * took / max(len(table), 1):,.0f} µs | {dict(table['cause'].value_counts())}"
        )
    table = pd.concat(parts, ignore_index=True)
    print(
        f"all: {len(table):,} runs; contradicted {table['wrong'].mean():.1%}; "
        f"undecided {(table['cause'] == 'undecided').mean():.1%}"
    )
    print(
        table.groupby("cause").agg(runs=("wrong", "size"), wrong=("wrong", "sum"), converged=("converged", "mean")).to_string()
    )
    near = table[(table["cause"] == "descending") & table["converged"]]
    for most in (10, 30, 100):
        some = near[near["ratio"] <= most]
        print(
            f"E/θ ≤ {most}: said ÷ true, quartiles", (some["said"] / some["true"]).quantile([0.25, 0.5, 0.75]).round(3).tolist()
        )
    return table


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
