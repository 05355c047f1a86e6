"""What changed from one sweep to another, in sentences."""

import numpy as np
import pandas as pd

from pipeline.errors import printable
from pipeline.report.numbers import count, in_short, percent
from pipeline.report.setting import valued
from pipeline.stats.comparisons.two_sweeps import changes, compare_axes

MOST_NAMED = 5  # changes in a sentence


def comparison_in_words(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """What changed between two sweeps, in a few sentences with their numbers."""
    text = "".join(
        printable(
            f"{row['axis']}: {row['only_before'] or 'nothing'} only before, {row['only_after'] or 'nothing'} only after. "
        )
        for row in changes(before, after).to_dict("records")
    )
    compared = compare_axes(before, after)
    if not len(compared):
        return f"{text}The sweeps have no runs in common."
    line = compared.iloc[0]
    text += (
        f"Of {count(int(line['pairs']), 'run')} that both have, {int(line['same']):,} ended the same; "
        f"{percent(line['rate_before'])} converged before, {percent(line['rate_after'])} after"
    )
    if np.isfinite(line["ratio"]) and line["ratio"] > 0 and (times := in_short(line["ratio"])) != "1":
        text += f", in {times} times the epochs (median of pairs)"
    named = [
        f"{row['change']} " + (f"at {valued(row['axis'], row['value'])}" if row["axis"] else "all in all")
        for row in compared[compared["change"] != ""].to_dict("records")
    ]
    if not named:
        return f"{text}. {_nothing(line)}"
    more = f"; and {len(named) - MOST_NAMED:,} more" if len(named) > MOST_NAMED else ""
    return f"{text}. Beyond chance: {'; '.join(named[:MOST_NAMED])}{more}."


def _nothing(line: pd.Series) -> str:
    """Why no change is named: none was found, or none can be."""
    if line["same"] == line["pairs"]:
        return "Nothing changed."
    if not np.isfinite(line["p_epochs"]):
        return "Both have one start in common, so there is no test of what changed."
    return "No change beyond chance is shown."
