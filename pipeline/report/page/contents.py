"""The sections of a sweep's report, in the order in which one reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.report.answer import answer
from pipeline.report.numbers import count
from pipeline.report.page.configuration import TELLING, Configuration, fixed, values
from pipeline.report.page.explorer import explorer
from pipeline.report.page.glossary import METHOD, QUESTION, meanings
from pipeline.report.page.pictures import images
from pipeline.report.page.tables import Table, all_settings, causes, comparisons, main_tables
from pipeline.stats.summary import Summary
from pipeline.stats.trajectories import Curves

# a title, and what the template shows of: lead, paragraphs, note, explorer, tables, figures, pairs, glossary, code
Section = dict[str, Any]


def sections(
    summary: Summary,
    configuration: Configuration,
    figures: Mapping[Path, str],
    environment: Mapping[str, str],
    command: str,
    curves: Curves | None = None,
    notes: Sequence[str] = (),
    by: Sequence[str] = (),
) -> list[Section]:
    """The sections of a sweep's report; one in which there is nothing to show is left out.

    `notes`: what is left out; `by`: the axes of the first table.
    """
    axes, same = summary.axes, fixed(summary, configuration)
    product = " × ".join(f"{axis} ({summary.size(axis):,})" for axis in axes)
    design = f"{count(len(summary), 'run')}{': ' if axes else ''}{product}."
    telling = " ".join(f"{key}={value}" for key, value in same if key in TELLING)
    note = f"{design} Held fixed: {telling}." if telling else design
    error_goals = dict(same).get("criterion", "total_error") == "total_error" and "criterion" not in axes
    found = main_tables(summary, by), causes(summary), comparisons(summary), all_settings(summary)
    tables = [list(some) for some in found]
    reasons, compared, whole = tables[1:]
    parts: list[Section] = [
        {"title": "Answer", "lead": notes, "paragraphs": answer(summary, command, configuration=configuration), "note": note},
        {"title": "Look into it", "explorer": explorer(summary, curves, error_goals)},
        {"title": "Tables", "tables": tables[0]},
        {"title": "Figures", "figures": list(images(figures))},
        {"title": "Why runs did not converge", "tables": reasons},
        {"title": "Comparisons", "tables": compared},
        {"title": "All settings", "tables": whole},
        {"title": "Configuration", "pairs": [*((axis, values(summary, axis)) for axis in axes), *same]},
        {"title": "How it was computed", "paragraphs": (QUESTION, *METHOD)},
        {"title": "Glossary", "glossary": meanings(columns([table for some in tables for table in some]))},
        {"title": "Make it again", "note": "This command trains the same runs, bit by bit.", "code": command},
        {"title": "Versions", "pairs": list(environment.items())},
    ]
    return [part for part in parts if any(content for name, content in part.items() if name not in ("title", "lead", "note"))]


def columns(tables: list[Table]) -> set[str]:
    """The names of all columns."""
    return {name for table in tables for name, _ in table.columns}
