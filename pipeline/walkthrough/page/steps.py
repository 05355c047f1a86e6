"""The steps of an iteration, in the order in which a teacher shows them: each with its heading, its words and its formulas."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.walkthrough.numbers import Walkthrough, connection, place, unit_name
from pipeline.walkthrough.text import (
    WEIGHT_UPDATE,
    Block,
    all_gradients,
    backward_lines,
    errors,
    factor,
    number,
    out,
    outputs,
    summed_gradient,
    update,
)


@dataclass(frozen=True)
class Step:
    """A step: its name, its heading, and what it is made of."""

    name: str
    title: str
    blocks: Callable[[Walkthrough], Iterator[Block]]


def output_deltas(walk: Walkthrough) -> Iterator[Block]:
    """The deltas of the output units."""
    yield (
        "The delta of a unit, ∂E/∂net, says how the error changes with the unit's net input. By the chain rule it is the "
        "product of two factors: how the error changes with the output, and how the output changes with the net input."
    )
    yield from deltas_of(walk, walk.network.layers)


def hidden_deltas(walk: Walkthrough) -> Iterator[Block]:
    """The deltas of the hidden units, from the last hidden layer down."""
    yield (
        "A hidden unit acts on the error through every unit above it. Its ∂E/∂out is the sum of their deltas, each times "
        "the weight between them, as it is before the update. That is what is propagated back."
    )
    for layer in range(walk.network.layers - 1, 0, -1):
        yield from deltas_of(walk, layer)


def deltas_of(walk: Walkthrough, layer: int) -> Iterator[Block]:
    """The deltas of a layer's units."""
    for unit in walk.shown_units(layer):
        yield backward_lines(unit, walk.keep(layer + 1)) if unit else "…"


def gradient(walk: Walkthrough) -> Iterator[Block]:
    """The gradient: of the chosen weight with all its factors, then of all weights."""
    network, name = walk.network, walk.weight
    layer, (index,), source = place(network, name)
    unit, below = walk.unit(layer, index), unit_name(network, layer - 1, source or 0)
    signal, derivative = unit.below[source or 0].signal, f"∂E/∂{name}"
    yield f"How much does {name} ({connection(network, name)}) change the error? By the chain rule:"
    yield [
        (derivative, " × ".join(title for title, _ in walk.chain(name))),
        (
            derivative,
            f"∂E/∂net {unit.name} × {out(below)}",
            f"{number(unit.delta)} × {factor(signal)}",
            number(walk.entry(walk.pattern_gradient, name)),
        ),
    ]
    yield from summed_gradient(walk)
    yield from all_gradients(walk)


STEPS = (
    Step("forward", "Forward pass", outputs),
    Step("error", "Total error", errors),
    Step("output_deltas", "Deltas of the outputs", output_deltas),
    Step("hidden_deltas", "Deltas of the hidden units", hidden_deltas),
    Step("gradient", "Gradient", gradient),
    Step("update", "Weight update", lambda walk: (block for block in update(walk) if block != WEIGHT_UPDATE)),
)


def steps_of(walk: Walkthrough) -> list[Step]:
    """The steps of a walk: a network without hidden units has no deltas of hidden units."""
    return [step for step in STEPS if step.name != "hidden_deltas" or walk.network.layers > 1]
