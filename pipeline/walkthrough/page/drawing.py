"""The network with the numbers of one step, as SVG that takes its colours from the page.

Of a layer with many units only some are drawn, and then only the chosen weight has its number.
"""

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import hypot

from pipeline.walkthrough.layout import RADIUS, Board, short
from pipeline.walkthrough.numbers import Walkthrough, bias_name, few, unit_name, weight_name

UNIT = 74  # pixels, for one of the board's units
MOST_UNITS, MOST_LABELLED = 5, 25  # of a layer that are drawn; weights between two layers that have numbers
SMALLEST = 0.8  # of its size, to which a drawing shrinks before one must scroll
BACKWARD = ("output_deltas", "hidden_deltas")  # steps in which signals go from the outputs down


Slots = list[int | None]


@dataclass(frozen=True)
class Drawing:
    """A walk, a step of it by name, and where which units are: `slots[l]` has the indices of a layer's units, None a gap."""

    walk: Walkthrough
    step: str
    slots: list[Slots]
    board: Board

    @classmethod
    def of(cls, walk: Walkthrough, step: str) -> "Drawing":
        """The drawing of a step."""
        slots = [few(size, MOST_UNITS, walk.keep(layer)) for layer, size in enumerate(walk.network.units)]
        most = max((len(upper) for lower, upper in pairwise(slots) if are_labelled(lower, upper)), default=0) + 1
        room = 1.95 if walk.network.bias == "per_unit" else 1.65  # a bias stands below its unit, beside the weights' labels
        return cls(walk, step, slots, Board(tuple(map(len, slots)), max(4.8, room * most), max(2.4, 0.55 * most)))

    def at(self, layer: int, slot: int) -> tuple[float, float]:
        """The middle of a unit, in pixels."""
        x, y = self.board.spot(layer, slot)
        return self.pixels(x, y)

    def pixels(self, x: float, y: float) -> tuple[float, float]:
        """A point of the board in pixels; the board counts upwards."""
        return (x + 1.2) * UNIT, (self.top - y) * UNIT

    @property
    def top(self) -> float:
        """The height of the drawing's upper edge."""
        return self.board.top + (0.4 if self.walk.network.bias == "shared" else -0.4)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = (
            self.board.across * self.walk.network.layers + 4.3,
            self.top + self.board.top + (0.1 if self.walk.network.bias == "per_unit" else -0.3),
        )
        return round(width * UNIT), round(height * UNIT)

    def name(self, layer: int, slot: int) -> str | None:
        """A unit's name; None of a gap."""
        index = self.slots[layer][slot]
        return None if index is None else unit_name(self.walk.network, layer, index)

    def speaks(self, layer: int) -> bool:
        """Do the units of a layer have a part in the step?"""
        top = self.walk.network.layers
        first = {"error": top, "output_deltas": top, "hidden_deltas": 1}.get(self.step, 0)
        return first <= layer


def svg(walk: Walkthrough, step: str) -> str:
    """The drawing of a step as an SVG element; it is said what it shows."""
    drawing = Drawing.of(walk, step)
    width, height = drawing.size
    parts = [
        part for layer in range(1, walk.network.layers + 1) for part in (*weights(drawing, layer), *biases(drawing, layer))
    ]
    parts += [
        part for layer, slots in enumerate(drawing.slots) for slot in range(len(slots)) for part in unit(drawing, layer, slot)
    ]
    inside = "\n".join(sorted(parts, key=lambda part: part.startswith("<text")))  # lines first
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" style="--smallest: {round(SMALLEST * width)}px"'
    return f'<svg {size} role="img" aria-label="{escape(said(walk, step))}">\n{inside}\n</svg>'


def said(walk: Walkthrough, step: str) -> str:
    """What a drawing shows, for those who do not see it; all its numbers are in the formulas and tables below it."""
    what = {
        "forward": "the weights and the outputs of all units",
        "error": f"the outputs, their targets and the error, {short(walk.pattern_error)}",
        "output_deltas": "the deltas of the output units",
        "hidden_deltas": "the deltas of the hidden units, and the weights through which they come",
        "gradient": f"the derivative of the error by each weight; {walk.weight} is marked",
        "update": "each weight before and after the update",
    }[step]
    return f"The network {'-'.join(map(str, walk.network.units))}: {what}. The numbers are also in the text below."


def weights(drawing: Drawing, layer: int) -> list[str]:
    """The lines between two layers, with their numbers."""
    walk, parts, slots = drawing.walk, list[str](), drawing.slots
    labelled = are_labelled(slots[layer - 1], slots[layer])
    for up, index in enumerate(slots[layer]):
        for down, source in enumerate(slots[layer - 1]):
            if index is None or source is None:
                continue
            name = weight_name(walk.network, layer, index, source)
            chosen = name == walk.weight and drawing.step == "gradient"
            ends = drawing.at(layer - 1, down), drawing.at(layer, up)
            kind = "chosen" if chosen else "quiet" if not uses_weights(drawing, layer) else ""
            parts.append(arrow(*(ends[::-1] if drawing.step in BACKWARD else ends), kind))
            if (labelled or chosen) and uses_weights(drawing, layer):
                middle = (ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2
                place = drawing.pixels(*drawing.board.label(layer, up, down)) if labelled else middle
                parts.append(text(*place, parameter(walk, name, drawing.step), "chosen" if chosen else ""))
    return parts


def are_labelled(lower: Slots, upper: Slots) -> bool:
    """Have the weights between two layers room for their numbers?"""
    return None not in (*lower, *upper) and len(lower) * len(upper) <= MOST_LABELLED


def uses_weights(drawing: Drawing, layer: int) -> bool:
    """Have the weights below a layer a part in the step?"""
    return drawing.step in ("forward", "gradient", "update") or (drawing.step == "hidden_deltas" and layer > 1)


def biases(drawing: Drawing, layer: int) -> list[str]:
    """A shared bias above its layer, with lines to the units; a unit's own bias below the unit."""
    walk = drawing.walk
    network, step = walk.network, drawing.step
    if network.bias == "none" or step not in ("forward", "gradient", "update"):
        return []
    if network.bias == "shared":
        x, y = drawing.pixels(drawing.board.across * (layer - 0.42), drawing.board.top)
        fed = [drawing.at(layer, slot) for slot, index in enumerate(drawing.slots[layer]) if index is not None]
        lines = [line((x, y), end, "bias") for end in fed]
        return [*lines, text(x, y, bias(walk, bias_name(network, layer, 0), step), "soft")]
    found = []
    for slot, index in enumerate(drawing.slots[layer]):
        if index is not None:
            x, y = drawing.at(layer, slot)
            lower = RADIUS + (0.3 if step == "update" else 0.62)
            found.append(text(x, y + lower * UNIT, bias(walk, bias_name(network, layer, index), step), "soft"))
    return found


def bias(walk: Walkthrough, name: str, step: str) -> str:
    """A bias's label."""
    return parameter(walk, name, step) if walk.network.train_bias or step == "forward" else f"{name}: not trained"


def parameter(walk: Walkthrough, name: str, step: str) -> str:
    """A weight or bias: its value, its derivative, or its value before and after."""
    old = short(walk.entry(walk.old, name))
    if step == "gradient":
        return f"∂E/∂{name} = {short(walk.entry(walk.pattern_gradient, name))}"
    return f"{name}: {old} → {short(walk.entry(walk.new, name))}" if step == "update" else f"{name} = {old}"


def unit(drawing: Drawing, layer: int, slot: int) -> list[str]:
    """A circle with the unit's name and number, and what else belongs to it below and beside it."""
    name = drawing.name(layer, slot)
    x, y = drawing.at(layer, slot)
    index = drawing.slots[layer][slot]
    if name is None or index is None:
        return [text(x, y, "⋮", "gap")]
    kind = "input" if not layer else "unit"
    parts = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS * UNIT:.1f}" class="{kind}{"" if drawing.speaks(layer) else " quiet"}"/>'
    ]
    inside, below, beside = labels(drawing, layer, index)
    parts.append(text(x, y - (9 if inside else 0), name, "name"))
    parts += [text(x, y + 10, inside)] if inside else []
    parts += [text(x, y + (RADIUS + 0.25) * UNIT, below)] if below else []
    parts += [
        text(x + (RADIUS + 0.15) * UNIT, y + 9 - 18 * (len(beside) - 1 - number), line, "left")
        for number, line in enumerate(beside)
    ]
    return parts


def labels(drawing: Drawing, layer: int, index: int) -> tuple[str, str, list[str]]:
    """What stands inside a unit, below it, and beside it."""
    walk, step, top = drawing.walk, drawing.step, drawing.walk.network.layers
    output = short(float(walk.outputs[layer][index]))
    if step == "update":
        return "", "", []
    if not layer:
        return output, "", []
    numbers = walk.unit(layer, index)
    if step == "forward":
        return output, f"net {short(numbers.net)}", []
    if step == "error":
        beside = [f"target {short(numbers.target or 0.0)}", f"E {numbers.name} = {short(numbers.error or 0.0)}"]
        return output, "", beside if layer == top else []
    if step == "output_deltas" and layer < top:
        return output, "", []
    delta, factors = f"δ {short(numbers.delta)}", (short(numbers.error_by_output), short(numbers.slope))
    if step == "gradient":
        return delta, f"out {output}" if layer < top else "", []
    if layer == top:
        return delta, "", [f"∂E/∂out {factors[0]}", f"∂out/∂net {factors[1]}"] if step == "output_deltas" else []
    return delta, " · ".join(factors), []


Point = tuple[float, float]


def arrow(start: Point, end: Point, kind: str) -> str:
    """An arrow from the edge of one unit to the edge of another."""
    length = hypot(end[0] - start[0], end[1] - start[1])
    x, y = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    far, head = RADIUS * UNIT, 9
    tip = end[0] - x * far, end[1] - y * far
    foot = tip[0] - x * head, tip[1] - y * head
    sides = " ".join(f"{foot[0] + s * 4 * y:.1f},{foot[1] - s * 4 * x:.1f}" for s in (1, -1))
    shaft = f"M{start[0] + x * far:.1f},{start[1] + y * far:.1f}L{foot[0]:.1f},{foot[1]:.1f}"
    given = f' class="{kind}"' if kind else ""
    return f'<g{given}><path d="{shaft}"/><polygon points="{tip[0]:.1f},{tip[1]:.1f} {sides}"/></g>'


def line(start: Point, end: Point, kind: str) -> str:
    """A line from a point to the edge of a unit."""
    length = hypot(end[0] - start[0], end[1] - start[1])
    x, y = (to - (to - by) / length * RADIUS * UNIT for to, by in zip(end, start, strict=True))
    return f'<path class="{kind}" d="M{start[0]:.1f},{start[1]:.1f}L{x:.1f},{y:.1f}"/>'


def text(x: float, y: float, written: str, kind: str = "") -> str:
    """A label, centred unless it is `left`."""
    given = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{given}>{escape(written)}</text>'
