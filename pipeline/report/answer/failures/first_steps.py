"""At which learning rates the step is too long from the start, where the sweep's own runs agree."""

from pipeline.errors import as_override
from pipeline.report.numbers import count, in_short, percent
from pipeline.report.setting import listed, valued
from pipeline.stats.sample import NESTED
from pipeline.stats.starts.first_steps import RATE, TOO_LONG
from pipeline.stats.summary import Summary

MOST_NAMED = 3  # rates, the highest first


def first_steps_in_words(summary: Summary) -> str:
    """The share of runs with too long first steps at the rates where that explains failures, and how many of them converged."""
    table = summary.first_steps
    if table.empty or not table["explains"].any():
        return ""
    shown = table[table["explains"]].sort_values(RATE, ascending=False, kind="stable")
    parts = [
        f"{percent(row['too_long'] / row['runs'])} of the runs with {valued(RATE, row[RATE])} "
        f"({row['converged_of_long']:,} of these {row['too_long']:,} converged)"
        for row in shown.head(MOST_NAMED).to_dict("records")
    ]
    if len(shown) > MOST_NAMED:
        parts.append(f"more at {count(len(shown) - MOST_NAMED, 'lower rate')}")
    first = table.iloc[0]
    looked, at = int(table["runs"].sum()), summary.thresholds[-1]
    where = "" if at is None or summary.size(NESTED) == 1 else f", at threshold {as_override(at)}"
    return (
        f"At the start the step is too long (K* above {in_short(TOO_LONG)}) in {listed(parts)}; of the runs below that, at any "
        f"learning rate, {first['converged_of_others']:,} of {first['others']:,} converged "
        f"({count(looked, 'run')} looked at{where})."
    )
