"""Fixed target: what it costs to reach an error, for any error down to the one at which the runs stopped."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Floats
from pipeline.stats.costs.running_times import expected_running_time
from pipeline.stats.sample import NESTED, Sample
from pipeline.stats.trajectories import Curves, best_so_far, chosen_runs

MOST_RUNS, TARGETS = 400, 60  # of an axis value; targets, log-spaced


def fixed_target(sample: Sample, curves: Curves, axis: str | None = None, values: Sequence[Any] | None = None) -> pd.DataFrame:
    """The ERT of each value of an axis (or those given) down to each target of the total error, from `chosen_runs`.

    Columns the axis, target, runs, reached, ert, ert_from. A run reaches a target at the first kept point of its curve that is
    at most the target; curves are kept at log-spaced epochs, so it may have done so earlier, at the earliest one epoch after
    the point before: `ert` takes the later, `ert_from` the earliest. (An error that rises again between two kept points goes
    unseen.) A run that does not reach it costs all its epochs. Targets go from the median error at the start to the least
    that all runs that converged have passed: below that, nothing is known of them, as they stopped; the thresholds between
    are targets, too. Hansen et al., arXiv:1605.03560 (2016), section "Fixed-Target"; one curve for each value instead of one
    budget. Empty where there are no such targets.
    """
    asked = [None] if axis is None else sample.values(axis) if values is None else values
    chosen = [chosen_runs(sample, axis, value, MOST_RUNS) for value in asked]
    rows = np.concatenate(chosen)
    kept = dict(zip(rows.tolist(), curves.of(rows), strict=True))
    best = {row: best_so_far(curve) for row, curve in kept.items()}
    first = float(np.median([errors[0] for errors in best.values()])) if best else np.inf
    ends = np.array([best[row][-1] for row in rows.tolist()])
    last = float(ends[sample.event[rows]].max()) if sample.event[rows].any() else float(ends.min(initial=np.inf))
    last = max(last, 1e-300)
    if not np.isfinite(first) or not last < first:
        return pd.DataFrame(columns=[*([axis] if axis else []), "target", "runs", "reached", "ert", "ert_from"])
    goals = [goal for goal in sample.values(NESTED) if last <= goal <= first] if NESTED in sample.axes else []
    targets = np.unique(np.append(np.geomspace(first, last, TARGETS)[1:-1], [first, last, *goals]))[::-1]
    parts = []
    for value, own in zip(asked, chosen, strict=True):
        spent, earliest, reached = np.zeros((3, len(targets)))
        for row in own.tolist():
            late, early, there = crossings(kept[row][0], best[row], targets)
            spent, earliest, reached = spent + late, earliest + early, reached + there
        table = pd.DataFrame({"target": targets, "runs": len(own), "reached": reached.astype(int)})
        table["ert"], table["ert_from"] = (expected_running_time(epochs, reached) for epochs in (spent, earliest))
        parts.append(table if axis is None else pd.concat([pd.Series([value] * len(table), name=axis), table], axis=1))
    return pd.concat(parts, ignore_index=True)


def crossings(epochs: Floats, best: Floats, targets: Floats) -> tuple[Floats, Floats, Floats]:
    """Epochs that a run spends on each target (T,), at most and at least, and whether it reaches it; `best` (K,) is falling."""
    point = np.searchsorted(-best, -targets, "left")
    reached = point < len(best)
    late = epochs[np.minimum(point, len(best) - 1)].astype(float)
    early = np.where(point > 0, epochs[np.maximum(np.minimum(point, len(best)) - 1, 0)] + 1.0, late)
    return late, np.where(reached, np.minimum(early, late), late), reached.astype(float)
