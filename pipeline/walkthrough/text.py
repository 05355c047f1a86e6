"""The walk in blocks, and these as plain text, and as Markdown with pictures.

A block is a text (a heading, if it begins with #, or lines as they are), equations, or the columns of a table by their titles.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.network import Network
from pipeline.trials.trial import InitialChoice, Trial
from pipeline.walkthrough import numbers as walkthrough
from pipeline.walkthrough.formula import latex, read
from pipeline.walkthrough.numbers import PARAMETERS, UNITS, Unit, Walkthrough, connection, few, place, unit_name

Equation = tuple[str, ...]  # sides that equal each other
Column = Sequence[str | float | None]  # None: rows are left out
Block = str | list[Equation] | dict[str, Column]

TERMS = 6  # of a sum, that are shown at most
WIDTH = 100
WEIGHT_UPDATE = "## 3. Weight update"
PICTURES = {"## 1. Forward pass": "forward", "## 2. Backward pass": "backward", WEIGHT_UPDATE: "update"}


class Literal(str):
    """Lines that are shown as they are, such as a command."""

    __slots__ = ()


def number(value: float) -> str:
    """Nine decimals, as in the published example; nine digits of a small number, ten of a large one."""
    if 1e-4 <= abs(value) < 1.0:
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return f"{value + 0.0:.{9 if abs(value) < 1.0 else 10}g}"


def factor(value: float) -> str:
    """A number after an operator."""
    return f"({number(value)})" if number(value).startswith("-") else number(value)


def added(count: int, term: Callable[[int], str], keep: int | None = None, most: int = TERMS) -> str:
    """A sum, with … for the terms that are left out of a long one."""
    terms = " + ".join("…" if index is None else term(index) for index in few(count, most, keep))
    return re.sub(r"^\((-[^)]*)\)", r"\1", terms)  # a number that comes first needs no brackets


def counted(count: int) -> str:
    """The number of terms of a sum that is not shown whole."""
    return f" ({count:,} terms)" if count > TERMS else ""


def out(unit: str) -> str:
    """A unit's output by name; an input needs no other."""
    return unit if unit.startswith("i") else f"out {unit}"


def each(items: Sequence[Any], cell: Callable[[Any], Any]) -> Column:
    """A column of a table, with the gaps of the items."""
    return [None if item is None else cell(item) for item in items]


def filled(formula: str, unit: Unit, value: float) -> Equation:
    """An activation's formula with the unit's name and with its numbers, and the value."""
    names = formula.format(net=f"net {unit.name}", out=f"out {unit.name}")
    numbers = formula.replace("-{net}", number(-unit.net)).format(net=number(unit.net), out=number(unit.output))
    return names, numbers, number(value)


def forward_lines(unit: Unit, keep: int | None) -> list[Equation]:
    """Net input and output."""
    below, bias, most = unit.below, unit.bias, TERMS - bool(unit.bias)
    symbols = added(len(below), lambda v: f"{below[v].weight} × {out(below[v].unit)}", keep, most)
    numbers = added(len(below), lambda v: f"{factor(below[v].value)} × {factor(below[v].signal)}", keep, most)
    if bias:
        symbols, numbers = f"{symbols} + {bias[0]}", f"{numbers} + {factor(bias[1])}"
    symbols += counted(len(below) + bool(bias))
    return [
        (f"net {unit.name}", symbols, numbers, number(unit.net)),
        (f"out {unit.name}", *filled(ACTIVATIONS[unit.activation].formula, unit, unit.output)),
    ]


def backward_lines(unit: Unit, keep: int | None) -> list[Equation]:
    """∂E/∂out, ∂out/∂net, and ∂E/∂net, their product."""
    name, above = unit.name, unit.above
    if unit.target is not None:
        symbols, numbers = f"-(target {name} - out {name})", f"-({number(unit.target)} - {factor(unit.output)})"
    else:
        symbols = added(len(above), lambda u: f"∂E/∂net {above[u].unit} × {above[u].weight}", keep)
        numbers = added(len(above), lambda u: f"{factor(above[u].signal)} × {factor(above[u].value)}", keep)
    by_output, slope, delta = f"∂E/∂out {name}", f"∂out {name}/∂net {name}", f"∂E/∂net {name}"
    product = f"{number(unit.error_by_output)} × {factor(unit.slope)}"
    return [
        (by_output, symbols + counted(len(above)), numbers, number(unit.error_by_output)),
        (slope, *filled(ACTIVATIONS[unit.activation].slope, unit, unit.slope)),
        (delta, f"{by_output} × {slope}", product, number(unit.delta)),
    ]


def introduction(walk: Walkthrough, trial: Trial, ended: str | None) -> Iterator[Block]:
    """The setting, and the numbers that the walk starts from."""
    network = walk.network
    kinds = dict.fromkeys(network.activations)
    units = f"{network.activation} hidden and {network.output_activation} output" if len(kinds) > 1 else "".join(kinds)
    biases = {"shared": "one bias for each layer", "per_unit": "a bias for each unit", "none": "no biases"}
    trained = "" if network.bias == "none" else ", trained too" if network.train_bias else ", not trained"
    momentum = f", momentum α = {number(trial.momentum)}" if trial.momentum else ""
    yield "# One iteration of backpropagation"
    yield (
        f"Task {trial.batch_key.task.name}, network {'-'.join(map(str, network.units))} with {units} units and "
        f"{biases[network.bias]}{trained}; learning rate η = {', '.join(map(number, trial.learning_rate))}{momentum}."
    )
    if walk.iteration > 1:
        yield f"This is iteration {walk.iteration:,}: the weights are those that the iterations before it have made."
    if walk.patterns > 1:
        how = "All patterns together make one update"
        if not walk.summed:
            how = "Each pattern updates the weights in its turn; this one meets those that the ones before it have made"
        yield f"Pattern {walk.pattern:,} of {walk.patterns:,} is followed. {how} (update={trial.batch_key.update})."
    if ended:
        yield f"Training itself would not make this iteration: it has {ended}."
    targets = walk.batch.targets[walk.pattern - 1]
    for title, layer, name, values in (("Inputs", 0, "i", walk.outputs[0]), ("Targets", network.layers, "o", targets)):
        shown = few(len(values), UNITS, walk.keep(layer))
        yield f"{title}: {', '.join('…' if u is None else f'{name}{u + 1} = {number(values[u])}' for u in shown)}."
    names = walk.shown_parameters(range(1, network.layers + 1), biases=True)
    values = each(names, partial(walk.entry, walk.old))
    yield {"weight": names, "from → to": each(names, partial(connection, network)), "value": values}
    if None in names or max(network.units) > UNITS:
        last = walkthrough.weights_before(network, network.layers + 1)
        yield (
            f"At most {UNITS} units and {PARAMETERS} weights of a layer are shown, and {TERMS} terms of a sum; … "
            f"stands for the rest. Any weight, w1 to w{last}, is shown by its name: explain.weight=w{last}."
        )


def forward_pass(walk: Walkthrough) -> Iterator[Block]:
    """Step 1."""
    yield "## 1. Forward pass"
    yield from outputs(walk)
    yield from errors(walk)


def outputs(walk: Walkthrough) -> Iterator[Block]:
    """Net input and output of each unit, layer by layer."""
    network = walk.network
    yield (
        f"Each unit adds up what comes in, times the weights{'' if network.bias == 'none' else ', and its bias'}: "
        "its net input. The activation function turns the net input into its output."
    )
    for layer in range(1, network.layers + 1):
        for unit in walk.shown_units(layer):
            yield forward_lines(unit, walk.keep(layer - 1)) if unit else "…"


def errors(walk: Walkthrough) -> Iterator[Block]:
    """The error of each output, of the pattern, and of all patterns."""
    network, top = walk.network, walk.network.layers
    yield "The error of an output is half its squared distance from the target:"
    lines: list[Equation] = []
    for unit in filter(None, walk.shown_units(top)):
        numbers = f"½ × ({number(unit.target or 0.0)} - {factor(unit.output)})²"
        lines.append((f"E {unit.name}", f"½ × (target {unit.name} - out {unit.name})²", numbers, number(unit.error or 0.0)))
    symbols = added(network.units[-1], lambda u: f"E o{u + 1}", walk.keep(top)) + counted(network.units[-1])
    numbers = added(network.units[-1], lambda u: number(walk.unit(top, u).error or 0.0), walk.keep(top))
    lines.append(("E" if walk.patterns > 1 else "E total", symbols, numbers, number(walk.pattern_error)))
    if walk.patterns > 1:
        numbers = added(walk.patterns, lambda p: number(walk.of_pattern(p + 1)[0]), walk.pattern - 1)
        lines.append(("E total", f"sum of E over {walk.patterns:,} patterns", numbers, number(walk.total_error)))
    yield lines


def backward_pass(walk: Walkthrough) -> Iterator[Block]:
    """Step 2, for the chosen weight."""
    network, name = walk.network, walk.weight
    layer, (index,), source = place(network, name)
    unit, chain = walk.unit(layer, index), walk.chain(name)
    error = f"the error E of pattern {walk.pattern:,}" if walk.patterns > 1 else "the total error E"
    yield "## 2. Backward pass"
    yield f"How much does {name} ({connection(network, name)}) change {error}? By the chain rule:"
    yield [(f"∂E/∂{name}", " × ".join(title for title, _ in chain))]
    if unit.above:
        yield (
            f"out {unit.name} acts on the error through every unit above it. "
            "Their deltas ∂E/∂net come first, from the outputs down:"
        )
        for upper in range(network.layers, layer, -1):
            for over in walk.shown_units(upper):
                yield backward_lines(over, walk.keep(upper + 1)) if over else "…"
        yield f"Now the three factors of ∂E/∂{name}:"
    title, value = chain[-1]
    below = out(unit_name(network, layer - 1, source or 0))
    yield [*backward_lines(unit, walk.keep(layer + 1))[:2], (title, below, number(value))]
    yield "Together:"
    numbers = " × ".join([number(chain[0][1]), *(factor(value) for _, value in chain[1:])])
    yield [(f"∂E/∂{name}", numbers, number(walk.entry(walk.pattern_gradient, name)))]
    yield from summed_gradient(walk)


def summed_gradient(walk: Walkthrough) -> Iterator[Block]:
    """The chosen weight's gradient as the sum over all patterns, where the update takes that."""
    if walk.summed:
        name = walk.weight
        yield "The update takes the gradient of the total error, the sum over all patterns:"
        numbers = added(walk.patterns, lambda p: factor(walk.entry(walk.of_pattern(p + 1)[1], name)), walk.pattern - 1)
        total = number(walk.entry(walk.gradient, name))
        yield [(f"∂E total/∂{name}", f"sum of ∂E/∂{name} over {walk.patterns:,} patterns", numbers, total)]


def all_gradients(walk: Walkthrough) -> Iterator[Block]:
    """Step 2, for all other parameters."""
    network, downwards = walk.network, range(walk.network.layers, 0, -1)
    yield (
        "All the others in the same way. A unit's delta ∂E/∂net is the product of its two factors; a weight's gradient "
        "is the delta of the unit that it leads to, times the output of the unit that it comes from"
        f"{'; of a bias, that output is 1' if network.train_bias else ''}:"
    )
    units = [unit for layer in downwards for unit in walk.shown_units(layer)]
    shown = {"unit": "name", "∂E/∂out": "error_by_output", "∂out/∂net": "slope", "∂E/∂net": "delta"}
    yield {title: each(units, attrgetter(field)) for title, field in shown.items()}
    names = walk.shown_parameters(downwards, network.train_bias)
    columns = {
        "weight": names,
        "from → to": each(names, partial(connection, network)),
        "delta × output": each(names, partial(product, walk)),
        "∂E/∂w": each(names, partial(walk.entry, walk.pattern_gradient)),
    }
    if walk.summed:
        columns["∂E total/∂w"] = each(names, partial(walk.entry, walk.gradient))
    yield columns


def product(walk: Walkthrough, name: str) -> str:
    """A gradient as delta times output; a bias's as its delta, or the sum of its deltas."""
    layer, units, source = place(walk.network, name)
    deltas = added(len(units), lambda u: factor(walk.deltas[layer - 1][units[u]]))
    return deltas if source is None else f"{deltas} × {factor(walk.outputs[layer - 1][source])}"


def update(walk: Walkthrough) -> Iterator[Block]:
    """Step 3."""
    network, name, momentum = walk.network, walk.weight, float(walk.batch.momentum[0])
    total = "∂E total" if walk.summed else "∂E"
    old, new = number(walk.entry(walk.old, name)), number(walk.entry(walk.new, name))
    step = f"{factor(walk.entry(walk.rates, name))} × {factor(walk.entry(walk.gradient, name))}"
    yield WEIGHT_UPDATE
    if momentum:
        yield "The velocity v, at first 0, keeps the part α of itself and takes a step against the gradient:"
        before, velocity = (walk.entry(array, name) for array in (walk.velocity_before, walk.velocity))
        yield [
            ("new v", f"α × v - η × {total}/∂{name}", f"{number(momentum)} × {factor(before)} - {step}", number(velocity)),
            (f"new {name}", f"{name} + new v", f"{old} + {factor(velocity)}", new),
        ]
    else:
        yield "Each weight takes a step against its gradient, η times as long:"
        yield [(f"new {name}", f"{name} - η × {total}/∂{name}", f"{old} - {step}", new)]
    names = walk.shown_parameters(range(network.layers, 0, -1), network.train_bias)
    columns = {"old": walk.old, f"{total}/∂w": walk.gradient}
    if len(set(walk.batch.learning_rate[:, 0])) > 1:
        columns["η"] = walk.rates
    if momentum:
        columns |= {"v": walk.velocity_before, "new v": walk.velocity}
    columns["new"] = walk.new
    yield {"weight": names} | {title: each(names, partial(walk.entry, array)) for title, array in columns.items()}
    if network.bias != "none" and not network.train_bias:
        yield "The biases are not trained: they stay as they are."
    one = f"E of pattern {walk.pattern:,} is {number(walk.pattern_error_after)} (it was {number(walk.pattern_error)}), "
    yield (
        f"With the new weights {one if walk.patterns > 1 else ''}the total error is {number(walk.total_error_after)} "
        f"(it was {number(walk.total_error)})."
    )


def lesson(walk: Walkthrough, trial: Trial, ended: str | None = None) -> Iterator[Block]:
    """The whole walk in words and numbers; `ended` says how training has ended, if it ends before this iteration."""
    yield from introduction(walk, trial, ended)
    for step in (forward_pass, backward_pass, all_gradients, update):
        yield from step(walk)
    yield from check_published(walk, trial)


def check_published(walk: Walkthrough, trial: Trial) -> Iterator[Block]:
    """The published numbers beside those of the walk, where it is the published one."""
    example = walk.network == Network((2, 2, 2)) and trial.initial == InitialChoice("published") and not trial.changes
    if example and trial.learning_rate == (0.5,) and walk.iteration == 1:
        names, values, here = zip(*walkthrough.published(walk), strict=True)
        yield "## The published numbers"
        yield (
            "M. Mazur's worked example (2015) gives these numbers, rounded. Its error after the update, 0.291027924, "
            f"comes from rounded intermediate values; it is {number(walk.total_error_after)}."
        )
        yield {"quantity": names, "published": values, "here": [f"{value:.12g}" for value in here]}


def aligned(column: Column) -> list[str]:
    """The texts of a column; numbers with the same decimals, unless one is too small for that."""
    numbers = [number(cell) for cell in column if isinstance(cell, float)]
    style = number
    if numbers and not any(set("ena") & set(text) for text in numbers):  # 1e-05, inf, nan
        decimals = max(len(text.partition(".")[2]) for text in numbers)
        style = f"{{:.{decimals}f}}".format
    return ["…" if cell is None else style(cell + 0.0) if isinstance(cell, float) else cell for cell in column]


def unequal(sides: Iterable[str]) -> list[str]:
    """The sides of an equation without those that are there before: nothing equals itself (E total = E o1 = 0.1 = 0.1)."""
    return list(dict.fromkeys(sides))


def equations(lines: list[Equation]) -> str:
    """Equations with = below =, each on one line or, if that is too long, with a line for each side."""
    rows, left = [], max(len(line[0]) for line in lines)
    for name, *sides in lines:
        sides = unequal(sides)
        if left + sum(len(side) + 3 for side in sides) <= WIDTH:
            sides = [" = ".join(sides)]
        for side in sides:
            unbroken = side.replace(" ", "\xa0").replace("\xa0+", " +")  # lines may break before a + alone
            start, indent = f"{name:<{left}} = ", " " * (left + 3)
            rows += textwrap.wrap(unbroken, WIDTH, initial_indent=start, subsequent_indent=indent)
            name = ""
    return "\n".join(rows).replace("\xa0", " ")


def plain_text(block: Block, width: int = WIDTH) -> str:
    """A block as plain text."""
    if isinstance(block, Literal):
        return textwrap.indent(block, "    ")
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
    return textwrap.fill(block, width)


def markdown(block: Block) -> str:
    """A block as Markdown; equations as LaTeX, commands as code."""
    if isinstance(block, Literal):
        return f"```sh\n{block}\n```"
    if isinstance(block, list):
        return "\n\n".join(f"$${' = '.join(latex(read(side)) for side in unequal(line))}$$" for line in block)
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
    from pipeline.report.figures.saving import save
    from pipeline.walkthrough.board import draw

    for block in blocks:
        yield block
        step = PICTURES.get(block) if isinstance(block, str) else None
        if step and (figure := draw(walk, step)):
            path = output.with_name(f"{output.stem}-{step}.svg")
            save(figure, path, png=False)
            yield f"![The network with the numbers of the {step} step]({quote(path.name)})"
