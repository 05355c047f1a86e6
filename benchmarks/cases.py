"""The six trainings that are timed, from one pattern to 1,797."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch
from pipeline.backprop.network import Network


@dataclass(frozen=True, slots=True)
class Case:
    """A network and its patterns, and how many runs and epochs one timing takes."""

    name: str
    network: Network
    inputs: Array
    targets: Array
    runs: int
    epochs: int
    rate: float

    def batch(self, momentum: bool = False, runs: int | None = None, epochs: int | None = None) -> Batch:
        """Runs from random weights that never end early; with `momentum` also a trained bias for each unit."""
        network = replace(self.network, bias="per_unit", train_bias=True) if momentum else self.network
        runs = runs or self.runs
        random = np.random.default_rng(1)
        return Batch(
            network,
            self.inputs,
            self.targets,
            random.uniform(-1.0, 1.0, (network.size, runs)),
            np.tile(np.linspace(self.rate / 10, self.rate, runs), (network.layers, 1)),
            np.full(runs, 0.9 if momentum else 0.0),
            np.arange(runs),
            np.zeros(runs),
            max_epochs=epochs or self.epochs,
            curve_points=10,
        )


def cases() -> list[Case]:
    """From the smallest to the largest. Random patterns stand for iris and digits: only their shape matters here."""
    random = np.random.default_rng(0)
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    parity = np.array([[0.0], [1.0], [1.0], [0.0]])

    def patterns(count: int, inputs: int, outputs: int) -> tuple[Array, Array]:
        return random.normal(size=(count, inputs)), random.uniform(size=(count, outputs))

    return [
        Case("worked", Network((2, 2, 2)), np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]]), 16384, 1000, 1.0),
        Case("xor", Network((2, 2, 1)), corners, parity, 16384, 500, 1.0),
        Case("encoder", Network((10, 5, 10)), np.eye(10), np.eye(10), 2048, 300, 0.5),
        Case("iris", Network((4, 8, 3)), *patterns(150, 4, 3), 512, 100, 1e-2),
        Case("tanh", Network((16, 16, 1), "tanh", "identity"), *patterns(272, 16, 1), 512, 30, 1e-4),
        Case("digits", Network((64, 32, 10)), *patterns(1797, 64, 10), 32, 10, 1e-4),
    ]
