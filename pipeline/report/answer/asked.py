"""What was asked of a sweep: its axes, its runs, its starts."""

from pipeline.errors import as_override, printable
from pipeline.report.numbers import count
from pipeline.report.setting import listed
from pipeline.stats.sample import is_number
from pipeline.stats.summary import Summary

MOST_VALUES = 4  # of an axis that are named; of more, how many there are
LONGEST = 60  # letters of all of them


def asked(summary: Summary) -> str:
    """The axes with their values, the number of runs and of starts."""
    starts = int(summary.by(intervals=True).loc[0, "starts"])
    runs = f"{count(len(summary), 'run')} from {count(starts, 'start')}"
    axes = [axis for axis in summary.settings if summary.size(axis) > 1]
    if not axes:
        return f"Asked: does it converge, and how fast? {runs}."
    return f"Asked: where does it converge, and how fast, over {listed([_axis(summary, axis) for axis in axes])}? {runs}."


def _axis(summary: Summary, axis: str) -> str:
    """An axis with its values, or with their number and their ends: learning_rate (7 values, 1 to 1000)."""
    values = summary.values(axis)
    texts = [as_override(value) for value in values]
    if len(texts) <= MOST_VALUES and len("".join(texts)) <= LONGEST:
        return printable(f"{axis} ({', '.join(texts)})")
    ends = f", {texts[0]} to {texts[-1]}" if all(map(is_number, values)) else ""
    return printable(f"{axis} ({len(texts):,} values{ends})")
