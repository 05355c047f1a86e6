"""Where the weights start."""

import lzma
import os
import stat
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop import pcg64
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network
from pipeline.errors import ConfigError
from pipeline.trials.files import read_once
from pipeline.trials.starts.distributions import drawn
from pipeline.trials.trial import InitialChoice

# w1 … w8 and the two biases of the worked example (M. Mazur, "A Step by Step Backpropagation Example", 2015)
PUBLISHED_WEIGHTS = (0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55)
PUBLISHED_BIASES = (0.35, 0.60)
# What zipfile and NumPy raise for files that are none, NumPy's parser of headers included.
UNREADABLE = (
    *(
        ValueError,
        TypeError,
        ArithmeticError,
        EOFError,
        LookupError,
        RuntimeError,
        SyntaxError,
        MemoryError,
        tokenize.TokenError,
    ),
    *(struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
MOST_HEADER = 16_384  # bytes of a .npy file before its numbers


def initial_parameters(starts: Sequence[tuple[InitialChoice, int]], network: Network) -> Array:
    """The parameters (N, R) of starts, by choice and seed, without changes. Raises ConfigError where they do not fit a network.

    A start depends on its choice and its seed alone: of each seed a stream of PCG64.
    """
    choices: list[InitialChoice] = []
    choice_of: list[int] = []
    for choice, _ in starts:
        if not choices or choice is not choices[-1]:  # mostly it is: to hash it takes longer than to have it twice
            choices.append(choice)
        choice_of.append(len(choices) - 1)
    return parameters_of(choices, np.array(choice_of, np.int64), [seed for _, seed in starts], network)


def parameters_of(
    choices: Sequence[InitialChoice], choice_of: NDArray[np.int64], seeds: Sequence[int], network: Network
) -> Array:
    """The same of starts that are given as choices, the index of that of each start, (R,), and the seed of each."""
    parameters = np.empty((network.size, len(choice_of)))
    of_seeds, column_of = numbers_of_seeds(np.array([choice.drawn for choice in choices], bool)[choice_of], seeds, network)
    for choice, columns in members(choices, choice_of):
        if choice.drawn:
            weights = drawn(choice, network, of_seeds[:, column_of[columns]])
            parameters[:, columns] = weights if choice.start is None else given(choice.start, network)[:, None] + weights
        else:
            parameters[:, columns] = given(choice, network)[:, None]
    return parameters


def numbers_of_seeds(is_drawn: NDArray[np.bool_], seeds: Sequence[int], network: Network) -> tuple[Array, NDArray[np.intp]]:
    """The numbers (N, S) of S seeds, each drawn once, and which of them each start (R,) has, any if it is not drawn."""
    if not is_drawn.any():
        return np.empty((network.size, 0)), np.zeros(len(seeds), np.intp)
    own = np.array(seeds, np.uint64)
    own[~is_drawn] = own[is_drawn][0]
    distinct, column_of = np.unique(own, return_inverse=True)
    return pcg64.uniform(distinct.tolist(), network.size), column_of


def members(choices: Sequence[InitialChoice], choice_of: NDArray[np.int64]) -> Iterator[tuple[InitialChoice, Any]]:
    """Each choice with the indices of its starts, in order of the first of each; a slice where all have one choice."""
    if len(choice_of) and (choice_of == choice_of[0]).all():
        yield choices[choice_of[0]], slice(None)
        return
    order = np.argsort(choice_of, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(choice_of[order])) + 1)
    for columns in sorted(groups, key=lambda some: int(some[0]) if len(some) else 0):
        if len(columns):
            yield choices[choice_of[columns[0]]], columns


def given(choice: InitialChoice, network: Network) -> Array:
    """Parameters (N,) that are not drawn. Raises ConfigError where they do not fit the network."""
    if choice.values is not None:
        return named(dict(choice.values), network, "initial.values.")
    return published(network) if choice.path is None else from_file(choice.path, network)


def published(network: Network) -> Array:
    """The worked example's weights; its bias of each layer for all units of the layer."""
    if network.units != (2, 2, 2):
        hidden = list(network.units[1:-1])
        raise ConfigError("network.hidden", hidden, "must be [2] with initial=published; use initial=uniform")
    biases = {"shared": PUBLISHED_BIASES, "per_unit": np.repeat(PUBLISHED_BIASES, 2).tolist(), "none": ()}[network.bias]
    return np.array([*PUBLISHED_WEIGHTS, *biases])


def named(arrays: Mapping[str, Any], network: Network, where: str) -> Array:
    """Parameters (N,) from arrays named weights_1, bias_1, …; `where` they are, for errors."""
    parts = []
    for name, shape in zip(network.names, network.shapes, strict=True):
        if name not in arrays:
            if shape == (0,):
                continue
            raise ConfigError(where + name, None, f"must be an array of shape {shape}")
        part = numbers(where + name, arrays[name], shape)
        if part.shape != shape:
            raise ConfigError(where + name, f"array of shape {part.shape}", f"must have shape {shape}")
        if not np.isfinite(part).all():
            raise ConfigError(where + name, arrays[name], "all numbers must be finite")
        parts.append(part.ravel())
    for name in arrays:
        if name not in network.names and not name.startswith("initial_"):
            raise ConfigError(where + name, "…", f"unknown array; known are {', '.join(network.names)}")
    return np.concatenate(parts)


def numbers(key: str, values: object, shape: tuple[int, ...]) -> Array:
    """An array or nested lists as float64. Raises ConfigError for text, dates, truth values, complex and inexact numbers."""
    try:
        given = np.array(values)
        part = given.astype(float) if given.dtype.kind in "iuf" else None
    except (ValueError, TypeError):
        part = None
    if part is None or given.dtype == object:
        raise ConfigError(key, values, f"must be an array of numbers, of shape {shape}")
    with np.errstate(invalid="ignore"):
        kept = part.astype(given.dtype)
    if given.dtype.kind in "iu" and ((kept != given).any() or (abs(part) > 2.0**63).any()):
        raise ConfigError(key, values, "has a whole number that 64-bit floats do not hold")
    return part


def from_file(path: str, network: Network) -> Array:
    """Parameters (N,) from a .npz file. Raises ConfigError where it does not fit the network."""
    return named(load_npz(path, network), network, f"initial.path={path}: ")


@read_once
def load_npz(path: str, network: Network) -> dict[str, Array]:
    """The network's arrays in a .npz file, such as a run's `weights.npz`. Never unpickles, nor inflates, anything else."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ConfigError("initial.path", path, "must be a .npz file, and is no file at all")
        with open(path, "rb") as beginning:
            if beginning.read(6) == b"\x93NUMPY":
                raise ConfigError("initial.path", path, "must be a .npz file, not a single array")
        with zipfile.ZipFile(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a header was written by Python 2
            shapes = dict(zip(network.names, network.shapes, strict=True))
            entries = {entry.filename.removesuffix(".npy"): entry for entry in file.infolist()}
            return {name: read_array(file, entry, path, shapes.get(name)) for name, entry in entries.items() if wanted(name)}
    except ConfigError:
        raise
    except OSError as error:
        raise ConfigError("initial.path", path, f"cannot be read: {error.strerror or 'not a .npz file'}") from None
    except UNREADABLE:
        raise ConfigError("initial.path", path, "must be a .npz file of plain numbers, without pickled objects") from None


def wanted(name: str) -> bool:
    """Whether an array of a file is to be read: a run's has its initial weights, too."""
    return not name.startswith("initial_")


def read_array(file: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str, shape: tuple[int, ...] | None) -> Any:
    """An array of a .npz file. Raises ConfigError, before it is inflated, where it has not the shape."""
    name = entry.filename.removesuffix(".npy")
    if shape is None:  # of no network: `named` refuses it
        return None
    with file.open(entry) as member:
        start = member.read(MOST_HEADER)
    header = BytesIO(start)
    major = np.lib.format.read_magic(header)[0]
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    found, _, dtype = read(header)
    if dtype.hasobject:
        raise ValueError(name)
    if found != shape:
        raise ConfigError(f"initial.path={path}: {name}", f"array of shape {found}", f"must have shape {shape}")
    if entry.file_size > MOST_HEADER + dtype.itemsize * prod(shape):
        raise ValueError(name)
    with file.open(entry) as member:
        return np.lib.format.read_array(member, allow_pickle=False)
