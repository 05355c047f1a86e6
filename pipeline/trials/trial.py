"""A trial, and what it consists of."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TaskChoice:
    """Which task: its name and its options, as sorted pairs."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class InitialChoice:
    """Which initial weights: kind and what that kind needs (range: (low, high); values by name; path of a file)."""

    kind: str
    range: tuple[float, float] | None = None
    values: tuple[tuple[str, Any], ...] | None = None
    path: str | None = None


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
