"""Where the weights start."""

import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from pipeline.backprop import pcg64
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network
from pipeline.errors import ConfigError
from pipeline.trials.trial import InitialChoice

# w1 … w8 and the two biases of the worked example (M. Mazur, "A Step by Step Backpropagation Example", 2015)
PUBLISHED_WEIGHTS = (0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55)
PUBLISHED_BIASES = (0.35, 0.60)


def initial_parameters(starts: Sequence[tuple[InitialChoice, int]], network: Network) -> Array:
    """The parameters (N, R) that runs start with, by choice and seed. Raises ConfigError where they do not fit the network."""
    parameters = np.empty((network.size, len(starts)))
    drawn = [column for column, (choice, _) in enumerate(starts) if choice.kind == "uniform"]
    if drawn:
        low, high = np.array([starts[column][0].range for column in drawn]).T
        parameters[:, drawn] = uniform(low, high, network.size, [starts[column][1] for column in drawn])
    for column, (choice, _) in enumerate(starts):
        if choice.kind == "published":
            parameters[:, column] = published(network)
        elif choice.values is not None:
            parameters[:, column] = named(dict(choice.values), network, "initial.values.")
        elif choice.path is not None:
            parameters[:, column] = named(load_npz(choice.path), network, f"initial.path={choice.path}: ")
    return parameters


def published(network: Network) -> Array:
    """The worked example's weights; its bias of each layer for all units of the layer."""
    if network.units != (2, 2, 2):
        hidden = list(network.units[1:-1])
        raise ConfigError("network.hidden", hidden, "must be [2] with initial=published; use initial=uniform")
    biases = {"shared": PUBLISHED_BIASES, "per_unit": np.repeat(PUBLISHED_BIASES, 2).tolist(), "none": ()}[network.bias]
    return np.array([*PUBLISHED_WEIGHTS, *biases])


def uniform(low: Array, high: Array, size: int, seeds: Sequence[int]) -> Array:
    """Numbers from low (R,) to high (R,), as (size, R): of each seed a stream of PCG64, in the order of the parameters."""
    numbers: dict[int, int] = {}
    column_of = [numbers.setdefault(seed, len(numbers)) for seed in seeds]
    return low + (high - low) * pcg64.uniform(list(numbers), size)[:, column_of]


def named(arrays: Mapping[str, Any], network: Network, where: str) -> Array:
    """Parameters (N,) from arrays named weights_1, bias_1, …; `where` they are, for errors."""
    parts = []
    for name, shape in zip(network.names, network.shapes, strict=True):
        if name not in arrays:
            if shape == (0,):
                continue
            raise ConfigError(where + name, None, f"must be an array of shape {shape}")
        try:
            part = np.array(arrays[name], dtype=float)
        except (ValueError, TypeError):
            raise ConfigError(where + name, arrays[name], f"must be an array of numbers, of shape {shape}") from None
        if part.shape != shape:
            raise ConfigError(where + name, f"array of shape {part.shape}", f"must have shape {shape}")
        if not np.isfinite(part).all():
            raise ConfigError(where + name, arrays[name], "all numbers must be finite")
        parts.append(part.ravel())
    for name in arrays:
        if name not in network.names and not name.startswith("initial_"):
            raise ConfigError(where + name, "…", f"unknown array; known are {', '.join(network.names)}")
    return np.concatenate(parts)


@cache
def load_npz(path: str) -> dict[str, Array]:
    """The arrays of a .npz file, such as a run's `weights.npz`. Never unpickles anything."""
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ConfigError("initial.path", path, "must be a .npz file, not a single array")
        with file:
            return {name: file[name] for name in file.files}
    except ConfigError:
        raise
    except OSError as error:
        raise ConfigError("initial.path", path, f"cannot be read: {error.strerror or 'not a .npz file'}") from None
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise ConfigError("initial.path", path, "must be a .npz file of plain numbers, without pickled objects") from None
