"""Where nothing converged: the lowest errors that were reached, and what to try."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.backprop.status import STATUSES
from pipeline.errors import as_override
from pipeline.report.answer.failures.causes import advice, sorted_counts
from pipeline.report.numbers import in_short
from pipeline.report.setting import named
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary

MOST_NAMED, MOST_TRIED = 3, 2
REMEDIES = {
    "exhausted": "a larger max_epochs",
    "diverged": "a smaller learning_rate",
    "stationary": "other starts or more hidden units",
}


def none_converged(summary: Summary, threshold: Any = None) -> str:
    """The lowest final errors, each of another setting, and what may help; of the runs with that threshold, or of all."""
    mine = summary.having(NESTED if threshold is not None else None, threshold)
    tried = [*remedies(summary, mine), "a higher threshold"]
    where = f"At threshold {as_override(threshold)} no run converged. " if threshold is not None else ""
    lowest = _lowest(summary, mine)
    reached = f"The lowest error reached is {', then '.join(lowest)}. " if lowest else ""
    return f"{where}{reached}To try: {'; '.join(tried[:-1])}; or {tried[-1]}."


def remedies(summary: Summary, mine: np.ndarray) -> list[str]:
    """What may help: with the causes of most of these runs (R,), or with how they ended where no cause is known."""
    if causes := sorted_counts(summary, mine):
        return list(dict.fromkeys(advice(summary, cause, mine) for cause in causes))[:MOST_TRIED]
    ended = np.bincount(summary.status[mine], minlength=len(STATUSES))
    return [REMEDIES[status] for status in REMEDIES if ended[STATUSES.index(status)]]


def _lowest(summary: Summary, mine: np.ndarray) -> list[str]:
    """The lowest errors, each with the setting that reached it."""
    if "final_error" not in summary.results:
        return []
    axes = [axis for axis in summary.settings if axis != NESTED and summary.size(axis) > 1]
    group, keys = summary.groups(axes)
    errors = pd.to_numeric(summary.results["final_error"]).to_numpy(float)
    known = mine & np.isfinite(errors)
    found = pd.Series(errors[known]).groupby(group[known]).min().sort_values(kind="stable")[:MOST_NAMED]
    texts = {setting: named(keys.loc[setting], axes) for setting in found.index}
    return [f"{in_short(error)}{f' with {texts[setting]}' if texts[setting] else ''}" for setting, error in found.items()]
