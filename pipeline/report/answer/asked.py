"""What was asked of a sweep: its axes, its runs, its starts."""

from pipeline.errors import printable
from pipeline.report.numbers import count
from pipeline.report.setting import as_value, listed
from pipeline.stats.sample import NESTED, is_number
from pipeline.stats.summary import Summary

MOST_VALUES = 4  # of an axis that are named; of more, how many there are
LONGEST = 60  # letters of all of them


def asked(summary: Summary) -> str:
    """The axes with their values, the number of runs and of starts."""
    runs = f"{count(len(summary), 'run')} from {count(summary.starts[1], 'start')}"
    axes = [axis for axis in summary.settings if summary.size(axis) > 1]
    if not axes:
        return f"Asked: does backpropagation converge, and how fast? {runs}."
    over = listed([_axis(summary, axis) for axis in axes])
    return f"Asked: where does backpropagation converge, and how fast, over {over}? {runs}."


def _axis(summary: Summary, axis: str) -> str:
    """An axis with its values, or with their number and their ends: learning_rate (7 values, 1 to 1000)."""
    values = summary.thresholds if axis == NESTED else summary.values(axis)
    texts = list(map(as_value, values))
    if len(texts) <= MOST_VALUES and len("".join(texts)) <= LONGEST:
        return printable(f"{axis} ({', '.join(texts)})")
    ends = f", {texts[0]} to {texts[-1]}" if all(map(is_number, values)) else ""
    return printable(f"{axis} ({len(texts):,} values{ends})")
