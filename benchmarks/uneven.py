"""What do uneven endings cost? `python -m benchmarks.uneven`.

XOR from 20,000 random starts to an error of 1e-3 or 20,000 epochs, against the ideal: the epochs that the runs really
need, each at the price of an epoch of runs that all end together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.cases import cases
from benchmarks.timing import alternate, lowest_and_median, show
from pipeline.backprop.batch import Batch
from pipeline.backprop.engines import compiled as engine

RUNS = 20_000
MAX_EPOCHS = 20_000
EVEN_RUNS, EVEN_EPOCHS = 16_384, 1_000


def xor(runs: int, max_epochs: int, threshold: float) -> Batch:
    """XOR with a trained bias for each unit, from weights within ±2, at learning rates from 0.1 to 10."""
    case = next(case for case in cases() if case.name == "xor")
    network = replace(case.network, bias="per_unit", train_bias=True)
    random = np.random.default_rng(0)
    return Batch(
        network,
        case.inputs,
        case.targets,
        random.uniform(-2.0, 2.0, (network.size, runs)),
        np.tile(random.uniform(0.1, 10.0, runs), (network.layers, 1)),
        np.zeros(runs),
        np.arange(runs),
        np.full(runs, threshold),
        max_epochs=max_epochs,
    )


def main() -> None:
    """Prints and stores the ratio."""
    uneven, even = xor(RUNS, MAX_EPOCHS, 1e-3), xor(EVEN_RUNS, EVEN_EPOCHS, 0.0)
    epochs = engine.train(uneven).epochs
    seconds = alternate({"uneven": lambda: engine.train(uneven), "even": lambda: engine.train(even)}, rounds=3)
    price, _ = lowest_and_median(seconds["even"], 1.0 / (EVEN_RUNS * EVEN_EPOCHS))
    lowest, middle = lowest_and_median(seconds["uneven"], 1.0)
    ideal = price * float(epochs.sum())
    row = {
        "runs": RUNS,
        "median epochs": float(np.median(epochs)),
        "epochs in all": int(epochs.sum()),
        "even ns": price * 1e9,
        "ideal s": ideal,
        "lowest s": lowest,
        "median s": middle,
        "times ideal": lowest / ideal,
    }
    show("uneven", [row])


if __name__ == "__main__":
    main()
