"""The blocks of a walk or a story as HTML: paragraphs, formulas that may break between their terms, tables, commands."""

from html import escape

from pipeline.walkthrough.formula import Part, Sign, mathml, pieces, read
from pipeline.walkthrough.text import Block, Equation, Literal, aligned, unequal


def element(block: Block, label: str) -> str:
    """A block as HTML; `label` says what a table belongs to."""
    if isinstance(block, Literal):
        return f"<pre><code>{escape(block)}</code></pre>"
    if isinstance(block, list):
        return f'<div class="equations">{"".join(map(equation, block))}</div>'
    if isinstance(block, dict):
        return table(block, label)
    return f"<p>{escape(block)}</p>"


def equation(line: Equation) -> str:
    """An equation: what it is of, and each side, cut where a line may end."""
    name, *sides = unequal(line)
    cut = [pieces(read(side)) for side in sides]
    inside = "".join(
        f'<span class="side">{"".join(piece(part, not at) for at, part in enumerate(side))}</span><wbr>' for side in cut
    )
    return f'<p class="equation"><math>{mathml(read(name))}</math>{inside}</p>'


def piece(parts: tuple[Part, ...], first: bool) -> str:
    """A piece of a side of an equation; the first stands after =."""
    if first:
        return f"<math><mo form='infix'>=</mo><mrow>{mathml(parts)}</mrow></math><wbr>"
    sign, rest = parts[0], parts[1:]
    assert isinstance(sign, Sign)
    operator = mathml((sign,)).replace("<mo>", "<mo form='infix'>")
    return f"<math>{operator}{mathml(rest)}</math><wbr>"


def table(columns: dict[str, list[str | float | None]] | Block, label: str) -> str:
    """A table with its numbers in line."""
    assert isinstance(columns, dict)
    numeric = {title: any(isinstance(cell, float) for cell in column) for title, column in columns.items()}
    kind = {title: ' class="number"' if is_number else "" for title, is_number in numeric.items()}
    head = "".join(f'<th scope="col"{kind[title]}>{escape(title)}</th>' for title in columns)
    rows = zip(*map(aligned, columns.values()), strict=True)
    body = "".join(
        f"<tr>{''.join(f'<td{kind[title]}>{escape(cell)}</td>' for title, cell in zip(columns, row, strict=True))}</tr>\n"
        for row in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>"
    )
