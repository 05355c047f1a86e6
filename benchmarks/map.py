"""A map by another's method: Sohl-Dickstein's (2024) of two learning rates, run in JAX, and the same runs here.

J. Sohl-Dickstein, "The boundary of neural network trainability is fractal" (arXiv 2402.06184): a 16-16-1 tanh net without
biases, 272 random patterns, 500 steps, each pixel with learning rates of its own for the two layers. Its net has factors in
front of the layers and the mean of the squares for its loss; here the weights have the factors and half the sum of the squares
is the error, so that its rates times 4 ÷ (P·n) and 2 ÷ (P·n²) give the same training. It calls a run converged if its last 20
losses are on average below the first; here a run that did not diverge and ends below its first error counts as such.

Letters: R runs, P patterns, n units, S steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import alternate, lowest_and_median, show
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch, BatchResult
from pipeline.backprop.engines import engine
from pipeline.backprop.network import Network
from pipeline.backprop.status import Status
from pipeline.maps.axis import Axis
from pipeline.maps.rounding import other_orders

SIZE, UNITS, STEPS, LAST = 64, 16, 500, 20
PATTERNS = UNITS * UNITS + UNITS
MOST = 1e6  # times the first loss: what the method takes a larger loss for
RATES = "1e-3", "1e6"  # of both layers, logarithmic
ROUNDS = 2
TOGETHER = 128  # runs in JAX: twice as fast as all 4,096 at once


def main() -> None:
    """Compares the signs of both, explains where they differ, and times both by turns."""
    try:
        import jax  # noqa: F401
    except ImportError:
        print("map: left out, it needs jax")
        return
    first, second, inputs, targets = start()
    rates = np.meshgrid(Axis("1", *RATES, "log", SIZE).values, Axis("2", *RATES, "log", SIZE).values)
    by_layer = np.stack([rate.ravel() for rate in rates])  # (2, R)
    batch = batch_of(first, second, inputs, targets, by_layer)
    in_jax = method(inputs, targets)
    kept: dict[str, Any] = {}
    seconds = alternate(
        {
            "JAX": lambda: kept.update(jax=in_jax(first, second, by_layer)),
            "here": lambda: kept.update(here=engine("compiled")(batch, None, None, None)),
        },
        ROUNDS,
    )
    rows = []
    for name in seconds:
        lowest, median = lowest_and_median(seconds[name], 1.0)
        rows.append({"by": name, "lowest s": lowest, "median s": median, "times as fast": min(seconds["JAX"]) / lowest})
    show("map", rows)
    losses, back = kept["jax"], in_jax(first[:, ::-1], second[::-1], by_layer)
    show("map_agreement", [agreement(batch, kept["here"], losses, back)])


def start() -> tuple[Array, Array, Array, Array]:
    """Weights (n, n) and (n, 1), inputs (P, n), targets (P, 1)."""
    random = np.random.default_rng(0)
    shapes = (UNITS, UNITS), (UNITS, 1), (PATTERNS, UNITS), (PATTERNS, 1)
    first, second, inputs, targets = (random.normal(size=shape) for shape in shapes)
    return first, second, inputs, targets


def batch_of(first: Array, second: Array, inputs: Array, targets: Array, rates: Array) -> Batch:
    """The same runs here, of rates (2, R)."""
    runs = rates.shape[1]
    parameters = np.concatenate([(first.T * np.sqrt(2 / UNITS)).ravel(), (second.T / UNITS).ravel()])
    factors = np.array([4 / (PATTERNS * UNITS), 2 / (PATTERNS * UNITS**2)])
    return Batch(
        Network((UNITS, UNITS, 1), "tanh", "identity", bias="none"),
        inputs,
        targets,
        np.repeat(parameters[:, None], runs, axis=1),
        rates * factors[:, None],
        np.zeros(runs),
        np.arange(runs),
        np.zeros(runs),
        max_epochs=STEPS - 1,
        curve_points=2,
    )


def method(inputs: Array, targets: Array) -> Any:
    """A function that gives the losses (R, S) before each step, of weights and rates (2, R)."""
    import jax
    import jax.numpy as jnp

    untyped: Any = jax
    untyped.config.update("jax_enable_x64", True)

    def loss(weights: Any) -> Any:
        first, second = weights
        hidden = jnp.tanh(jnp.sqrt(2 / UNITS) * (inputs @ first))
        return jnp.mean((hidden @ second / UNITS - targets) ** 2)

    def one(weights: Any, rates: Any) -> Any:
        def step(weights: Any, _: Any) -> Any:
            value, gradient = jax.value_and_grad(loss)(weights)
            return tuple(w - rate * g for w, rate, g in zip(weights, rates, gradient, strict=True)), value

        return jax.lax.scan(step, weights, None, STEPS)[1]

    trained = jax.jit(jax.vmap(one, (None, 0)))

    def losses(first: Array, second: Array, rates: Array) -> Array:
        weights = jnp.asarray(first), jnp.asarray(second)
        parts = [rates[:, place : place + TOGETHER] for place in range(0, rates.shape[1], TOGETHER)]
        return np.concatenate([np.asarray(trained(weights, tuple(part))) for part in parts])

    return losses


def converged(losses: Array) -> NDArray[np.bool_]:
    """The method's sign, by the losses (R, S)."""
    with np.errstate(over="ignore", invalid="ignore"):
        relative = np.where(np.isfinite(losses), losses, MOST * losses[:, :1]) / losses[:, :1]
        found: NDArray[np.bool_] = np.minimum(relative, MOST)[:, -LAST:].mean(axis=1) < 1
    return found


def fell(result: BatchResult) -> NDArray[np.bool_]:
    """The sign here: what did not diverge and ends below its first error."""
    return (result.status != Status.DIVERGED) & (result.final_error < result.curve_errors[0])


def agreement(batch: Batch, here: BatchResult, losses: Array, other_order: Array) -> dict[str, Any]:
    """How many signs agree, and why the others do not, each counted under the first reason that holds.

    Stopped: diverged here, 10⁶ times above the first error, and the method lets it come back. Rounding: one of the two gives
    the other sign when the hidden units are put in reverse order, or here the patterns. Average: by their last 20 errors the
    signs agree.
    """
    theirs, ours = converged(losses), fell(here)
    differing = np.flatnonzero(theirs != ours)
    part = batch.columns(differing)
    highest = np.nanmax(np.where(np.isfinite(losses[differing]), losses[differing], np.inf), axis=1)
    stopped = (here.status[differing] == Status.DIVERGED) & theirs[differing] & (highest > MOST * losses[differing, 0])
    flips = converged(other_order)[differing] != theirs[differing]
    for other in other_orders(part).values():
        flips |= fell(engine("compiled")(other, None, None, None)) != ours[differing]
    rounding = ~stopped & flips
    whole = engine("compiled")(replace(part, curve_points=STEPS), None, None, None)
    average = ~stopped & ~rounding & (converged(whole.curve_errors.T) == theirs[differing])
    return {
        "runs": len(theirs),
        "agree": len(theirs) - len(differing),
        "agree %": 100 * float((theirs == ours).mean()),
        "stopped": int(stopped.sum()),
        "rounding": int(rounding.sum()),
        "average": int(average.sum()),
        "not explained": int((~stopped & ~rounding & ~average).sum()),
    }


if __name__ == "__main__":
    main()
