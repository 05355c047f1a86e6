"""Run lengths with simulated restarts: how long a success takes if each failed run is followed by another start."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Booleans, Floats
from pipeline.stats.intervals import SEED
from pipeline.stats.sample import Sample

SIMULATED, MOST_SETTINGS = 100, 2_000  # run lengths of each setting; settings, of more at random
MOST_DRAWN = 20_000  # failed runs of a setting, one by one; of more, sums are drawn from the normal distribution


def simulated_restarts(sample: Sample, by: Sequence[str] = ()) -> pd.DataFrame:
    """The share of simulated run lengths, over all settings and thresholds of each group, that end within so many epochs.

    Columns `by`, epochs, share; a row per step. For each setting (with its threshold) `SIMULATED` times, runs are drawn with
    replacement until one is drawn that converged; the run length is the sum of all epochs of these. A setting in which no run
    converged counts, and has none. Hansen et al., "COCO: Performance Assessment", arXiv:1605.03560 (2016), section "Simulated
    Restarts". The same results give the same draws. Empty without replication: there is nothing to restart from.
    """
    columns = [*by, "epochs", "share"]
    if not sample.replicated or not sample.settings:
        return pd.DataFrame(columns=columns)
    setting, settings = sample.codes(sample.settings)
    group, keys = sample.groups(by)
    owner = np.zeros(settings, np.intp)
    owner[setting] = group
    random = np.random.default_rng(SEED)
    chosen = np.sort(random.permutation(settings)[:MOST_SETTINGS])
    rows = np.flatnonzero(np.isin(setting, chosen))
    order = rows[np.argsort(setting[rows], kind="stable")]
    lengths: list[list[Floats]] = [[] for _ in range(len(keys))]
    for own in np.split(order, np.flatnonzero(np.diff(setting[order])) + 1):
        if sample.event[own].any():
            lengths[owner[setting[own[0]]]].append(run_lengths(sample.epochs[own], sample.event[own], SIMULATED, random))
    total = np.bincount(owner[chosen], minlength=len(keys)) * SIMULATED
    tables = []
    for number, parts in enumerate(lengths):
        epochs, counts = np.unique(np.concatenate([*parts, np.zeros(0)]), return_counts=True)
        share = np.cumsum(counts) / max(total[number], 1)
        table = pd.DataFrame({"epochs": epochs, "share": share})
        tables.append(pd.concat([keys.take([number] * len(table)).reset_index(drop=True), table], axis=1))
    return pd.concat(tables, ignore_index=True)[columns]


def run_lengths(epochs: Floats, converged: Booleans, number: int, random: np.random.Generator) -> Floats:
    """So many simulated run lengths (`number`,): the epochs of a run that converged, and of the failed ones drawn before it."""
    won, failed = epochs[converged], epochs[~converged]
    lengths = random.choice(won, number)
    failures = random.geometric(len(won) / len(epochs), number) - 1
    if not len(failed) or not failures.any():
        return lengths
    if failed.min() == failed.max():
        return np.asarray(lengths + failures * failed[0], float)
    if failures.sum() <= MOST_DRAWN:
        drawn = np.append(0.0, np.cumsum(random.choice(failed, int(failures.sum()))))
        ends = np.cumsum(failures)
        return np.asarray(lengths + drawn[ends] - drawn[ends - failures], float)
    spread = failed.std() * np.sqrt(failures) * random.standard_normal(number)
    return np.asarray(lengths + np.maximum(failures * failed.mean() + spread, failures * failed.min()), float)
