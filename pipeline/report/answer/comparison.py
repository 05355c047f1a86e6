"""What changed from one sweep to another, in sentences."""

import numpy as np
import pandas as pd

from pipeline.errors import printable
from pipeline.report.numbers import count, in_short, percent
from pipeline.report.setting import valued
from pipeline.stats.comparisons.paired_tests import ALPHA, starts_needed
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
    text += _outcome(compared.iloc[0])
    named = [
        f"{row['change']} " + (f"at {valued(row['axis'], row['value'])}" if row["axis"] else "all in all")
        for row in compared[compared["change"] != ""].to_dict("records")
    ]
    if not named:
        return f"{text}. {_nothing(compared.iloc[0])}"
    more = f"; and {len(named) - MOST_NAMED:,} more" if len(named) > MOST_NAMED else ""
    return f"{text}. Beyond chance: {'; '.join(named[:MOST_NAMED])}{more}."


def _outcome(line: pd.Series) -> str:
    """What became of the runs that both have or, without such, of the settings."""
    rates = f"{percent(line['rate_before'])} converged before, {percent(line['rate_after'])} after"
    if not line["pairs"]:
        return f"From different starts of the same settings {rates}"
    text = f"Of {count(int(line['pairs']), 'run')} that both have, {int(line['same']):,} ended the same; {rates}"
    if np.isfinite(line["ratio"]) and (times := in_short(line["ratio"])) not in ("0", "1"):
        text += f", in {times} times the epochs (median of pairs)"
    return text


def _nothing(line: pd.Series) -> str:
    """Why no change is named: there is none, or none is shown, or none can be."""
    if line["pairs"] and line["same"] == line["pairs"]:
        return "Nothing changed."
    if not np.isfinite(line["smallest_p"]):
        return "Without two starts there is no test, so what of it is chance cannot be told."
    if line["smallest_p"] > ALPHA:
        smallest, needed = in_short(line["smallest_p"]), f"take {starts_needed()} or more" if line["pairs"] else "take more"
        starts = count(int(line["starts"]), "start")
        return f"With {starts} no change can be shown: the smallest possible p is {smallest}; {needed}."
    return "No change is shown beyond chance."
