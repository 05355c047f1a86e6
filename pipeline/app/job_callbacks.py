"""Hydra's callbacks of jobs, for sweeps whose jobs are trained together.

Hydra calls `on_job_start`, the job, `on_job_end`, one job after the other, and callbacks count on that: they keep on the way
what belongs to the job. A batch has no such moments, so both are called one after the other once a job's result is kept.
"""

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from pipeline.app.composition import as_job, overrides_in, without_hydra

METHODS = ("on_job_start", "on_job_end")


@dataclass(frozen=True)
class JobCallbacks:
    """The callbacks that are configured, with what Hydra composes a job from."""

    callbacks: Any  # hydra._internal.callbacks.Callbacks
    loader: ConfigLoader
    config: DictConfig
    task_function: TaskFunction

    @classmethod
    def of(cls, context: HydraContext, config: DictConfig, task_function: TaskFunction) -> "JobCallbacks | None":
        """Those of a multirun; None if none of them is told of jobs."""
        told = [one for one in context.callbacks.callbacks for name in METHODS if defines(one, name)]
        return cls(context.callbacks, context.config_loader, config, task_function) if told else None

    def call(self, number: int, overrides: Sequence[str], objective: float) -> None:
        """Tells the callbacks of a job with these overrides that has given this objective, as Hydra's own sweeper would."""
        config = self.loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        with as_job(config, "hydra.sweep.dir", "hydra.sweep.subdir"):
            Path(config.hydra.runtime.output_dir).mkdir(parents=True, exist_ok=True)
            given = JobReturn(
                overrides=overrides_in(config, "task"),
                cfg=copy.deepcopy(without_hydra(config)),
                hydra_cfg=copy.deepcopy(config),
                working_dir=os.getcwd(),
                task_name=config.hydra.job.name,
                status=JobStatus.COMPLETED,
            )
            given.return_value = objective
            self.callbacks.on_job_start(config=config, task_function=self.task_function)
            self.callbacks.on_job_end(config=config, job_return=given)


def defines(callback: Any, name: str) -> bool:
    """Whether a callback does something when this method of it is called."""
    return getattr(type(callback), name, None) not in (None, getattr(Callback, name))
