"""Patterns that are held out: which they are, and how outputs are classes again. They decide nothing in training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop import pcg64
from pipeline.backprop.arithmetic import Array
from pipeline.errors import ConfigError
from pipeline.trials.checks import integer, number, text

Booleans = NDArray[np.bool_]

HELD_OUT_DEFAULTS: Mapping[str, object] = {"test": 0, "test_seed": 0}
SHARE, SHARE_OR_FILE = "0, or a share below 1 such as 0.25", "0, a share below 1 such as 0.25, or the path of a table"


@dataclass(frozen=True, slots=True)
class ClassOutputs:
    """The output units `first` to `first + count` of one target that has classes: one a class, or one that is low or high."""

    first: int
    count: int
    middle: float  # of low and high


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Patterns that are not trained on, inputs (P, I) and targets (P, O), and which outputs are classes."""

    inputs: Array
    targets: Array
    classes: Sequence[ClassOutputs]


def read_share(key: str, value: object) -> float:
    """The share of patterns that are held out."""
    return number(key, value, SHARE, lambda share: 0.0 <= share < 1.0)


def read_share_or_file(key: str, value: object) -> float | str:
    """The share of patterns that are held out, or the path of a table of others."""
    return (
        text(key, value, SHARE_OR_FILE) if isinstance(value, str) else number(key, value, SHARE_OR_FILE, lambda s: 0 <= s < 1)
    )


TEST_SEED: Mapping[str, Callable[[str, object], Any]] = {"test_seed": partial(integer, low=0, high=2**64 - 1)}
HELD_OUT: Mapping[str, Callable[[str, object], Any]] = {"test": read_share, **TEST_SEED}
HELD_OUT_OR_FILE: Mapping[str, Callable[[str, object], Any]] = {"test": read_share_or_file, **TEST_SEED}


def split(kinds: NDArray[np.intp], share: float, seed: int) -> Booleans:
    """Which patterns are held out, (P,): of each kind (P,) its share, rounded, those with the lowest random numbers.

    The numbers are the first P of Generator(PCG64(seed)).random(), one a pattern in the order of the table: the same split
    anywhere. Raises ConfigError where none would be held out, or none be left.
    """
    drawn = pcg64.uniform([seed], len(kinds))[:, 0]
    chosen = np.zeros(len(kinds), bool)
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        chosen[members[np.argsort(drawn[members], kind="stable")][: int(share * len(members) + 0.5)]] = True
    if not chosen.any() or chosen.all():
        parts = "none to be held out" if not chosen.any() else "none to be trained on"
        raise ConfigError("task.test", share, f"leaves {parts}, of {len(kinds):,} pattern{'s' if len(kinds) > 1 else ''}")
    return chosen


def are_right(outputs: Array, targets: Array, classes: Sequence[ClassOutputs]) -> Booleans:
    """Whether all classes of a pattern are told rightly, (P, R); outputs (P, O, R), targets (P, O).

    The output of the right class is larger than those of all others; a single one is on the side of the middle of its target.
    """
    right = np.ones((outputs.shape[0], outputs.shape[2]), bool)
    for group in classes:
        units = slice(group.first, group.first + group.count)
        given, wanted = outputs[:, units], targets[:, units]
        if group.count == 1:
            right &= np.sign(given[:, 0] - group.middle) == np.sign(wanted - group.middle)
            continue
        own = (np.arange(group.count) == wanted.argmax(axis=1)[:, None])[:, :, None]
        right &= np.where(own, given, -np.inf).max(axis=1) > np.where(own, -np.inf, given).max(axis=1)
    return right
