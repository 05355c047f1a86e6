"""What do causes cost beside the training that they are of? `python -m benchmarks.cost_of_causes`.

The default studies are trained as sweeps train them, chunk by chunk; of other networks, runs that do not converge. All times
are the processor's: training shares them among threads, causes have one.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product

import numpy as np

from pipeline.app.composition import compose, compose_multirun
from pipeline.backprop.batch import Batch
from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.engines import engine
from pipeline.backprop.status import Status
from pipeline.sweeps.request import read_sweep
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from pipeline.trials.trial import InitialChoice

ROUNDS = 7
STUDIES = ("convergence", "xor")
HIDDEN = "network.hidden="
NETWORKS = {  # overrides, learning rates, seeds
    "XOR 2-2-1, 1,000 epochs": (("task=xor", "max_epochs=1000"), (0.1, 0.3, 1.0, 3.0, 10.0), 2000),
    "parity 3-3-1, 1,000 epochs": (("task=parity", "task.bits=3", f"{HIDDEN}[3]", "max_epochs=1000"), (0.5, 2.0), 500),
    "encoder 8-3-8, 300 epochs": (("task=encoder", "task.size=8", f"{HIDDEN}[3]", "max_epochs=300"), (0.5, 2.0), 64),
    "iris 4-8-3, 200 epochs": (("task=iris", f"{HIDDEN}[8]", "max_epochs=200"), (0.02, 0.1), 64),
    "iris 4-24-3, 200 epochs": (("task=iris", f"{HIDDEN}[24]", "max_epochs=200"), (0.02, 0.1), 64),
    "digits 64-32-10, 50 epochs": (("task=digits", f"{HIDDEN}[32]", "max_epochs=50"), (0.001, 0.01), 8),
}


def batches(name: str) -> list[Batch]:
    """What is trained: the chunks of a study, or runs of a network at these rates and two initial ranges."""
    if name in STUDIES:
        request = read_sweep(compose_multirun([f"study={name}"]))
        return [request.plan.chunk(indices, request.settings).batch for indices in request.pieces]
    overrides, rates, seeds = NETWORKS[name]
    trial, _ = read_run(compose([*overrides, "network=trained", "initial=uniform", "threshold=1e-3"]))
    starts = [InitialChoice("uniform", (-size, size)) for size in (1.0, 4.0)]
    choices = product(rates, starts, range(seeds))
    return [make_batch([replace(trial, learning_rate=(rate,), initial=start, seed=seed) for rate, start, seed in choices])]


def seconds(batch: Batch) -> tuple[float, float, int]:
    """The processor's seconds, of all threads, of training it and of finding its causes: the lowest of some rounds, in turn.

    Also how many trainings did not converge.
    """
    train = engine("compiled")
    train(batch.columns(np.arange(1)))
    training = looking = np.inf
    for _ in range(ROUNDS):
        started = time.process_time()
        result = train(batch)
        trained = time.process_time()
        causes(result)
        training, looking = min(training, trained - started), min(looking, time.process_time() - trained)
    return training, looking, len(np.unique(batch.training[result.status == Status.EXHAUSTED]))


def table_row(name: str) -> str:
    """A row of the table."""
    training, looking, runs = (sum(part) for part in zip(*map(seconds, batches(name)), strict=True))
    parts = f"{1e3 * training:,.1f} | {1e3 * looking:,.1f} | {looking / training:.0%} | {1e6 * looking / max(1, runs):,.0f}"
    return f"| {name} | {runs:,} | {parts} |"


def main() -> None:
    """Prints the table in Markdown."""
    print("\n| training | not converged | training, CPU ms | causes, CPU ms | share | CPU µs a run |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in (*STUDIES, *NETWORKS):
        print(table_row(name), flush=True)


if __name__ == "__main__":
    main()
