"""What a sweep says, in sentences; and numbers for reading."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.backprop.status import STATUSES
from pipeline.stats.convergence import INTERVALS, _counted, best_settings, settings_of
from pipeline.stats.two_sweeps import changes, compare_axes


def in_words(results: pd.DataFrame) -> str:
    """The answer in a sentence or two, with its numbers."""
    total = results["status"].value_counts().reindex(STATUSES, fill_value=0)
    text = f"{total['converged']:,} of {count(len(results), 'run')} converged ({total['converged'] / len(results):.0%})"
    others = [f"{total[status]:,} {status}" for status in STATUSES[1:] if total[status]]
    text += (f"; {', '.join(others)}" if others else "") + "."
    best = best_settings(results)
    if len(best) and len(settings_of(results)):
        final = best.iloc[-1]
        setting = [f"{axis}={in_short(final[axis])}" for axis in settings_of(results) if axis != "threshold"]
        goal = f"Down to threshold {in_short(final['threshold'])}" if "threshold" in best else "Here"
        if setting:
            text += (
                f" {goal}, {' '.join(setting)} costs least: {in_short(final['ert'])} epochs per success"
                f" ({int(final['converged'])} of {count(int(final['runs']), 'run')} converged)."
            )
        elif "threshold" in best:
            text += f" {goal}, a success costs {in_short(final['ert'])} epochs."
    for axis in settings_of(results):
        _, table = _counted(results, [axis])
        lowest, highest = table.iloc[table["rate"].argmin()], table.iloc[table["rate"].argmax()]
        if lowest["rate"] < highest["rate"]:
            text += (
                f" The rate goes from {lowest['rate']:.0%} at {axis}={in_short(lowest[axis])}"
                f" to {highest['rate']:.0%} at {axis}={in_short(highest[axis])}."
            )
    return text


def count(number: int, word: str) -> str:
    """1 run, 2 runs."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def in_short(value: Any) -> str:
    """A number for reading: at most four significant digits, thousands separated; infinite is «not reached»."""
    if isinstance(value, bool | np.bool_ | str) or not isinstance(value, int | float | np.integer | np.floating):
        return str(value)
    number = float(value)
    if np.isnan(number):
        return "null"
    if np.isinf(number):
        return "not reached"
    if number == int(number) and abs(number) < 1e15:
        return f"{int(number):,}"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its numbers as text."""
    shown = table.map(in_short)
    for column in table.columns.intersection(list(INTERVALS)):
        shown.loc[table[column].isna(), column] = "–"
    for column in table.columns.intersection(["rate", "rate_low", "rate_high"]):
        shown[column] = table[column].map("{:.0%}".format)
    return shown


MOST_NAMED = 5  # changes in a sentence


def comparison_in_words(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """What changed between two sweeps, in a few sentences with their numbers."""
    table = changes(before, after)
    text = "".join(
        f"{row['axis']}: {row['only_before'] or 'nothing'} only before, {row['only_after'] or 'nothing'} only after. "
        for row in table.to_dict("records")
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
    changed = compared[compared["change"] != ""]
    where = [
        f"at {row['axis']}={in_short(row['value'])}" if row["axis"] else "all in all" for row in changed.to_dict("records")
    ]
    said = [f"{change} {place}" for place, change in zip(where, changed["change"], strict=True)]
    more = f"; and {len(said) - MOST_NAMED:,} more" if len(said) > MOST_NAMED else ""
    return (
        f"{text}. Beyond chance: {'; '.join(said[:MOST_NAMED])}{more}." if said else f"{text}. Nothing changed beyond chance."
    )
