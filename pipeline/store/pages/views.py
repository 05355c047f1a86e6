"""The columns that MLflow's lists of runs show, and which runs: views that it keeps as tags of an experiment.

Its button Share makes such: `viewStateShareKey=NAME` in an address opens the view in the tag `mlflow.sharedViewState.NAME`. An
address cannot name columns, and one that names a filter opens no view.
"""

import json
from collections.abc import Sequence
from contextlib import suppress

from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.store.failures import store_errors

VIEW_TAG = "mlflow.sharedViewState."
KIND_TAG, KIND = "mlflow.experimentKind", "custom_model_development"
SWEEPS = "sweeps"
OF_SWEEPS = [f"metrics.`{name}`" for name in ("runs", "converged", "rate", "ert", "median_epochs")]
EPOCHS = "metrics.`epochs`"
OF_RUNS = ["tags.`status`", EPOCHS, "metrics.`final_error`"]
ALWAYS = "learning_rate"
NOT_PARAMS = ("axes", "lesson")
MOST_AXES = 8


def view(condition: str, columns: Sequence[str], by: str, ascending: bool) -> str:
    """A list of the runs that meet a condition, in that order, with these columns, as MLflow's front end writes it."""
    facets = {"searchFilter": condition, "orderByKey": by, "orderByAsc": ascending}
    return json.dumps({**facets, "selectedColumns": list(columns), "columnOrder": list(columns)})


def columns_of(sweep: Run) -> list[str]:
    """How each run of a sweep ended, its axes, and its cause where it did not converge."""
    axes = [name for name in sweep.data.params if name not in NOT_PARAMS][:MOST_AXES]
    names = axes if ALWAYS in axes else [ALWAYS, *axes]
    return [*OF_RUNS, *(f"params.`{name}`" for name in names), "tags.`cause`"]


def write_views(client: MlflowClient, sweep: Run) -> tuple[str, str] | None:
    """Has the experiment of a sweep know the views of its sweeps and of this one's runs; their names, or None where it cannot.

    A store that cannot be written to has none.
    """
    name, experiment = sweep.info.run_id[:8], sweep.info.experiment_id
    tags = {
        f"{VIEW_TAG}{SWEEPS}": view("tags.kind = 'sweep'", OF_SWEEPS, "attributes.start_time", False),
        # in the order of a metric: in any other one MLflow folds them under their sweep
        f"{VIEW_TAG}{name}": view(f"tags.`mlflow.parentRunId` = '{sweep.info.run_id}'", columns_of(sweep), EPOCHS, True),
    }
    with suppress(*store_errors()):
        there = client.get_experiment(experiment).tags
        tags = {key: value for key, value in tags.items() if there.get(key) != value}
        for key, value in ({} if KIND_TAG in there else {KIND_TAG: KIND}).items() | tags.items():
            client.set_experiment_tag(experiment, key, value)
        return SWEEPS, name
    return None
