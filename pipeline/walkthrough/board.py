"""The network as a teacher draws it on the board: its units, its weights, and the numbers of one step beside them."""

import textwrap
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.report.figures.drawing import BLUE, ORANGE
from pipeline.report.figures.style import styled
from pipeline.walkthrough.layout import RADIUS, Board, short
from pipeline.walkthrough.numbers import Walkthrough, bias_name, unit_name, weight_name

STEPS = ("forward", "backward", "update")
MOST_UNITS, MOST_LAYERS = 5, 4  # more units of a layer, or layers of weights, have no room for their numbers
INK, QUIET = "0.1", "0.45"


@styled
def draw(walk: Walkthrough, step: str) -> Figure | None:
    """The picture of a step, one of STEPS, else ValueError is raised; None for a network that is too large to be drawn."""
    if step not in STEPS:
        raise ValueError(f"step={step}: must be one of {', '.join(STEPS)}")
    units = walk.network.units
    if max(units) > MOST_UNITS or walk.network.layers > MOST_LAYERS:
        return None
    most = max(units[1:]) + 1
    board = Board(units, max(4.8, (1.3 if step == "forward" else 1.65) * most), max(2.4, 0.55 * most))
    top = board.top if walk.network.bias == "shared" else board.top - 0.8
    bottom = board.top - 0.1
    width, height = board.across * walk.network.layers + 4.0, top + bottom + 0.4
    figure = Figure(figsize=(width * 0.72, height * 0.72 + 0.8), layout="constrained")
    plot = figure.subplots()
    plot.set_axis_off()
    plot.set_aspect("equal")
    plot.set_xlim(-1.2, board.across * walk.network.layers + 2.8)
    plot.set_ylim(-bottom, top + 0.4)
    for layer in range(1, walk.network.layers + 1):
        weights(plot, board, walk, layer, step)
        biases(plot, board, walk, layer, step)
    for layer, size in enumerate(units):
        for index in range(size):
            unit(plot, board, walk, layer, index, step)
    lines = list(headline(walk, step))
    lines = [lines[0], *(part for line in lines[1:] for part in textwrap.wrap(line, int(width * 8)))]
    figure.suptitle("\n".join(lines), fontsize=10.5)
    return figure


def in_symbols(formula: str) -> str:
    """An activation's formula for any unit, as it is written on a board."""
    return formula.format(net="net", out="out").replace("(out)", "out").replace("-", "−").replace("×", "·")


def headline(walk: Walkthrough, step: str) -> Iterator[str]:
    """What the step does, and its result."""
    pattern = f", pattern {walk.pattern} of {walk.patterns}" if walk.patterns > 1 else ""
    kinds = dict.fromkeys(walk.network.activations)
    if step == "forward":
        yield f"Forward pass{pattern}"
        functions = ";   ".join(f"{kind}: out = {in_symbols(ACTIVATIONS[kind].formula)}" for kind in kinds)
        yield f"net = Σ weight · out of the layer below + bias;   {functions}"
        yield f"E = Σ ½ (target − out)² = {short(walk.pattern_error)}"
    elif step == "backward":
        yield f"Backward pass{pattern}"
        slopes = ";   ".join(f"{kind}: ∂out/∂net = {in_symbols(ACTIVATIONS[kind].slope)}" for kind in kinds)
        yield f"δ = ∂E/∂net = ∂E/∂out · ∂out/∂net;   {slopes}"
        yield "∂E/∂out = out − target of an output, Σ weight · δ of the layer above of a hidden unit"
        yield f"∂E/∂weight = δ · out of the layer below ({walk.weight} in colour)"
    else:
        rates = ", ".join(map(short, dict.fromkeys(walk.batch.learning_rate[:, 0].tolist())))
        momentum = float(walk.batch.momentum[0])
        total = "summed over all patterns" if walk.summed else f"of pattern {walk.pattern}" if walk.patterns > 1 else ""
        yield "Weight update"
        velocity = f" + {short(momentum)} · last step" if momentum else ""
        yield f"new weight = weight − η · ∂E/∂weight{velocity},   η = {rates}{f',   ∂E/∂weight {total}' if total else ''}"
        yield f"total error {short(walk.total_error)} → {short(walk.total_error_after)}"


def weights(plot: Axes, board: Board, walk: Walkthrough, layer: int, step: str) -> None:
    """The lines between two layers with their numbers."""
    for index in range(board.units[layer]):
        for source in range(board.units[layer - 1]):
            name = weight_name(walk.network, layer, index, source)
            below, above = board.spot(layer - 1, source), board.spot(layer, index)
            start, end = (above, below) if step == "backward" else (below, above)
            chosen = step == "backward" and name == walk.weight
            colour, width = (ORANGE, 1.8) if chosen else ("0.6", 1.0)
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
            far = np.subtract(end, start) / np.hypot(*np.subtract(end, start)) * RADIUS
            plot.annotate("", np.subtract(end, far), np.add(start, far), arrowprops=arrow)
            write(plot, *board.label(layer, index, source), parameter(walk, name, step), ORANGE if chosen else INK)


def biases(plot: Axes, board: Board, walk: Walkthrough, layer: int, step: str) -> None:
    """A shared bias as a box above its layer, with lines to the units; a unit's own bias below the unit."""
    kind = walk.network.bias
    for index in range({"none": 0, "shared": 1, "per_unit": board.units[layer]}[kind]):
        name = bias_name(walk.network, layer, index)
        text = parameter(walk, name, step) if walk.network.train_bias or step == "forward" else f"{name}: not trained"
        if kind == "per_unit":
            x, y = board.spot(layer, index)
            write(plot, x, y - RADIUS - (0.62 if step != "update" else 0.28), text, QUIET)
            continue
        x, y = board.across * (layer - 0.42), board.top
        for fed in range(board.units[layer]):
            to = np.array(board.spot(layer, fed))
            way = (to - (x, y)) / np.hypot(*(to - (x, y)))
            plot.plot(*zip((x, y), to - way * RADIUS, strict=True), color="0.8", linewidth=0.9, zorder=0.5)
        write(plot, x, y, text, QUIET, boxed=True)


def parameter(walk: Walkthrough, name: str, step: str) -> str:
    """A weight or bias: its value, its derivative, or its value before and after."""
    if step == "forward":
        return f"{name} = {short(walk.entry(walk.old, name))}"
    if step == "backward":
        return f"∂E/∂{name} = {short(walk.entry(walk.pattern_gradient, name))}"
    return f"{name}: {short(walk.entry(walk.old, name))} → {short(walk.entry(walk.new, name))}"


def unit(plot: Axes, board: Board, walk: Walkthrough, layer: int, index: int, step: str) -> None:
    """A circle with the unit's name and number, and what else belongs to it beside it."""
    x, y = board.spot(layer, index)
    name = unit_name(walk.network, layer, index)
    numbers = walk.unit(layer, index) if layer else None
    chosen = step == "backward" and walk.keep(layer) == index
    edge = ORANGE if chosen else BLUE if layer else QUIET
    plot.add_patch(Circle((x, y), RADIUS, facecolor="white", edgecolor=edge, linewidth=1.8, zorder=3))
    inside = "" if step == "update" else short(float(walk.outputs[layer][index]))
    if numbers and step == "backward":
        inside = f"δ {short(numbers.delta)}"
    plot.text(x, y + (0.13 if inside else 0), name, ha="center", va="center", fontsize=10, fontweight="bold", zorder=4)
    plot.text(x, y - 0.2, inside, ha="center", va="center", fontsize=7.5, zorder=4)
    if numbers and step != "update":
        forward, target = step == "forward", short(numbers.target or 0.0)
        below = f"net {short(numbers.net)}" if forward else f"{short(numbers.error_by_output)} · {short(numbers.slope)}"
        write(plot, x, y - RADIUS - 0.25, below, INK)
        if layer == walk.network.layers:
            error, output = f"E {name} = {short(numbers.error or 0.0)}", f"out {short(numbers.output)}"
            beside = f"target {target}\n{error}" if forward else f"{output}\ntarget {target}"
            plot.text(x + RADIUS + 0.2, y, beside, ha="left", va="center", fontsize=8.5, linespacing=1.4)


def write(plot: Axes, x: float, y: float, text: str, colour: str, boxed: bool = False) -> None:
    """A label that the lines below do not shine through."""
    edge = {"edgecolor": QUIET, "linewidth": 1.0} if boxed else {"edgecolor": "none"}
    plot.text(x, y, text, ha="center", va="center", fontsize=8, color=colour, zorder=5,
              bbox={"boxstyle": "round,pad=0.35" if boxed else "round,pad=0.12", "facecolor": "white", **edge})  # fmt: skip
