"""Why runs did not converge: how many of which cause, and how many epochs more would do."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.backprop.causes.rules import FAR, Cause
from pipeline.stats.arrays import Floats
from pipeline.stats.sample import UNKNOWN, WORDS, Sample

QUARTILES = {"total_q1": 0.25, "total_median": 0.5, "total_q3": 0.75}


def counts(sample: Sample, by: Sequence[str] = ()) -> pd.DataFrame:
    """A row per combination of values of the axes `by`: runs, converged, and a column of runs for each cause that there is.

    Empty where no cause is known.
    """
    code = sample.cause
    present = np.unique(code[code != UNKNOWN])
    if not len(present):
        return pd.DataFrame()
    group, table = sample.groups(by)
    table["runs"] = np.bincount(group, minlength=len(table))
    table["converged"] = np.bincount(group, sample.event, len(table)).astype(int)
    for number in present:
        table[WORDS[number]] = np.bincount(group, code == number, len(table)).astype(int)
    return table


def causes(sample: Sample, by: Sequence[str] = ()) -> pd.DataFrame:
    """A row per cause in each combination of values of the axes `by`, the most frequent cause of all first.

    runs; of_failed, their share of the runs of that combination that did not converge; foreseen, how many of them have a
    `predicted` end; total_q1, total_median, total_q3: quartiles of the epochs that these would take in all, to two digits.
    Empty where no cause is known.
    """
    wide = counts(sample, by)
    if wide.empty:
        return pd.DataFrame()
    words = [word for word in WORDS if word in wide]
    words.sort(key=lambda word: -wide[word].sum())
    long = pd.DataFrame(
        {
            "group": np.repeat(np.arange(len(wide)), len(words)),
            "cause": np.tile(words, len(wide)),
            "runs": wide[words].to_numpy().ravel(),
        }
    )
    failed = (wide["runs"] - wide["converged"]).to_numpy()
    long["of_failed"] = long["runs"] / np.maximum(failed[long["group"]], 1)
    totals = predicted(sample)
    known = np.flatnonzero(np.isfinite(totals))
    foreseen = pd.Series(totals[known]).groupby(sample.groups(by)[0][known])
    descending = long["cause"] == Cause.DESCENDING.word
    long["foreseen"] = long["group"].map(foreseen.size()).where(descending).fillna(0).astype(int)
    for name, share in QUARTILES.items():
        in_short = foreseen.quantile(share).map(lambda epochs: float(f"{epochs:.2g}"))
        long[name] = long["group"].map(in_short).where(descending).astype(float)
    long = long[long["runs"] > 0]
    keys = wide[list(by)].iloc[long["group"].to_numpy()].reset_index(drop=True)
    return pd.concat([keys, long.drop(columns="group").reset_index(drop=True)], axis=1)


def predicted(sample: Sample) -> Floats:
    """The epochs (R,) in all after which each descending run would converge; NaN of others, and where there is a bound only."""
    names = ("cause_number", "cause_goal", "final_error")
    if not all(name in sample.results for name in names):
        return np.full(len(sample), np.nan)
    more, goal, error = (pd.to_numeric(sample.results[name]).to_numpy(float) for name in names)
    known = (sample.cause == WORDS.index(Cause.DESCENDING.word)) & np.isfinite(more) & (error <= FAR * goal)
    return np.where(known, sample.epochs + more, np.nan)
