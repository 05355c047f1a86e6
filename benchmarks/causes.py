"""Is the cause that is said right? Trained on, ten times as long and more, to see: `python -m benchmarks.causes [seeds]`.

Populations that the rules were not made from. Contradicted is: a run that converged from a minimum, bouncing or bound; a frozen
one whose error moved; one that descends and took more than three times or less than a third of the epochs said (and ten more or
less); one on a plateau or saturated that left it (its error fell by a tenth) at another time, by more than a factor of ten.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from benchmarks import cost_of_causes
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


HIDDEN = "network.hidden="
POPULATIONS = (
    Population("xor 2-3-1", (*XOR, f"{HIDDEN}[3]"), (0.3, 3, 30), (0.5, 2), 3000),
    Population("xor 2-5-1", (*XOR, f"{HIDDEN}[5]"), (0.5, 10), (1, 4), 1500),
    Population("xor 2-3-2-1", (*XOR, f"{HIDDEN}[3,2]"), (0.7, 4), (0.7, 2.5), 4000),
    Population("xor tanh 2-2-1", (*XOR, "network.activation=tanh"), (0.2, 2), (0.7, 1.5), 1500),
    Population("xor relu 2-3-1", (*XOR, f"{HIDDEN}[3]", "network.activation=relu"), (0.1, 0.5), (0.5, 1), 1500),
    Population("xor momentum 0.8", (*XOR, "momentum=0.8"), (0.3, 3), (1, 3), 1000),
    Population("worked example", (), (0.7, 70, 7000), (2, 6), 1500),
    Population("encoder 6-3-6", ("task=encoder", "task.size=6", "network=trained", f"{HIDDEN}[3]"), (0.4, 4), (0.7, 3), 700),
    Population("parity 3-4-1", ("task=parity", "task.bits=3", "network=trained", f"{HIDDEN}[4]"), (0.5, 2), (0.7, 3), 2000),
    Population("parity 4-4-1", ("task=parity", "task.bits=4", "network=trained", f"{HIDDEN}[4]"), (0.4,), (1, 3), 3000, 50),
    Population("symmetry 4-3-1", ("task=symmetry", "task.bits=4", "network=trained", f"{HIDDEN}[3]"), (0.3, 3), (0.7, 3), 1500),
    Population("iris 4-2-3", ("task=iris", "network=trained", f"{HIDDEN}[2]"), (0.02, 0.1), (0.7,), 1000, 20, 20),
)


def trained(population: Population, seeds: int) -> tuple[BatchResult, BatchResult]:
    """The runs that were exhausted after `epochs`, and the same trained on."""
    trial, _ = read_run(
        compose([*population.overrides, "initial=uniform", "threshold=1e-3", f"max_epochs={population.epochs}"])
    )
    first = 250_000 + sum(map(ord, population.name))
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


def main(seeds: int | None = None) -> pd.DataFrame:
    """Prints tables in Markdown: what came of each population and of each cause, and what causes cost; gives a row per run."""
    print("| population | runs | contradicted | undecided |")
    print("| --- | --- | --- | --- |")
    parts = []
    for population in POPULATIONS:
        short, longer = trained(population, seeds or population.seeds)
        parts.append(judged(population, short, longer, causes(short)))
        print(in_row(population.name, parts[-1]), flush=True)
    table = pd.concat(parts, ignore_index=True)
    print(in_row("all", table))
    print("\n| cause | runs | contradicted | converged later |")
    print("| --- | --- | --- | --- |")
    for cause, rows in table.groupby("cause"):
        print(f"| {cause} | {len(rows):,} | {rows['wrong'].mean():.1%} | {rows['converged'].mean():.0%} |")
    near = table[(table["cause"] == "descending") & table["converged"]]
    for most in (10, 30, 100):
        some = near[near["ratio"] <= most]
        quartiles = (some["said"] / some["true"]).quantile([0.25, 0.5, 0.75])
        print(f"descending, E/θ ≤ {most}: epochs said ÷ true, quartiles {', '.join(f'{value:.3f}' for value in quartiles)}")
    cost_of_causes.main()
    return table


def in_row(name: str, table: pd.DataFrame) -> str:
    """A row of the first table."""
    undecided = (table["cause"] == "undecided").mean()
    return f"| {name} | {len(table):,} | {table['wrong'].mean():.1%} | {undecided:.1%} |"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
