"""Changes of initial weights, whatever these are: one weight, all of them, or along a direction.

In this order: start × scale; towards other weights, by a fraction of the way; by a distance in a direction of unit length;
weight + offset; weight = set. What is neutral (scale 1, fraction 0, distance 0, offset 0) changes no bit.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop import pcg64
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network
from pipeline.backprop.normal_quantile import normal
from pipeline.errors import ConfigError
from pipeline.trials.initial_weights import given
from pipeline.trials.starts.distributions import length
from pipeline.trials.starts.weight_names import weight_at
from pipeline.trials.trial import Direction, InitialChoice

SCALE, FRACTION, DISTANCE = "initial.scale", "initial.direction.fraction", "initial.direction.distance"
OFFSET, SET = "initial.offset.", "initial.set."
ALONG = (FRACTION, DISTANCE)
ABSENT = {SCALE: 1.0, FRACTION: 0.0, DISTANCE: 0.0}  # what changes nothing


def is_change(key: str) -> bool:
    """Whether a dotted key of a configuration is that of a number which changes initial weights."""
    return key in ABSENT or key.startswith((OFFSET, SET))


@np.errstate(over="ignore", invalid="ignore")  # a run from weights that are not finite has diverged
def changed(
    parameters: Array,
    changes: Mapping[str, Array],
    choices: Sequence[InitialChoice],
    choice_of: NDArray[np.int64],
    network: Network,
) -> Array:
    """The parameters (N, R) that runs start with: `parameters` with the changes of each run, (R,) by key, NaN for none.

    Raises ConfigError where a name is unknown or twice there, and for a direction without length.
    """
    parameters = parameters.copy()
    changes = {key: values for key, values in changes.items() if not np.isnan(values).all()}
    at = places(changes, network)
    if SCALE in changes:
        parameters *= with_neutral(SCALE, changes[SCALE])
    for number, choice in enumerate(choices):
        if choice.direction is not None:
            move(parameters, changes, choice, choice_of == number, network)
    for key in changes:
        if key.startswith(OFFSET):
            parameters[at[key]] += with_neutral(key, changes[key])
    for key in changes:
        if key.startswith(SET):
            parameters[at[key]] = np.where(np.isnan(changes[key]), parameters[at[key]], changes[key])
    return parameters


def with_neutral(key: str, values: Array) -> Array:
    """The values (R,) with what changes nothing in place of NaN."""
    return np.where(np.isnan(values), ABSENT.get(key, 0.0), values)


def places(changes: Mapping[str, Array], network: Network) -> dict[str, int]:
    """The index of the parameter of each key. Raises ConfigError where it is unknown, or a run has two changes of it."""
    index = {}
    for key in changes:
        if key not in ABSENT:
            name = key.removeprefix(OFFSET).removeprefix(SET)
            index[key] = weight_at(key, changes[key][~np.isnan(changes[key])][0], name, network)
    first: dict[int, str] = {}
    for key, place in index.items():
        other = first.setdefault(place, key)
        both = ~np.isnan(changes[key]) & ~np.isnan(changes[other])
        if other != key and both.any():
            raise ConfigError(key, changes[key][both][0], f"changes the same weight as {other}: leave one out")
    return index


def move(parameters: Array, changes: Mapping[str, Array], choice: InitialChoice, runs: Array, network: Network) -> None:
    """Moves the parameters of these runs along the direction of their choice."""
    assert choice.direction is not None
    fraction, distance = (
        with_neutral(key, changes[key][runs]) if key in changes else np.zeros(np.count_nonzero(runs)) for key in ALONG
    )
    here = parameters[:, runs]
    way = vectors(choice.direction, here, network)
    size = length(way)
    if (to := choice.direction.to) and not (np.isfinite(size) & (size > 0.0)).all():
        raise ConfigError("initial.direction.to", to.path or to.kind, "must be other weights than those that runs start with")
    parameters[:, runs] = here + fraction * way + distance * (way / size)


def vectors(direction: Direction, here: Array, network: Network) -> Array:
    """The direction (N, R) or (N, 1), not of unit length: to other weights from here, or normal deviates.

    These come from the second N numbers of the stream of their seed; weights that are drawn come from the first N.
    """
    if direction.to is not None:
        return given(direction.to, network)[:, None] - here
    return normal(pcg64.uniform([direction.seed or 0], 2 * network.size)[network.size :])


def in_a_word(name: str) -> str:
    """An axis without the sections above it; a weight that is set has its name."""
    if name.startswith(OFFSET):
        return name.removeprefix("initial.")
    return name.removeprefix(SET) if name.startswith(SET) else name.rpartition(".")[2]
