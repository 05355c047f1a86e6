"""The same training by others: plain NumPy, JAX, PyTorch.

Float64, batch update, error and stopping test in every epoch. Each maker takes a Batch and gives a function that trains
all its runs to max_epochs and gives the error before the last step of each. What can be prepared (compiling, moving
arrays) is done before, and not timed. Parameters are split into weights[l]: (R, U, V) and biases[l]: (R, U).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch

Training = Callable[[], Any]


def split(batch: Batch) -> tuple[list[Array], list[Array]]:
    """weights[l]: (R, U, V), biases[l]: (R, U) of the initial parameters, biases repeated for each unit."""
    weights, biases = batch.network.split(batch.initial_parameters)
    runs = batch.initial_parameters.shape[1]
    widths = batch.network.units[1:]
    return (
        [np.ascontiguousarray(np.moveaxis(weight, -1, 0)) for weight in weights],
        [np.ascontiguousarray(np.broadcast_to(bias, (width, runs)).T) for bias, width in zip(biases, widths, strict=True)],
    )


def plain_numpy(batch: Batch) -> Training:
    """One run after the other, as a textbook's program does it: matrices, `@` and `np.exp`."""
    activations: dict[str, tuple[Any, Any]] = {
        "sigmoid": (lambda z: 1.0 / (1.0 + np.exp(-z)), lambda y: y * (1.0 - y)),
        "tanh": (np.tanh, lambda y: 1.0 - y * y),
        "identity": (lambda z: z, np.ones_like),
    }
    functions = [activations[name] for name in batch.network.activations]
    momentum = batch.momentum
    starts = split(batch)

    def one(run: int) -> float:
        weights, biases = ([array[run].copy() for array in arrays] for arrays in starts)
        velocity = [np.zeros_like(array) for array in (*weights, *biases)]
        error = np.inf
        for _ in range(batch.max_epochs):
            outputs = [batch.inputs]
            for weight, bias, (activation, _derivative) in zip(weights, biases, functions, strict=True):
                outputs.append(activation(outputs[-1] @ weight.T + bias))
            delta = outputs[-1] - batch.targets
            error = 0.5 * float((delta * delta).sum())
            if error <= batch.threshold[run]:
                break
            gradients: list[Any] = []
            for place in reversed(range(len(weights))):
                delta = delta * functions[place][1](outputs[place + 1])
                gradients.insert(0, (delta.T @ outputs[place], delta.sum(axis=0)))
                delta = delta @ weights[place]
            for place, (by_weight, by_bias) in enumerate(gradients):
                rate = batch.learning_rate[place, run]
                if batch.network.train_bias:
                    velocity[place] = momentum[run] * velocity[place] - rate * by_weight
                    velocity[len(weights) + place] = momentum[run] * velocity[len(weights) + place] - rate * by_bias
                    weights[place] += velocity[place]
                    biases[place] += velocity[len(weights) + place]
                else:
                    weights[place] -= rate * by_weight
        return error

    return lambda: [one(run) for run in range(batch.initial_parameters.shape[1])]


def jax_training(batch: Batch) -> Training:
    """One run's epoch by matrices, gradient by `jax.grad`, `vmap` over the runs, `jit` over all epochs."""
    import jax
    import jax.numpy as jnp

    untyped: Any = jax
    untyped.config.update("jax_enable_x64", True)
    functions = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "identity": lambda z: z}
    activations: list[Any] = [functions[name] for name in batch.network.activations]
    inputs, targets = jnp.asarray(batch.inputs), jnp.asarray(batch.targets)
    weights, biases = ([jnp.asarray(array) for array in arrays] for arrays in split(batch))
    trained = {"weights": weights, "biases": biases} if batch.network.train_bias else {"weights": weights}
    fixed = {} if batch.network.train_bias else {"biases": biases}
    rate, momentum, threshold = map(jnp.asarray, (batch.learning_rate[0], batch.momentum, batch.threshold))

    def error_of(parameters: Any, fixed: Any) -> Any:
        y = inputs
        layers = parameters | fixed
        for weight, bias, activation in zip(layers["weights"], layers["biases"], activations, strict=True):
            y = activation(y @ weight.T + bias)
        return 0.5 * jnp.sum((y - targets) ** 2)

    def epoch(parameters: Any, fixed: Any, velocity: Any, rate: Any, momentum: Any, threshold: Any) -> Any:
        error, gradient = jax.value_and_grad(error_of)(parameters, fixed)
        if velocity is None:
            step = jax.tree.map(lambda g: -rate * g, gradient)
        else:
            step = velocity = jax.tree.map(lambda v, g: momentum * v - rate * g, velocity, gradient)
        running = error > threshold
        return jax.tree.map(lambda w, v: jnp.where(running, w + v, w), parameters, step), velocity, error

    @jax.jit
    def run(parameters: Any) -> Any:
        velocity = jax.tree.map(jnp.zeros_like, parameters) if batch.network.train_bias else None
        start = (parameters, velocity, jnp.zeros(len(batch.momentum)))

        def turn(_: Any, state: Any) -> Any:
            return jax.vmap(epoch)(state[0], fixed, state[1], rate, momentum, threshold)

        return jax.lax.fori_loop(0, batch.max_epochs, turn, start)[2]

    return lambda: np.asarray(run(trained))


def torch_batched(batch: Batch) -> Training:
    """All runs at once by batched matrix products, the chain rule by hand."""
    import torch as library

    torch: Any = library
    initial_weights, initial_biases = ([torch.tensor(array) for array in arrays] for arrays in split(batch))
    runs = batch.initial_parameters.shape[1]
    inputs = torch.from_numpy(batch.inputs).expand(runs, -1, -1)
    targets, threshold = torch.from_numpy(batch.targets), torch.from_numpy(batch.threshold)
    rate, momentum = (torch.from_numpy(array)[:, None, None] for array in (batch.learning_rate[0].copy(), batch.momentum))
    functions = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "identity": lambda z: z}
    derivatives = {"sigmoid": lambda y: y * (1.0 - y), "tanh": lambda y: 1.0 - y * y, "identity": torch.ones_like}
    names = batch.network.activations

    def run() -> Any:
        weights, biases = ([array.clone() for array in arrays] for arrays in (initial_weights, initial_biases))
        velocity = [torch.zeros_like(array) for array in (*weights, *biases)]
        error = torch.zeros(runs)
        for _ in range(batch.max_epochs):
            outputs = [inputs]
            for weight, bias, name in zip(weights, biases, names, strict=True):
                outputs.append(functions[name](torch.baddbmm(bias[:, None], outputs[-1], weight.transpose(1, 2))))
            delta = outputs[-1] - targets
            error = 0.5 * (delta * delta).sum(dim=(1, 2))
            running = (error > threshold).double()[:, None, None]
            for place in reversed(range(len(weights))):
                delta = delta * derivatives[names[place]](outputs[place + 1])
                by_weight, by_bias = torch.bmm(delta.transpose(1, 2), outputs[place]), delta.sum(dim=1)
                delta = torch.bmm(delta, weights[place]) if place else delta
                if batch.network.train_bias:
                    velocity[place].mul_(momentum).sub_(rate * by_weight)
                    velocity[len(weights) + place].mul_(momentum[:, 0]).sub_(rate[:, 0] * by_bias)
                    weights[place] += running * velocity[place]
                    biases[place] += running[:, 0] * velocity[len(weights) + place]
                else:
                    weights[place] -= running * rate * by_weight
        return error

    def without_gradients() -> Any:
        with torch.no_grad():
            return run()

    return without_gradients
