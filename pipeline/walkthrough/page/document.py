"""The page itself: sections that the template shows, in one file that loads nothing from outside."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from markupsafe import Markup

from pipeline.report.page.frame import environment, style
from pipeline.trials.trial import Trial
from pipeline.walkthrough.numbers import Walkthrough
from pipeline.walkthrough.page.drawing import svg
from pipeline.walkthrough.page.elements import element
from pipeline.walkthrough.page.steps import steps_of
from pipeline.walkthrough.text import Block, check_published, introduction

TEMPLATES = Path(__file__).parent / "templates"
ENVIRONMENT = environment(TEMPLATES)


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading, a drawing or none, and its elements; all HTML but the heading."""

    title: str
    drawing: Markup
    elements: Sequence[Markup]


def iteration_page(walk: Walkthrough, trial: Trial, ended: str | None) -> str:
    """The page of one iteration, step by step."""
    title, *setting = introduction(walk, trial, ended)
    tables = [block for block in setting if isinstance(block, dict)]
    words = [block for block in setting if not isinstance(block, dict)]
    steps = []
    for step in steps_of(walk):
        blocks = list(step.blocks(walk))
        if step.name == "forward":
            blocks += ["The weights, before the update:", *tables]
        steps.append(Section(step.title, Markup(svg(walk, step.name)), elements(blocks, step.title)))
    steps += sections_of(check_published(walk, trial))
    return render(str(title).lstrip("# "), elements(words, ""), steps, [])


def story_page(blocks: Iterable[Block], pictures: Iterable[tuple[str, Path]]) -> str:
    """The page of how a run ended, with pictures that are held in it; of each what it shows, and its file."""
    title, *rest = blocks
    first = next((at for at, block in enumerate(rest) if is_heading(block)), len(rest))
    after = sections_of(rest[first:])
    after += [Section(words, Markup(), [Markup(picture(words, path))]) for words, path in pictures]
    return render(str(title).lstrip("# "), elements(rest[:first], "The run"), [], after)


def picture(words: str, path: Path) -> str:
    """A picture that is held in the page."""
    kind = {".svg": "svg+xml"}.get(path.suffix, path.suffix[1:])
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img src="data:image/{kind};base64,{data}" alt="{escape(words)}">'


def sections_of(blocks: Iterable[Block]) -> list[Section]:
    """Blocks as sections, cut at their headings."""
    found: list[tuple[str, list[Block]]] = []
    for block in blocks:
        if isinstance(block, str) and block.startswith("## "):
            found.append((block.lstrip("# "), []))
        else:
            found[-1][1].append(block)
    return [Section(title, Markup(), elements(inside, title)) for title, inside in found]


def is_heading(block: Block) -> bool:
    """Does a section begin here?"""
    return isinstance(block, str) and block.startswith("## ")


def elements(blocks: Iterable[Block], label: str) -> list[Markup]:
    """Blocks as HTML, whose tables are told apart by their number."""
    return [Markup(element(block, f"{label}, table {at}")) for at, block in enumerate(blocks, 1)]


def render(title: str, setting: Sequence[Markup], steps: Sequence[Section], after: Sequence[Section]) -> str:
    """The page as HTML."""
    css, script = Markup(style(TEMPLATES / "page.css")), Markup((TEMPLATES / "page.js").read_text(encoding="utf-8"))
    template = ENVIRONMENT.get_template("page.html.jinja")
    return template.render(title=title, setting=setting, steps=steps, after=after, css=css, script=script) + "\n"
