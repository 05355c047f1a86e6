"""A trial, and what it consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class TaskChoice:
    """Which task: its name and its options, as sorted pairs."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()


GIVEN = ("published", "explicit", "file")  # kinds of initial weights that no seed decides
Pair = tuple[float, float]
UNSCALED = ("initial.scale", 1.0)  # is no change


@dataclass(frozen=True, slots=True)
class InitialChoice:
    """Which initial weights: kind and what that kind needs.

    range: (low, high), or such a pair for each layer; values by name; path of a file; std: one, or one for each layer;
    distribution: uniform or normal; biases: None for as the weights are, else the number that each has; layers: a choice for
    each; start: what is perturbed; direction: that in which weights are moved, see `pipeline.trials.starts.changes`.
    """

    kind: str
    range: Pair | tuple[Pair, ...] | None = None
    values: tuple[tuple[str, Any], ...] | None = None
    path: str | None = None
    std: tuple[float, ...] | None = None
    distribution: str | None = None
    radius: float | None = None
    biases: float | None = None
    layers: tuple["InitialChoice", ...] | None = None
    start: "InitialChoice | None" = None
    direction: "Direction | None" = None

    @property
    def drawn(self) -> bool:
        """Whether the weights depend on the trial's seed."""
        return self.kind not in GIVEN


@dataclass(frozen=True, slots=True)
class Direction:
    """A direction in the space of all weights and biases: drawn by a seed, or towards other weights."""

    seed: int | None = None
    to: InitialChoice | None = None


@dataclass(frozen=True, slots=True)
class BatchKey:
    """What all trials of one batch have in common."""

    task: TaskChoice
    hidden: tuple[int, ...]
    activation: str
    output_activation: str
    bias: str
    train_bias: bool
    update: str
    criterion: str
    max_epochs: int
    gradient_tolerance: float


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that decides the result of one training run, and nothing else."""

    batch_key: BatchKey
    initial: InitialChoice
    learning_rate: tuple[float, ...]  # one, or one per layer
    momentum: float
    threshold: float
    seed: int
    changes: tuple[tuple[str, float], ...] = ()  # of initial weights: ("initial.set.w5", 0.3), …, by name

    def having(self, values: Mapping[str, Any]) -> "Trial":
        """The same trial with these values of fields and of changes, by key."""
        changes = dict(self.changes) | {key: value for key, value in values.items() if key.startswith("initial.")}
        fields = {key: value for key, value in values.items() if not key.startswith("initial.")}
        return replace(self, **fields, changes=tuple(sorted(pair for pair in changes.items() if pair != UNSCALED)))
