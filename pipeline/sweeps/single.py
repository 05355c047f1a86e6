"""One run: trained, recorded, and printed."""

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.app.progress import progress_bar
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.status import STATUSES, Status
from pipeline.errors import as_override
from pipeline.report.announcement import announce
from pipeline.report.causes import why
from pipeline.results.columns import HELD_OUT
from pipeline.results.run_result import BatchRows
from pipeline.sweeps.chunks import Chunk
from pipeline.trials.batching import make_batch, network_of
from pipeline.trials.equal_units import warnings_of_equal_units
from pipeline.trials.memory import check_size
from pipeline.trials.settings import read_run
from pipeline.trials.starts.changes import in_a_word
from pipeline.trials.tasks import load
from pipeline.trials.trial import Trial
from pipeline.trials.unreachable import warnings_of_unreachable

PENALTY = 10
MOST_CHANGES = 3  # of initial weights, that the name of a run has


def check_run(config: Mapping[str, Any]) -> None:
    """Refuses, by ConfigError, what could not be trained or recorded."""
    trial, settings = read_run(config)
    check_size(network_of(trial.batch_key), len(load(trial.batch_key.task).inputs), config["limits"])
    make_batch([trial])
    warnings_of_unreachable([(trial.batch_key, trial.threshold)], settings.on_unreachable)
    from pipeline.store.write import Store  # a wrong value is refused before it is imported

    Store(settings.tracking.uri, settings.tracking.experiment, settings.tracking.artifacts)


def single(config: Mapping[str, Any], tags: Mapping[str, str]) -> float:
    """Trains one run, records it with these tags beside its own, and prints how it ended; gives its objective."""
    from pipeline.store.records import records
    from pipeline.store.write import Store

    trial, settings = read_run(config)
    key = trial.batch_key
    unreached = warnings_of_unreachable([(key, trial.threshold)], settings.on_unreachable)
    chunk = Chunk(np.zeros(1, np.int64), make_batch([trial], settings.curve_points), settings.engine, settings.causes)
    store = Store(settings.tracking.uri, settings.tracking.experiment, settings.tracking.artifacts)
    announce([key], unreached, warnings_of_equal_units([trial]))
    with progress_bar() as bar:
        result = chunk.train(bar("training", 1))
    rows = BatchRows(chunk.indices, result, chunk.engine, chunk.causes(result))
    [run] = records([trial], rows, [settings.tracking.name or f"{key.task.name} {setting(trial)}"], tags)
    run_id = store.record(run)
    for line in told(trial, chunk, rows):
        print(line)
    for name, score in run.metrics.items():
        if name in HELD_OUT:
            print(f"{name} {score:.6g}")
    print(f"recorded as run {run_id} in {store.uri}; {store.how_to_look(run_id)}")
    return objective(
        settings.objective, Status(result.status[0]), int(result.epochs[0]), float(result.final_error[0]), key.max_epochs
    )


def objective(name: str, status: Status, epochs: int, error: float, max_epochs: int) -> float:
    """What a sweeper minimizes: the final error, or the epochs to convergence, 10 × max_epochs for a run that did not converge.

    That penalty is the one of PAR10 (Hutter et al., JAIR 36, 2009). A final error that is not finite is the largest float.
    """
    if name == "final_error":
        return error if math.isfinite(error) else sys.float_info.max
    return float(epochs if status is Status.CONVERGED else PENALTY * max(1, max_epochs))


def told(trial: Trial, chunk: Chunk, rows: BatchRows) -> Iterator[str]:
    """How the one run of a chunk ended: its trial, its end, its cause, and its curve, in lines."""
    key, result = trial.batch_key, rows.result
    yield f"task {key.task.name}, network {'-'.join(map(str, chunk.batch.network.units))}, {setting(trial)}"
    goal = f"{key.criterion} threshold {as_override(trial.threshold)}"
    yield f"{STATUSES[result.status[0]]} after {result.epochs[0]:,} epochs, {goal}"
    [ended] = rows.scalar_rows()
    if word := ended.get("cause"):
        numbers = [ended[name] for name in ("cause_number", "final_error", "cause_goal", "k_star", "rho")]
        yield why(Cause[word.upper()], *(math.nan if number is None else number for number in numbers))
    yield "error by epoch"
    epochs, errors = result.curve(0)
    for point in sorted({0, 1, *np.linspace(0, len(epochs) - 1, 8).astype(int)} & set(range(len(epochs)))):
        yield f"{epochs[point]:>12,}  {errors[point]:.12g}"


def setting(trial: Trial) -> str:
    """A trial's most telling values, as the name of its run."""
    rates = trial.learning_rate if len(trial.learning_rate) > 1 else trial.learning_rate[0]
    changes = [f"{in_a_word(key)}={as_override(value)}" for key, value in trial.changes[:MOST_CHANGES]]
    return " ".join([f"learning_rate={as_override(rates)}", *changes, *["…"] * (len(trial.changes) > MOST_CHANGES)])
