"""Addresses of MLflow's pages, in its view of model training: without `workflowType` it opens that of generative AI."""

from urllib.parse import urlencode

TRAINING = {"workflowType": "machine_learning"}


def runs_page(experiment_id: str, view: str | None = None) -> str:
    """The list of an experiment's runs, from MLflow's address; `view`: the name of a shared view (see `views`)."""
    words = {"viewStateShareKey": view, **TRAINING} if view else TRAINING
    return f"/#/experiments/{experiment_id}/runs?{urlencode(words)}"


def run_page(experiment_id: str, run_id: str, artifact: str = "") -> str:
    """The page of a run, from MLflow's address, or of one of its artifacts."""
    part = f"/artifacts/{artifact}" if artifact else ""
    return f"/#/experiments/{experiment_id}/runs/{run_id}{part}?{urlencode(TRAINING)}"
