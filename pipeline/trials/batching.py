"""Trials become batches: arrays of everything in which the trials of one shape differ."""

from collections.abc import Sequence

import numpy as np

from pipeline.backprop.network import Network
from pipeline.backprop.trainer import Batch
from pipeline.errors import ConfigError
from pipeline.trials.initial_weights import initial_parameters
from pipeline.trials.tasks import load
from pipeline.trials.trial import BatchKey, InitialChoice, Trial


def network_of(shape: BatchKey) -> Network:
    """The network that this shape describes: its task gives the numbers of inputs and outputs."""
    task = load(shape.task)
    units = (task.inputs.shape[1], *shape.hidden, task.targets.shape[1])
    return Network(units, shape.activation, shape.output_activation, shape.bias, shape.train_bias)


def make_batch(trials: Sequence[Trial]) -> Batch:
    """One batch of trials of one shape; those that differ in the threshold alone share a training.

    Raises ConfigError where a trial's weights or learning rates do not fit its network.
    """
    shape = trials[0].batch_key
    network, task = network_of(shape), load(shape.task)
    starts: dict[tuple[InitialChoice, int], int] = {}
    columns: dict[tuple[int, tuple[float, ...], float], int] = {}
    training = []
    for trial in trials:
        start = (trial.initial, trial.seed if trial.initial.kind == "uniform" else 0)
        column = (starts.setdefault(start, len(starts)), trial.learning_rate, trial.momentum)
        training.append(columns.setdefault(column, len(columns)))
    start_of, rates, momenta = zip(*columns, strict=True)
    by_layer = {rate: rates_by_layer(rate, network.layers) for rate in dict.fromkeys(rates)}
    return Batch(
        network=network,
        inputs=task.inputs,
        targets=task.targets,
        initial_parameters=initial_parameters(list(starts), network)[:, start_of] + 0.0,  # + 0.0: no weight is −0
        learning_rate=np.array([by_layer[rate] for rate in rates]).T,
        momentum=np.array(momenta),
        training=np.array(training, np.intp),
        threshold=np.array([trial.threshold for trial in trials]),
        update=shape.update,
        criterion=shape.criterion,
        max_epochs=shape.max_epochs,
        gradient_tolerance=shape.gradient_tolerance,
        curve_points=shape.curve_points,
    )


def make_batches(trials: Sequence[Trial]) -> list[tuple[BatchKey, list[int], Batch]]:
    """One batch for each shape, with the places of its trials. Raises ConfigError like `make_batch`."""
    shapes: dict[BatchKey, list[int]] = {}
    for place, trial in enumerate(trials):
        shapes.setdefault(trial.batch_key, []).append(place)
    return [(shape, places, make_batch([trials[place] for place in places])) for shape, places in shapes.items()]


def rates_by_layer(rates: tuple[float, ...], layers: int) -> tuple[float, ...]:
    """One learning rate for each layer."""
    if len(rates) == 1:
        return rates * layers
    if len(rates) != layers:
        raise ConfigError("learning_rate", rates, f"must be one number, or {layers}: one per layer")
    return rates
