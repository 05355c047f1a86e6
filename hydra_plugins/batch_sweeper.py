"""The sweeper `hydra/sweeper=batch`. Hydra imports it at each start: it imports nothing of the pipeline until it sweeps."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class BatchSweeperConf:
    """`params` are axes of the sweep, before those of the command line, as in Hydra's basic sweeper."""

    _target_: str = "hydra_plugins.batch_sweeper.BatchSweeper"
    params: dict[str, str] | None = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="batch", node=BatchSweeperConf, provider="pipeline")


class BatchSweeper(Sweeper):
    """Expands the product of the axes itself and trains all jobs of one shape together."""

    def __init__(self, params: dict[str, str] | None = None) -> None:
        self.params = params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra before `sweep`."""
        self.context = hydra_context
        self.task_function = task_function
        self.config = config

    def sweep(self, arguments: list[str]) -> Any:
        """Called by Hydra with the command line's overrides."""
        from pipeline.app import notices
        from pipeline.app.application import say
        from pipeline.app.composition import Multirun, as_job
        from pipeline.app.job_callbacks import JobCallbacks
        from pipeline.app.progress import phase
        from pipeline.sweeps.request import read_sweep

        assert self.config is not None  # Hydra has called setup
        with phase("reading"):
            request = read_sweep(Multirun(self.context.config_loader, self.config, arguments))
        callbacks = JobCallbacks.of(self.context, self.config, self.task_function)
        say([*notices.of_sweep(self.config), *request.plan.idle_axes])
        with phase("opening"):
            from pipeline.sweeps.multirun import sweep  # with MLflow, which takes long to import

        with as_job(self.config, "hydra.sweep.dir"):
            return sweep(request, callbacks)
