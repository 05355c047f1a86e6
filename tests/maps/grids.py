"""Maps for tests."""

from pathlib import Path

from mlflow import MlflowClient

from pipeline.app.composition import compose
from pipeline.maps.axis import Axis
from pipeline.maps.grid import Grid

WORKED = ("max_epochs=300",)
XOR = ("task=xor", "network=trained", "initial=uniform", "momentum=0.3", "max_epochs=40")


def grid(across: Axis, down: Axis, overrides: tuple[str, ...] = WORKED) -> Grid:
    """A map over two axes."""
    return Grid(compose(overrides), across, down)


def small_grid() -> Grid:
    """A map of the worked example, 12 wide and 9 high, of which some converge."""
    return grid(Axis("learning_rate", "0.1", "1000", "log", 12), Axis("momentum", "0", "1", "linear", 9))


def maps_in(store: Path) -> list:
    """The runs of a store, the oldest first."""
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("backpropagation")
    return list(client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"]))
