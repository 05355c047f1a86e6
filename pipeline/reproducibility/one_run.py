"""One recorded run, named by its id, or by its sweep's and its place there."""

from typing import Any

from pipeline.errors import ConfigError
from pipeline.reproducibility.drift import ExpectedRun
from pipeline.reproducibility.recorded import recorded_run, rows_reader, trials_of
from pipeline.store.addresses import address
from pipeline.store.failures import store_errors_as_config_errors
from pipeline.store.read import FINISHED, error_curve, find_run, search
from pipeline.store.records import PLACE_TAG
from pipeline.store.sweeps import read_configuration
from pipeline.trials.batching import CURVE_POINTS
from pipeline.trials.checks import integer

KEY = "run"


def one_run(uri: str | None, which: str) -> tuple[ExpectedRun, int]:
    """The run and the number of points of its curve: `<id>`, or `<sweep's id>:<place>`; of an id its beginning will do.

    Raises ConfigError for one that is not there, is not the run of a trial, is not finished, or cannot be read.
    """
    name, colon, place = which.partition(":")
    client, run = find_run(uri, KEY, name)
    kind, status = run.data.tags.get("kind"), run.info.status
    if kind == "sweep":
        number = trials_of(run)
        if not colon:
            raise ConfigError(KEY, which, f"is a sweep: name one of its trials, {name}:0 to {name}:{max(0, number - 1)}")
        if not (place.isascii() and place.isdigit() and len(place) < 13 and int(place) < number):
            raise ConfigError(KEY, which, f"must end in one of :0 to :{max(0, number - 1)}, the places of its trials")
        return of_sweep(client, run, uri, which, int(place))
    if colon:
        raise ConfigError(KEY, which, "is no sweep, so that it has no places")
    if "trial.key" not in run.data.tags:
        raise ConfigError(KEY, which, "is a run, but not that of a trial")
    if status != "FINISHED":
        raise ConfigError(KEY, which, f"is not finished, but {status}")
    return of_trial(client, run, which)


def of_trial(client: Any, run: Any, which: str) -> tuple[ExpectedRun, int]:
    """A run of MLflow. A run that was exhausted has all points of its curve, of which its cause is read."""
    try:
        expected = recorded_run(client, run)
        points = len(error_curve(client, run.info.run_id)[0]) if expected.status == "exhausted" else CURVE_POINTS
        return expected, integer("curve_points", max(points, 2), 2, 1000)
    except ConfigError as error:
        raise ConfigError(KEY, which, error.allowed if error.key == "sweep" else str(error)) from None


def of_sweep(client: Any, parent: Any, uri: str | None, which: str, place: int) -> tuple[ExpectedRun, int]:
    """A trial of a sweep: its own run where it has one, else its row."""
    with store_errors_as_config_errors(address(uri).shown):
        mine = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and tags.`{PLACE_TAG}` = '{place}'"
        children = list(search(client, parent.info.experiment_id, FINISHED, mine))
    if children:
        return of_trial(client, children[0], which)
    try:
        _, read = rows_reader(client, parent)
        points = integer("curve_points", read_configuration(client, parent).get("curve_points", CURVE_POINTS), 2, 1000)
        return read([place])[0], points
    except ConfigError as error:
        raise ConfigError(KEY, which, error.allowed if error.key == "sweep" else str(error)) from None
