"""What a sample cannot show, and how many starts could."""

from pipeline.report.numbers import count, in_short
from pipeline.stats.comparisons.paired_tests import smallest_p
from pipeline.stats.summary import Summary

UNREPLICATED = "There is one start only, so no interval and no test: another start may give another answer."


def limits(summary: Summary) -> str:
    """That there is no interval and no test; or that no difference can be shown, with the number of starts that could."""
    if not summary.replicated:
        return UNREPLICATED
    starts, needed = int(summary.by().loc[0, "starts"]), summary.starts_needed()
    if starts >= needed or not any(summary.size(axis) > 1 for axis in summary.settings):
        return ""
    smallest = in_short(smallest_p(starts))
    return (
        f"With {count(starts, 'start')} no difference between settings can be shown: the smallest possible p is {smallest}; "
        f"take {needed} or more."
    )
