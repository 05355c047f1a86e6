"""How often do intervals, tests and the answer hold the truth? `python -m benchmarks.coverage [samples]`.

The truth is a population of 2,000 starts at every setting of a study; samples of 10, 20 and 50 of its starts are drawn and
summed up as a sweep of so many seeds would be. Counted is how often an interval holds the population's value: on average over
the rows of a table, and in its worst row. A test's level is the share of samples with any difference shown where there is none:
each start's values of the learning rate are shuffled. The set of best settings should hold the population's best one.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd

import pipeline as bp
from pipeline.stats.summary import Summary

POPULATION, SIZES, SAMPLES = 2000, (10, 20, 50), 200
STUDIES = ("convergence", "xor")
LEVEL = 0.05
KINDS = ("rate", "q1", "median", "q3", "ert")
Counts = dict[tuple[str, str], np.ndarray]  # hits and trials (2, rows), by what is estimated and in which kind of row


@dataclass(frozen=True)
class Population:
    """All runs of a study from 2,000 starts, and the true values of each table's rows."""

    results: pd.DataFrame
    truth: dict[tuple[str, ...], pd.DataFrame]
    best: dict[float, str]


@cache
def population(study: str) -> Population:
    """Trains it."""
    results = bp.sweep(f"study={study}", seed=range(POPULATION)).summary.results
    summary = Summary(results)
    by_setting = summary.by(*summary.settings, intervals=False)
    best = by_setting.loc[by_setting.groupby("threshold")["ert"].idxmin()]
    return Population(
        results,
        {axes: summary.by(*axes, intervals=False) for axes in tables(summary)},
        {row["threshold"]: setting(row, summary.settings) for row in best.to_dict("records")},
    )


def tables(summary: Summary) -> list[tuple[str, ...]]:
    """The tables whose rows are checked: of all runs, by each axis, by axis and threshold, by setting."""
    axes = summary.settings
    nested = [(axis, "threshold") for axis in axes if axis != "threshold"]
    return [(), *((axis,) for axis in axes), *nested, tuple(axes)]


def setting(row: dict, axes: Sequence[str]) -> str:
    """A setting as text."""
    return " ".join(f"{axis}={row[axis]}" for axis in axes)


def holds(table: pd.DataFrame, truth: pd.DataFrame, name: str) -> np.ndarray:
    """Whether each row's interval holds the true value."""
    low, high, value = table[f"{name}_low"].to_numpy(), table[f"{name}_high"].to_numpy(), truth[name].to_numpy()
    slack = 1e-9 * np.where(np.isfinite(value), np.abs(value), 0.0)
    return (low <= value + slack) & (value - slack <= high)


def sample(study: str, size: int, number: int) -> tuple[Counts, dict[str, float]]:
    """What one sample of the population's starts says, against the truth."""
    whole = population(study)
    random = np.random.default_rng([size, number])
    starts = random.choice(POPULATION, size, replace=False)
    results = whole.results[whole.results["seed"].isin(starts)].reset_index(drop=True)
    summary = Summary(results)
    counts: Counts = {}
    for axes, truth in whole.truth.items():
        table = summary.by(*axes)
        kind = "cells" if axes == tuple(summary.settings) else "rows"
        for name in KINDS:
            hit = holds(table, truth, name)
            counts[name, f"{kind} {' '.join(axes)}"] = np.array([hit, np.ones(len(hit))])
    rates = {"set": holds_best(summary, whole)} | shown_without_cause(results, random)
    return counts, rates


def holds_best(summary: Summary, whole: Population) -> float:
    """The share of thresholds at which the population's best setting is not ruled out."""
    table = summary.best_settings
    left = {setting(row, summary.settings) for row in table[table["remains"]].to_dict("records")}
    return float(np.mean([best in left for best in whole.best.values()]))


def shown_without_cause(results: pd.DataFrame, random: np.random.Generator) -> dict[str, float]:
    """Whether each test shows any difference between learning rates that are shuffled within each start."""
    rates = np.sort(results["learning_rate"].unique())
    seeds = np.sort(results["seed"].unique())
    shuffled = np.array([random.permutation(rates) for _ in seeds])
    of_seed = np.searchsorted(seeds, results["seed"])
    values = shuffled[of_seed, np.searchsorted(rates, results["learning_rate"])]
    pairs = Summary(results.assign(learning_rate=values)).paired("learning_rate")
    return {f"test of {name}": float((pairs[f"p_{name}_adjusted"] <= LEVEL).any()) for name in ("epochs", "rate", "ert")}


def measured(study: str, size: int, samples: int, pool: ProcessPoolExecutor) -> dict[str, tuple[float, float]]:
    """Mean and worst coverage by what is estimated, and in which kind of row."""
    sums: defaultdict[tuple[str, str], np.ndarray | float] = defaultdict(float)
    shares: defaultdict[str, list[float]] = defaultdict(list)
    for counts, rates in pool.map(partial(sample, study, size), range(samples), chunksize=10):
        for key, value in counts.items():
            sums[key] = sums[key] + value
        for name, rate in rates.items():
            shares[name].append(rate)
    found = {}
    for kind in ("rows", "cells"):
        for name in KINDS:
            parts = [hits / trials for (what, table), (hits, trials) in sums.items() if what == name and table.startswith(kind)]
            every = np.concatenate(parts)
            found[f"{name}, {kind}"] = float(every.mean()), float(every.min())
    return found | {name: (float(np.mean(values)), float("nan")) for name, values in shares.items()}


def in_cell(mean: float, worst: float) -> str:
    """Mean (worst), the worst where there is one."""
    return f"{mean:.3f}" + ("" if np.isnan(worst) else f" ({worst:.2f})")


def main(samples: int = SAMPLES) -> None:
    """Prints a table in Markdown: mean (worst) coverage for each size of sample."""
    print(f"coverage of 95 % intervals: mean (worst row); {samples} samples of {POPULATION:,} starts\n")
    print(f"| study | what | {' | '.join(f'{size} starts' for size in SIZES)} |")
    print("| --- " * (2 + len(SIZES)) + "|")
    for study in STUDIES:
        population.cache_clear()
        population(study)  # before the processes are forked
        with ProcessPoolExecutor() as pool:
            columns = [measured(study, size, samples, pool) for size in SIZES]
        for what in columns[0]:
            cells = [
                f"{mean:.3f}" + (f" ({worst:.2f})" if worst == worst else "") for mean, worst in (c[what] for c in columns)
            ]
            print(f"| {study} | {what} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
