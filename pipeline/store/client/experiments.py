"""Experiments of a store by MLflow's client: found, or made."""

from collections.abc import Mapping
from typing import Any

from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

EXPERIMENT_NOTE = (
    "From which initial weights, at which learning rates and down to which error threshold does backpropagation converge, "
    "and how fast? A sweep is a parent run with a child run per trial; the metric `error` is the total error over epochs."
)


def make_experiment(client: Any, name: str, location: str | None, tags: Mapping[str, str]) -> Experiment:
    """A new experiment with these tags beside its note and its kind; or the one that another process has just made."""
    note = {"mlflow.note.content": EXPERIMENT_NOTE, "mlflow.experimentKind": "custom_model_development"}
    try:
        client.create_experiment(name, artifact_location=location, tags={**note, **tags})
    except MlflowException:  # another process was faster, or the answer was lost
        if not client.get_experiment_by_name(name):
            raise
    return client.get_experiment_by_name(name)  # type: ignore[no-any-return]
