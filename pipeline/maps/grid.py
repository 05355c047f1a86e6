"""The pixels of a map as trials: batches of them from arrays, and one by one as a trial and as a command."""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch
from pipeline.backprop.network import Network
from pipeline.errors import ConfigError, unknown_key
from pipeline.maps.axis import Axis
from pipeline.maps.command import words_of
from pipeline.results.run_result import weight_arrays
from pipeline.sweeps.chunks import Patterns
from pipeline.trials.batching import make_batch, network_of, rates_by_layer
from pipeline.trials.configuration import TRIAL_KEYS, read_batch_key, read_trial
from pipeline.trials.initial_weights import given, initial_parameters
from pipeline.trials.starts.changes import OFFSET, SET, changed, is_change
from pipeline.trials.starts.initial_choice import nested
from pipeline.trials.tasks import load
from pipeline.trials.trial import BatchKey, InitialChoice, Trial

Pixels = NDArray[np.int64]  # indices y · W + x
NUMBERS = ("learning_rate", "momentum", "threshold")
EXAMPLES = (*NUMBERS, "learning_rate.1", "initial.range", "initial.set.w5", "initial.offset.w5", "initial.scale")
OF_LAYER = re.compile(r"learning_rate\.([1-9][0-9]?)")


@dataclass(frozen=True)
class Grid:
    """The trials of a map: those of a configuration (as `compose` gives it) with two of its numbers set, (H, W) of them.

    Row 0 has the lowest value of `down`, and pixel (y, x) the index y · W + x. Raises ConfigError for an axis that there is
    not, and where a pixel is no trial.
    """

    config: Mapping[str, Any]
    across: Axis
    down: Axis

    def __post_init__(self) -> None:
        for axis in self.axes:
            known = axis.name in NUMBERS or axis.name.startswith("initial.") or OF_LAYER.fullmatch(axis.name)
            if not known:
                raise ConfigError("key", axis.name, unknown_key(axis.name, EXAMPLES, "axis"))
            if (layer := layer_of(axis.name)) and layer > self.network.layers:
                raise ConfigError("key", axis.name, f"the network has {self.network.layers} layers of weights")
        names = {axis.name for axis in self.axes}
        if len(names) == 1 or ("learning_rate" in names and any(map(layer_of, names))):
            raise ConfigError("key", self.down.name, f"must be another number than that of the other axis, {self.across.name}")
        if sum(map(is_start, names)) > 1:
            raise ConfigError("key", self.down.name, f"cannot be an axis together with {self.across.name}")
        rows, columns = self.shape
        corners = [self.trial(y, x) for y in (0, rows - 1) for x in (0, columns - 1)]
        make_batch(corners)

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """The axis to the right, and the one upwards."""
        return self.across, self.down

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.down.size, self.across.size

    @cached_property
    def base(self) -> Trial:
        """The first pixel's trial, which the others differ from in the numbers of the axes."""
        return self.trial(0, 0)

    @cached_property
    def batch_key(self) -> BatchKey:
        """What all pixels have in common."""
        return read_batch_key(self.config)

    @property
    def patterns(self) -> Patterns:
        """The patterns of the task."""
        task = load(self.batch_key.task)
        return task.inputs, task.targets

    @cached_property
    def network(self) -> Network:
        """The network of all pixels."""
        return network_of(self.batch_key)

    def configuration(self, y: int, x: int) -> dict[str, Any]:
        """The configuration of a pixel's trial."""
        config = copy.deepcopy({key: self.config[key] for key in TRIAL_KEYS})
        for axis, pixel in zip(self.axes, (x, y), strict=True):
            set_number(config, axis.name, float(axis.values[pixel]), self.network.layers)
        return config

    def trial(self, y: int, x: int) -> Trial:
        """A pixel's trial. Raises ConfigError where it is none."""
        return read_trial(self.configuration(y, x))

    def overrides(self, y: int, x: int) -> list[str]:
        """The words after `python -m pipeline.train` that train a pixel's trial."""
        return words_of(self.configuration(y, x))

    def batch(self, pixels: Pixels, curve_points: int = 2, patterns: Patterns | None = None) -> Batch:
        """The batch of these pixels. Those that differ in the threshold alone share a training."""
        rows, columns = np.divmod(pixels, self.across.size)
        place = {self.across.name: columns, self.down.name: rows}
        threshold = self._numbers("threshold", place, self.base.threshold)
        training, first = shared_trainings(place)
        place = {name: codes[first] for name, codes in place.items()}
        key, (inputs, targets) = self.batch_key, patterns or self.patterns
        return Batch(
            network=self.network,
            inputs=inputs,
            targets=targets,
            initial_parameters=self._parameters(place),
            learning_rate=self._rates(place),
            momentum=self._numbers("momentum", place, self.base.momentum),
            training=training,
            threshold=threshold,
            update=key.update,
            criterion=key.criterion,
            max_epochs=key.max_epochs,
            gradient_tolerance=key.gradient_tolerance,
            curve_points=curve_points,
        )

    def _axis(self, name: str) -> Axis:
        return self.across if self.across.name == name else self.down

    def _numbers(self, name: str, place: Mapping[str, Pixels], otherwise: float) -> Array:
        """The values (T,) of a number that may be an axis, of which `place` has the pixels (T,)."""
        if name in place:
            return self._axis(name).values[place[name]]
        return np.full(len(next(iter(place.values()))), otherwise)

    def _rates(self, place: Mapping[str, Pixels]) -> Array:
        """The learning rates (L, T)."""
        rates = rates_by_layer(self.base.learning_rate, self.network.layers)
        whole = [self._numbers("learning_rate", place, rate) for rate in rates]
        return np.array(
            [
                self._numbers(f"learning_rate.{layer}", place, 0.0) if f"learning_rate.{layer}" in place else rate
                for layer, rate in enumerate(whole, 1)
            ]
        )

    def _parameters(self, place: Mapping[str, Pixels]) -> Array:
        """The initial parameters (N, T)."""
        choices, starts = self.starts
        size, code = len(place[self.across.name]), next((place[name] for name in place if is_start(name)), None)
        if code is None:
            code, parameters = np.zeros(size, np.int64), np.repeat(starts, size, axis=1)
        else:
            parameters = starts[:, code]
        changes = {key: np.full(size, value) for key, value in self.base.changes}
        changes |= {name: self._axis(name).values[place[name]] for name in place if is_change(name)}
        if changes:
            parameters = changed(parameters, changes, choices, code, self.network)
        parameters += 0.0  # no weight is −0
        return parameters

    @cached_property
    def starts(self) -> tuple[list[InitialChoice], Array]:
        """The starts without changes, one or as many as the axis that they depend on has values; their parameters (N, S)."""
        choices = [self.base.initial]
        for axis in self.axes:
            if is_start(axis.name):
                choices = [self._start(axis.name, value) for value in axis.values.tolist()]
        choices = [with_values(choice, self.network) for choice in choices]
        return choices, initial_parameters([(choice, self.base.seed) for choice in choices], self.network)

    def _start(self, name: str, value: float) -> InitialChoice:
        """The start, without changes, of pixels that have this value of an axis."""
        config = self.configuration(0, 0)
        set_number(config, name, value, self.network.layers)
        return read_trial(config).initial


def with_values(choice: InitialChoice, network: Network) -> InitialChoice:
    """The choice with the weights that its direction goes to one by one, as their file is not everywhere."""
    if choice.direction is None or choice.direction.to is None:
        return choice
    arrays = weight_arrays(network, *2 * [given(choice.direction.to, network)])
    values = tuple(sorted((name, nested(arrays[name].tolist(), tuple)) for name in arrays if name in network.names))
    return replace(choice, direction=replace(choice.direction, to=InitialChoice("explicit", values=values)))


def is_start(name: str) -> bool:
    """Whether an axis is a number of the start's kind, such as the range from which weights are drawn."""
    return name.startswith("initial.") and not is_change(name)


def layer_of(name: str) -> int:
    """The layer (from 1) whose learning rate an axis is, 0 of others."""
    match = OF_LAYER.fullmatch(name)
    return int(match[1]) if match else 0


def set_number(config: dict[str, Any], name: str, value: float, layers: int) -> None:
    """Sets a number of a configuration by its dotted key, or by `learning_rate.1` that of a layer."""
    if layer := layer_of(name):
        rates = config["learning_rate"]
        rates = list(rates) if isinstance(rates, list | tuple) else [rates] * layers
        config["learning_rate"] = [*rates[: layer - 1], value, *rates[layer:]]
        return
    path = name.split(".", 2) if name.startswith((SET, OFFSET)) else name.split(".")
    for part in path[:-1]:
        config = config.setdefault(part, {})
    config[path[-1]] = value


def shared_trainings(place: Mapping[str, Pixels]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The training (R,) of each pixel, and the first pixel (T,) of each training."""
    others = [codes for name, codes in place.items() if name != "threshold"]
    if len(others) == 2:
        each = np.arange(len(others[0]))
        return each, each
    _, first, training = np.unique(others[0], return_index=True, return_inverse=True)
    return training, first
