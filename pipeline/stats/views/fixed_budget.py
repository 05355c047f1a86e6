"""Fixed budget: the best error that so many epochs give."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.stats.sample import Sample
from pipeline.stats.trajectories import Curves, at_epochs, best_so_far, chosen_runs, quantile

SHARES = {"q25": 0.25, "median": 0.5, "q75": 0.75}


def fixed_budget(sample: Sample, curves: Curves, axis: str | None = None, values: Sequence[Any] | None = None) -> pd.DataFrame:
    """Quantiles of the lowest total error so far over the epochs, for each value of an axis (or those given).

    Columns the axis, epochs, runs (`chosen_runs`), and `SHARES`. At an epoch between two kept points the earlier one counts. A
    run that has ended keeps its best error: of one that converged it would have fallen further. Hansen et al.,
    arXiv:1605.03560 (2016), section "Fixed-Budget".
    """
    parts = []
    for value in [None] if axis is None else sample.values(axis) if values is None else values:
        rows = chosen_runs(sample, axis, value)
        if not len(rows):
            continue
        own = [(curve[0], best_so_far(curve)) for curve in curves.of(rows)]
        epochs = max((epochs for epochs, _ in own), key=lambda epochs: int(epochs[-1]))
        best = at_epochs(own, np.zeros(len(own), bool), epochs)
        table = pd.DataFrame({"epochs": epochs, "runs": len(rows)})
        for name, share in SHARES.items():
            table[name] = quantile(best, share)
        parts.append(table if axis is None else pd.concat([pd.Series([value] * len(table), name=axis), table], axis=1))
    return pd.concat(parts, ignore_index=True)
