"""Which share of the runs converged, and how well the sample knows it."""

import math

from pipeline.backprop.status import STATUSES
from pipeline.report.numbers import count, percent
from pipeline.stats.summary import Summary


def share(summary: Summary) -> str:
    """How many converged, with the interval of the share and the effective number of runs; how many ended otherwise."""
    total = summary.by().to_dict("records")[0]
    text = f"{total['converged']:,} of {count(total['runs'], 'run')} converged ({percent(total['rate'])}"
    if math.isfinite(total["rate_low"]):
        text += f"; 95% interval {percent(total['rate_low'])} to {percent(total['rate_high'])}"
        independent = round(total["effective_runs"])
        if total["starts"] < total["runs"] and independent < total["runs"]:
            text += f"; {count(total['runs'], 'run')} from {count(int(total['starts']), 'start')}"
            text += f" say as much as {independent:,} independent {'one' if independent == 1 else 'ones'}"
    others = [f"{total[status]:,} {status}" for status in STATUSES[1:] if total[status]]
    return text + ")" + (f"; {', '.join(others)}" if others else "") + "."
