"""What a sample cannot show, and how many starts could."""

from pipeline.report.numbers import count, in_short
from pipeline.stats.comparisons.paired_tests import smallest_p
from pipeline.stats.summary import Summary

UNREPLICATED = "There is one start only, so no interval and no test: another start may give another answer."


def enough_starts(summary: Summary) -> bool:
    """Whether a test can show anything."""
    return summary.replicated and summary.starts[1] >= summary.starts_needed()


def limits(summary: Summary) -> str:
    """That there is no interval and no test; or that no difference can be shown, with the number of starts that could."""
    if not summary.replicated:
        return UNREPLICATED
    if enough_starts(summary) or not any(summary.size(axis) > 1 for axis in summary.settings):
        return ""
    starts = summary.starts[1]
    return (
        f"With {count(starts, 'start')} no difference between settings can be shown: the smallest possible p is "
        f"{in_short(smallest_p(starts))}; take {summary.starts_needed()} or more."
    )
