"""The results of a sweep in sentences."""

import numpy as np
import pandas as pd

from pipeline.backprop.status import STATUSES
from pipeline.errors import printable
from pipeline.report.numbers import count, in_short
from pipeline.stats.comparisons.two_sweeps import changes, compare_axes
from pipeline.stats.summary import Summary

MOST_NAMED = 5  # changes in a sentence


def in_words(summary: Summary) -> str:
    """The answer in a sentence or two, with its numbers."""
    total = summary.by(intervals=False).to_dict("records")[0]
    text = f"{total['converged']:,} of {count(total['runs'], 'run')} converged ({total['rate']:.0%})"
    others = [f"{total[status]:,} {status}" for status in STATUSES[1:] if total[status]]
    text += (f"; {', '.join(others)}" if others else "") + "."
    if len(summary.best):
        best = summary.best.to_dict("records")[-1]  # the setting of lowest ert at the lowest threshold
        goal = f"Down to threshold {in_short(best['threshold'])}" if "threshold" in best else "Here"
        setting = " ".join(f"{in_short(axis)}={in_short(best[axis])}" for axis in summary.settings if axis != "threshold")
        if setting:
            text += f" {goal}, {setting} costs least: {in_short(best['ert'])} epochs per success"
            text += f" ({int(best['converged'])} of {count(int(best['runs']), 'run')} converged)."
        else:
            text += f" {goal}, a success costs {in_short(best['ert'])} epochs."
    for axis in summary.settings:
        table = summary.by(axis, intervals=False)
        lowest, highest = table.iloc[table["rate"].argmin()], table.iloc[table["rate"].argmax()]
        if lowest["rate"] < highest["rate"]:
            text += (
                f" The rate goes from {lowest['rate']:.0%} at {in_short(axis)}={in_short(lowest[axis])}"
                f" to {highest['rate']:.0%} at {in_short(axis)}={in_short(highest[axis])}."
            )
    return text


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
        f"{line['rate_before']:.0%} converged before, {line['rate_after']:.0%} after"
    )
    if np.isfinite(line["ratio"]) and line["ratio"] != 1:
        text += f", in {in_short(line['ratio'])} times the epochs (median of pairs)"
    named = [
        f"{row['change']} " + (f"at {in_short(row['axis'])}={in_short(row['value'])}" if row["axis"] else "all in all")
        for row in compared[compared["change"] != ""].to_dict("records")
    ]
    if not named:
        return f"{text}. Nothing changed beyond chance."
    more = f"; and {len(named) - MOST_NAMED:,} more" if len(named) > MOST_NAMED else ""
    return f"{text}. Beyond chance: {'; '.join(named[:MOST_NAMED])}{more}."
