"""What was given and has no effect, said in a line each."""

from collections.abc import Iterator

from omegaconf import DictConfig

from pipeline.app.composition import overrides_in

SWEEPS_ONLY = (
    "hydra.sweep.", "hydra/sweeper", "hydra.sweeper", "hydra/launcher", "hydra.launcher", "executor", "resume=",
    "tracking.runs=", "tracking.curves=", "tracking.weights=", "limits.disk=",
)  # fmt: skip
# What has no effect on a map, as only status, epochs and final error of its runs are kept.
NOT_OF_MAPS = ("hydra.sweep.", "tracking.runs=", "tracking.curves=", "tracking.weights=", "causes=", "objective=")
GIVEN = ("published", "explicit", "file")  # initial weights that are not drawn
HERE = "has no effect: commands run in the folder where they were given"


def given(config: DictConfig) -> list[str]:
    """The overrides of the command line, Hydra's own too, without their prefixes."""
    return [text.lstrip("+") for kind in ("hydra", "task") for text in overrides_in(config, kind)]


def of_any(config: DictConfig) -> Iterator[str]:
    """What has no effect on a run, nor on a sweep."""
    if config.hydra.job.chdir:
        yield f"hydra.job.chdir={config.hydra.job.chdir}: {HERE}"


def of_run(config: DictConfig) -> Iterator[str]:
    """What has no effect on a single run, or on a map."""
    idle, why = (NOT_OF_MAPS, "a map") if "map" in config else (SWEEPS_ONLY, "a single run; -m makes a sweep")
    for text in given(config):
        if text.startswith(idle):
            yield f"{text}: has no effect on {why}"
        elif text.startswith("seed=") and (kind := config.initial.get("kind")) in GIVEN:
            yield f"{text}: has no effect with initial={kind}, which draws no random numbers"
    yield from of_any(config)


def of_sweep(config: DictConfig) -> Iterator[str]:
    """What has no effect on a sweep by `hydra/sweeper=batch`."""
    launcher = config.hydra.runtime.choices.get("hydra/launcher")
    if launcher != "basic":
        yield f"hydra/launcher={launcher}: has no effect, as the batch sweeper trains all jobs itself; see executor=dask"
    for text in given(config):
        if text.startswith(("hydra.sweep.subdir=", "hydra.launcher.")):
            yield f"{text}: has no effect, as the batch sweeper trains all jobs itself"
        elif text.startswith("hydra.run."):
            yield f"{text}: has no effect on a sweep; see hydra.sweep.dir"
    yield from of_any(config)
