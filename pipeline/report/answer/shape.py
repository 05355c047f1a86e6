"""What each axis does to the cost of a success, where a test shows it."""

from pipeline.errors import printable
from pipeline.report.answer.limits import enough_starts
from pipeline.report.setting import listed, valued
from pipeline.stats.comparisons.paired_tests import ALPHA
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary

WORDS = {"rising": "rises", "falling": "falls", "valley inside": "falls and then rises", "peak inside": "rises and then falls"}
MOST_NAMED = 3  # pairs of values of an axis whose cost goes no such way


def shapes(summary: Summary) -> str:
    """A clause for each axis but the threshold; the axes of which nothing is shown are named together."""
    axes = [axis for axis in summary.settings if axis != NESTED and summary.size(axis) > 1]
    if not enough_starts(summary):
        return ""  # `limits` says so
    shown, sentences, hidden = [], [], []
    for axis in axes:
        if (shape := summary.shape(axis)) in WORDS:
            shown.append(f"{WORDS[shape]} with {axis}")
        elif differing := _pairs(summary, axis):
            sentences.append(f"{differing}.")
        else:
            hidden.append(axis)
    beside = f"{', other axes taken together' if len(axes) > 1 else ''}"
    if shown:
        sentences.insert(0, f"Along the values tried{beside}, the cost of a success {listed(shown)}.")
    if hidden:
        sentences.append(f"No effect of {listed(hidden, 'or')} on the cost of a success is shown.")
    return printable(" ".join(sentences))


def _pairs(summary: Summary, axis: str) -> str:
    """Which values of an axis cost less than which, as far as it is shown."""
    table = summary.paired(axis)
    table = table[(table["p_ert_adjusted"] < ALPHA) & (table["ert_first"] != table["ert_second"])]
    texts = []
    for row in table.sort_values("p_ert_adjusted", kind="stable").head(MOST_NAMED).to_dict("records"):
        less, more = ("first", "second") if row["ert_first"] < row["ert_second"] else ("second", "first")
        texts.append(f"{valued(axis, row[less])} costs less than {valued(axis, row[more])}")
    rest = [f"{len(table) - MOST_NAMED:,} more pairs of its values differ"] if len(table) > MOST_NAMED else []
    return listed([*texts, *rest])
