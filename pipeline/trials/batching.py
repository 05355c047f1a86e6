"""Trials become batches: arrays of everything in which the trials of one key differ."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch
from pipeline.backprop.network import Network
from pipeline.errors import ConfigError
from pipeline.trials.initial_weights import parameters_of
from pipeline.trials.memory import check_size
from pipeline.trials.starts.changes import changed
from pipeline.trials.tasks import load
from pipeline.trials.trial import BatchKey, InitialChoice, Trial

Codes = NDArray[np.int64]
Column = tuple[Sequence[Any], Codes]  # values, and the index of the one that each of the R trials has, (R,)

FIELDS = tuple(field.name for field in fields(Trial) if field.name != "changes")
TRAINING_COLUMNS = ("initial", "learning_rate", "momentum", "seed")  # in which the trainings of a batch differ
MOST_COMBINATIONS = 2**62  # of codes, as an int64
MOST_UNUSED = 4  # codes for each one that is used, of which a table is made
CURVE_POINTS = 100  # kept of an error curve unless a configuration says otherwise


def network_of(key: BatchKey) -> Network:
    """The network of this key; its task gives the numbers of inputs and outputs. Raises ConfigError if it is too large."""
    task = load(key.task)
    units = (task.inputs.shape[1], *key.hidden, task.targets.shape[1])
    network = Network(units, key.activation, key.output_activation, key.bias, key.train_bias)
    check_size(network, len(task.inputs))
    return network


def make_batch(trials: Sequence[Trial], curve_points: int = CURVE_POINTS) -> Batch:
    """One batch of trials with the same batch key; trials that differ in the threshold alone share a training.

    Raises ConfigError where a trial's weights or learning rates do not fit its network.
    """
    return batch_of(columns_of(trials), curve_points)


def columns_of(trials: Sequence[Trial]) -> dict[str, Column]:
    """A column for each field of the trials but `changes`, and for each key of these: None where a trial does not have it."""
    columns = {name: distinct([getattr(trial, name) for trial in trials]) for name in FIELDS}
    changes = [dict(trial.changes) for trial in trials]
    return columns | {key: distinct([some.get(key) for some in changes]) for key in sorted(set().union(*changes))}


def batch_of(columns: Mapping[str, Column], curve_points: int = CURVE_POINTS) -> Batch:
    """`make_batch` of trials that are given as columns (`columns_of`)."""
    keys, key_of = columns["batch_key"]
    key = keys[key_of[0]]
    network, task = network_of(key), load(key.task)
    training, first = trainings(columns)
    (initial, initial_of), (rates, rate_of), (momenta, momentum_of), (seeds, seed_of) = (
        (values, code_of[first]) for values, code_of in (columns[name] for name in TRAINING_COLUMNS)
    )
    start, start_at = numbered(initial_of, drawn_seeds(initial, initial_of, seed_of))
    own_seeds = [seeds[code] for code in seed_of[start_at].tolist()]
    rate, rate_at = numbered(rate_of)
    by_layer = np.array([rates_by_layer(rates[code], network.layers) for code in rate_of[rate_at]])
    parameters = parameters_of(initial, initial_of[start_at], own_seeds, network)[:, start]
    if changes := {key: numbers_of(columns[key], first) for key in change_keys(columns)}:
        parameters = changed(parameters, changes, initial, initial_of, network)
    thresholds, threshold_of = columns["threshold"]
    return Batch(
        network=network,
        inputs=task.inputs,
        targets=task.targets,
        initial_parameters=parameters + 0.0,  # + 0.0: no weight is −0
        learning_rate=by_layer[rate].T,
        momentum=np.array(momenta)[momentum_of],
        training=training.astype(np.intp),
        threshold=np.array(thresholds)[threshold_of],
        update=key.update,
        criterion=key.criterion,
        max_epochs=key.max_epochs,
        gradient_tolerance=key.gradient_tolerance,
        curve_points=curve_points,
    )


def trials_of(columns: Mapping[str, Column]) -> list[Trial]:
    """The trials of which `columns_of` gave these columns."""
    taken = {name: [values[code] for code in codes.tolist()] for name, (values, codes) in columns.items()}
    trials = list(map(Trial, *(taken[name] for name in FIELDS)))
    if not (keys := change_keys(columns)):
        return trials
    changes = (dict(zip(keys, some, strict=True)) for some in zip(*(taken[key] for key in keys), strict=True))
    return [
        trial.having({key: value for key, value in some.items() if value is not None})
        for trial, some in zip(trials, changes, strict=True)
    ]


def trainings(columns: Mapping[str, Column]) -> tuple[Codes, Codes]:
    """The training (R,) of each trial, equal where they differ in the threshold alone, and the first trial (T,) of each."""
    initial, initial_of = columns["initial"]
    columns = {**columns, "seed": (columns["seed"][0], drawn_seeds(initial, initial_of, columns["seed"][1]))}
    deciding = [columns[name] for name in ("batch_key", *TRAINING_COLUMNS, *change_keys(columns))]
    return numbered(initial_of, *(codes for values, codes in deciding if len(values) > 1))


def change_keys(columns: Mapping[str, Column]) -> list[str]:
    """The columns that change initial weights."""
    return [name for name in columns if name not in FIELDS]


def numbers_of(column: Column, indices: Codes) -> Array:
    """The numbers that a column has at these indices, NaN where it has none."""
    values, code_of = column
    return np.array([np.nan if value is None else value for value in values])[code_of[indices]]


def drawn_seeds(initial: Sequence[InitialChoice], initial_of: Codes, seed_of: Codes) -> Codes:
    """The codes of the seeds (R,), 0 where the initial weights are not drawn."""
    drawn = np.array([choice.drawn for choice in initial])
    return seed_of if drawn.all() else np.where(drawn[initial_of], seed_of, 0)


def distinct(values: Iterable[Any]) -> Column:
    """The values as a column, the distinct ones in order of their first occurrence."""
    if isinstance(values, range):
        return values, np.arange(len(values))
    codes: dict[Any, int] = {}
    code_of = np.array([codes.setdefault(value, len(codes)) for value in values], np.int64)
    return list(codes), code_of


def numbered(*codes: Codes) -> tuple[Codes, Codes]:
    """A number (R,) for each distinct combination of codes, by first occurrence, and the index of that occurrence."""
    combined, size = codes[0], int(codes[0].max(initial=0)) + 1
    for code in codes[1:]:
        more = int(code.max(initial=0)) + 1
        if size * more > MOST_COMBINATIONS:
            combined, size = np.unique(combined, return_inverse=True)[1], len(combined)
        combined, size = combined * more + code, size * more
    return occurrences(combined)


def occurrences(codes: Codes) -> tuple[Codes, Codes]:
    """A number (R,) for each distinct code, by first occurrence, and the index of that occurrence."""
    every = np.arange(len(codes))
    if (codes[1:] > codes[:-1]).all():  # as in most chunks: nothing is there twice
        return every, every
    codes = codes - codes.min()
    size = int(codes.max()) + 1
    if size > MOST_UNUSED * len(codes):
        return by_sorting(codes)
    first = np.full(size, len(codes))
    np.minimum.at(first, codes, every)
    at = np.sort(first[first < len(codes)])
    number = np.empty(size, np.int64)
    number[codes[at]] = every[: len(at)]
    return number[codes], at


def by_sorting(codes: Codes) -> tuple[Codes, Codes]:
    """`occurrences` of codes that are far apart."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return number[inverse], first[order]


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
