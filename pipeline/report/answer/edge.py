"""Whether the best value of an axis may lie beyond those that were tried."""

import pandas as pd

from pipeline.errors import as_override, printable
from pipeline.report.answer.candidates import Candidates
from pipeline.report.setting import listed


def edge(main: Candidates) -> str:
    """At which ends of axes the best setting lies, and at which others those that are not ruled out (where there is a test)."""
    cheapest = main.rows.iloc[: 1 + len(main.equal)]
    best = [end for end in _ends(main, cheapest) if cheapest[end[0]].nunique() == 1]
    sentences = [f"The best {axis} is the {word} tried ({value}); the optimum may lie beyond." for axis, word, value in best]
    others = [
        f"the {word} {axis} tried ({value})"
        for axis, word, value in (_ends(main, main.remaining) if main.tested else [])
        if (axis, word, value) not in best
    ]
    if others:
        verb = "is" if len(others) == 1 else "are"
        sentences.append(f"Not ruled out {verb} {listed(others)}, so the optimum may lie beyond.")
    return printable(" ".join(sentences))


def _ends(main: Candidates, rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """The ends of axes at which some of these rows lie: the axis, smallest or largest, its value."""
    edges = set(",".join(rows["edge"]).split(","))
    found = []
    for axis in (axis for axis in main.axes if axis in edges):
        for word, value in (("smallest", main.rows[axis].min()), ("largest", main.rows[axis].max())):
            if (rows[axis] == value).any():
                found.append((axis, word, as_override(value)))
    return found
