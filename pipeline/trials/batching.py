"""Trials become batches: arrays of everything in which the trials of one key differ."""

from collections.abc import Sequence

import numpy as np

from pipeline.backprop.batch import Batch
from pipeline.backprop.network import Network
from pipeline.errors import ConfigError
from pipeline.trials.initial_weights import initial_parameters
from pipeline.trials.tasks import load
from pipeline.trials.trial import BatchKey, InitialChoice, Trial

CURVE_POINTS = 100  # kept of an error curve unless a configuration says otherwise


def network_of(key: BatchKey) -> Network:
    """The network of this key; its task gives the numbers of inputs and outputs."""
    task = load(key.task)
    units = (task.inputs.shape[1], *key.hidden, task.targets.shape[1])
    return Network(units, key.activation, key.output_activation, key.bias, key.train_bias)


def make_batch(trials: Sequence[Trial], curve_points: int = CURVE_POINTS) -> Batch:
    """One batch of trials with the same batch key. Raises ConfigError where weights or rates do not fit the network."""
    key = trials[0].batch_key
    network, task = network_of(key), load(key.task)
    starts: dict[tuple[InitialChoice, int], int] = {}
    columns: dict[tuple[int, tuple[float, ...], float], int] = {}
    training = []  # the same for trials that differ in the threshold alone
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
        update=key.update,
        criterion=key.criterion,
        max_epochs=key.max_epochs,
        gradient_tolerance=key.gradient_tolerance,
        curve_points=curve_points,
    )


def make_batches(trials: Sequence[Trial], curve_points: int = CURVE_POINTS) -> list[tuple[list[int], Batch]]:
    """One batch for each batch key, with the indices of its trials. Raises ConfigError like `make_batch`."""
    members: dict[BatchKey, list[int]] = {}
    for index, trial in enumerate(trials):
        members.setdefault(trial.batch_key, []).append(index)
    return [(indices, make_batch([trials[index] for index in indices], curve_points)) for indices in members.values()]


def rates_by_layer(rates: tuple[float, ...], layers: int) -> tuple[float, ...]:
    """One learning rate for each layer."""
    if len(rates) == 1:
        return rates * layers
    if len(rates) != layers:
        raise ConfigError("learning_rate", rates, f"must be one number, or {layers}: one per layer")
    return rates
