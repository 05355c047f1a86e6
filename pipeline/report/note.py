"""The description of a sweep on its MLflow page, in Markdown: the answer, a link to the report, a picture, the main table."""

from collections.abc import Sequence
from typing import Any

from pipeline.report.answer import answer
from pipeline.report.tables import JUDGEMENTS, as_markdown, markdown_text
from pipeline.stats.summary import Summary

PICTURES = ("rate_map", "cost", "survival")  # the first that there is
REPORT = (
    "[The report](#/experiments/{}/runs/{}/artifacts/report.html?workflowType=machine_learning)"  # relative to MLflow's page
)
PICTURE = "![](get-artifact?path=figures/{}.png&run_uuid={})"
WIDE = (*JUDGEMENTS, "starts", "effective_runs", "ert_high_seen", "q1", "q3", "edge")  # the page cuts what is wider than it is
LONGEST = 5_000  # characters of a tag, in every version of MLflow


def note(summary: Summary, page: tuple[str, str] | None = None, figures: Sequence[str] = (), **origin: Any) -> str:
    """The description; `page`: the experiment and run id that it is for, without which it has no links; `figures`: names.

    A page folds all but the first lines, so the link is in the first paragraph. What would be too long is left out.
    """
    first, *more = [as_code(text) for text in answer(summary, **origin)]
    best = summary.best
    title = "Lowest expected running time (ert: epochs per success), by threshold" if "threshold" in best else "Best setting"
    table = [f"{title}:\n\n{as_markdown(best.drop(columns=[name for name in best if name in WIDE]))}"] if len(best) else []
    parts = [f"{first} {link(page)}", *more, *picture(page, figures), *table]
    parts.append("More in the artifacts: `report.html`, `figures/`, `summary/`.")
    while len("\n\n".join(parts)) > LONGEST and len(parts) > 1:
        del parts[-2 if len(parts) > 2 else -1]
    return "\n\n".join(parts)[:LONGEST]


def as_code(paragraph: str) -> str:
    """A paragraph as Markdown, a command as the code that it is."""
    if paragraph.startswith("python -m ") and "`" not in paragraph and paragraph.isprintable():
        return f"`{paragraph}`"
    return markdown_text(paragraph)


def link(page: tuple[str, str] | None) -> str:
    """Where the report is."""
    return f"{REPORT.format(*page) if page else 'The report, `report.html`,'} has figures that one can look into."


def picture(page: tuple[str, str] | None, figures: Sequence[str]) -> list[str]:
    """The figure that shows the answer, if there is one."""
    found = [name for name in PICTURES if name in figures]
    return [PICTURE.format(found[0], page[1])] if page and found else []
