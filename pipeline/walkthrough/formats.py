"""The walk's blocks as plain text, and as Markdown with pictures."""

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from pipeline.walkthrough.numbers import Walkthrough
from pipeline.walkthrough.text import PICTURES, WIDTH, Block, Column, Equation, number


def aligned(column: Column) -> list[str]:
    """The texts of a column; numbers with the same decimals, unless one is too small for that."""
    numbers = [number(cell) for cell in column if isinstance(cell, float)]
    style = number
    if numbers and not any(set("ena") & set(text) for text in numbers):  # 1e-05, inf, nan
        decimals = max(len(text.partition(".")[2]) for text in numbers)
        style = f"{{:.{decimals}f}}".format
    return ["…" if cell is None else style(cell + 0.0) if isinstance(cell, float) else cell for cell in column]


def equations(lines: list[Equation]) -> str:
    """Equations with = below =, each on one line or, if that is too long, with a line for each side."""
    rows, left = [], max(len(line[0]) for line in lines)
    for name, *sides in lines:
        sides = list(dict.fromkeys(sides))  # nothing equals itself: E total = E o1 = 0.1 = 0.1
        if left + sum(len(side) + 3 for side in sides) <= WIDTH:
            sides = [" = ".join(sides)]
        for side in sides:
            unbroken = side.replace(" ", "\xa0").replace("\xa0+", " +")  # lines may break before a + alone
            start, indent = f"{name:<{left}} = ", " " * (left + 3)
            rows += textwrap.wrap(unbroken, WIDTH, initial_indent=start, subsequent_indent=indent)
            name = ""
    return "\n".join(rows).replace("\xa0", " ")


def plain_text(block: Block) -> str:
    """A block as plain text."""
    if isinstance(block, list):
        return textwrap.indent(equations(block), "    ")
    if isinstance(block, dict):
        columns = []
        for title, column in block.items():
            texts = [title, *aligned(column)]
            adjust = str.rjust if any(isinstance(cell, float) for cell in column) else str.ljust
            columns.append([adjust(text, max(map(len, texts))) for text in texts])
        return "\n".join("    " + "   ".join(row).rstrip() for row in zip(*columns, strict=True))
    if block.startswith("#"):
        title = block.lstrip("# ")
        return f"{title}\n{('=' if block.startswith('# ') else '-') * len(title)}"
    return textwrap.fill(block, WIDTH)


def markdown(block: Block) -> str:
    """A block as Markdown; equations as code."""
    if isinstance(block, list):
        return f"```text\n{equations(block)}\n```"
    if isinstance(block, dict):
        columns = []
        for title, column in block.items():
            rule = "---:" if any(isinstance(cell, float) for cell in column) else "---"
            columns.append([title, rule, *aligned(column)])
        return "\n".join(f"| {' | '.join(row)} |" for row in zip(*columns, strict=True))
    return block


FORMATS = {"text": plain_text, "markdown": markdown}


def with_pictures(blocks: Iterable[Block], walk: Walkthrough, output: Path) -> Iterator[Block]:
    """The blocks with the network, if it is not too large, drawn below each step's heading, as SVG files beside `output`."""
    from pipeline.report.figures.files import save
    from pipeline.walkthrough.board import draw

    for block in blocks:
        yield block
        step = PICTURES.get(block) if isinstance(block, str) else None
        if step and (figure := draw(walk, step)):
            path = output.with_name(f"{output.stem}-{step}.svg")
            save(figure, path, png=False)
            yield f"![The network with the numbers of the {step} step]({quote(path.name)})"
