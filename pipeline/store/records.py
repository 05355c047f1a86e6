"""What is kept of a run: its trial as params, its curve, its weights, its key and digest."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.results.held_out_scores import held_out_scores
from pipeline.results.run_result import BatchRows, weight_arrays
from pipeline.trials.configuration import params_of
from pipeline.trials.tasks import load
from pipeline.trials.tasks.description import recorded
from pipeline.trials.trial import Trial

if TYPE_CHECKING:
    from pipeline.results.rows import RunRows

PLACE_TAG = "trial.place"  # the index of the trial: its row in results.parquet, from 0
ENGINE_TAG = "engine"
MOST_TABLES = 10  # of a sweep, that its parent run tells
CAUSE_METRICS = {"cause.number": "cause_number", "rho": "rho", "lambda_min": "lambda_min", "k_star": "k_star"}
CAUSE_TAG = "cause.digest"
CAUSE_TAGS = {"cause": "cause", CAUSE_TAG: "cause_digest"}
MAY_BE_INFINITE = ("final_error", "gradient_norm", "test_error")


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run as it is recorded. `curve` are epochs and errors, `arrays` go to weights.npz."""

    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    curve: tuple[NDArray[np.int64], Array]
    arrays: Mapping[str, Array]


def records(
    trials: Sequence[Trial],
    rows: "RunRows | BatchRows",
    names: Sequence[str],
    tags: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[RecordedRun]:
    """The records of a chunk's runs: of its result, with the trial and the name of each row.

    MLflow has no infinite numbers: it keeps 1.8e308 instead, and 0 for NaN. So a run that has one says so: by the metric
    `finite`, which is 0, and by a tag of the number's name, which is inf or nan. A cause's number that is not
    finite is left out.
    """
    network, initial, parameters = rows.network, rows.column("initial"), rows.column("parameters")
    scores = held_out_scores(rows, trials[0]) if trials else {}
    for row, (trial, run) in enumerate(zip(trials, rows.scalar_rows(), strict=True)):
        metrics = {name: float(run[name]) for name in ("epochs", "final_error", "gradient_norm")}
        metrics |= {name: float(column[row]) for name, column in scores.items()}
        metrics |= {metric: run[name] for metric, name in CAUSE_METRICS.items() if is_finite(run.get(name))}
        infinite = {name: str(metrics[name]) for name in MAY_BE_INFINITE if not math.isfinite(metrics.get(name, 0.0))}
        yield RecordedRun(
            name=names[row],
            params=params_of(trial),
            metrics=metrics | ({"finite": 0.0} if infinite else {}),
            tags={
                "status": run["status"],
                "trial.key": run["key"],
                "result.digest": run["digest"],
                PLACE_TAG: str(run["place"]),
                ENGINE_TAG: rows.engine,
                **{tag: run[name] for tag, name in CAUSE_TAGS.items() if run.get(name)},
                **table_tags(trial),
                **infinite,
                **tags,
            },
            curve=rows.curve(row),
            arrays=weight_arrays(network, initial[row], parameters[row]),
        )


def is_finite(number: float | None) -> bool:
    """Whether there is a number that MLflow can keep."""
    return number is not None and math.isfinite(number)


def table_tags(*trials: Trial) -> dict[str, str]:
    """What the table of trials was read as, or the first tables, numbered; nothing of other tasks."""
    tasks = list(dict.fromkeys(trial.batch_key.task for trial in trials))
    sources = [source for task in tasks if (source := load(task).source)][:MOST_TABLES]
    names = [f"table.{number}" if len(sources) > 1 else "table" for number in range(1, len(sources) + 1)]
    return {key: value for name, source in zip(names, sources, strict=True) for key, value in recorded(source, name).items()}
