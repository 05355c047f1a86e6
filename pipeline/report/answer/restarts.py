"""What of the cost is runs that failed, and what restarting earlier would save."""

import numpy as np

from pipeline.report.answer.candidates import Candidates
from pipeline.report.numbers import count, in_short, percent
from pipeline.stats.summary import Summary

LEAST_SAVED = 0.05  # that is worth a word


def restarts(summary: Summary, main: Candidates) -> str:
    """The share of the best setting's cost that is failed runs, and the restart cutoff with what it saves."""
    if not summary.settings:
        return ""
    row = summary.restarts.iloc[int(main.rows.index[0])]
    parts = []
    if row["given_up"] > 0:
        parts.append(f"{percent(row['given_up'])} of this cost is runs that did not converge")
    if np.isfinite(row["ert_restarted"]) and row["saves"] >= LEAST_SAVED:
        parts.append(
            f"if each run is given up after {count(int(row['cutoff']), 'epoch')} and another start taken, a success costs "
            f"about {in_short(row['ert_restarted'])}, {percent(row['saves'])} less (measured on starts that did not "
            "choose the cutoff)"
        )
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""
