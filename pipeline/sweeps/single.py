"""One run: trained, recorded, and told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from pipeline.app.progress import progress_bar
from pipeline.backprop.engines import engine
from pipeline.backprop.status import STATUSES
from pipeline.errors import written
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from pipeline.trials.trial import Trial


def check_run(config: Mapping[str, Any]) -> None:
    """Refuses, by ConfigError, what could not be trained or recorded."""
    trial, settings = read_run(config)
    make_batch([trial])
    from pipeline.store.write import Store

    Store(settings.tracking.uri, settings.tracking.experiment)


def single(config: Mapping[str, Any]) -> int:
    """Trains and records one run, and says how it ended."""
    from pipeline.results.rows import result
    from pipeline.store.records import records
    from pipeline.store.write import Store

    trial, settings = read_run(config)
    batch = make_batch([trial])
    store = Store(settings.tracking.uri, settings.tracking.experiment)
    with progress_bar() as bar:
        outcome = engine(trial.batch_key.engine)(batch, bar("training", 1))
    name = f"{trial.batch_key.task.name} {setting(trial)}"
    [record] = records([trial], result(np.zeros(1, np.int64), outcome), [name], multirun_tag())
    run_id = store.record(record)
    epochs, errors = outcome.curve(0)
    print(f"task {trial.batch_key.task.name}, network {'-'.join(map(str, batch.network.units))}, {setting(trial)}")
    goal = f"{trial.batch_key.criterion} threshold {written(trial.threshold)}"
    print(f"{STATUSES[outcome.status[0]]} after {outcome.epochs[0]:,} epochs, {goal}")
    print("error by epoch")
    for place in sorted({0, 1, *np.linspace(0, len(epochs) - 1, 8).astype(int)} & set(range(len(epochs)))):
        print(f"{epochs[place]:>12,}  {errors[place]:.12g}")
    print(f"recorded as run {run_id} in {store.uri}; look at it with: make ui")
    return 0


def multirun_tag() -> dict[str, str]:
    """What the jobs of one multirun of Hydra's own sweeper have in common."""
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        return {"multirun": str(Path(HydraConfig.get().sweep.dir).absolute())}
    return {}


def setting(trial: Trial) -> str:
    """A trial's most telling values, as the name of its run."""
    return f"learning_rate={written(trial.learning_rate if len(trial.learning_rate) > 1 else trial.learning_rate[0])}"
