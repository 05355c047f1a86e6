"""Hydra's callback by which a command refuses a configuration before Hydra makes an output folder."""

from pkgutil import resolve_name
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from pipeline.app.application import refuse
from pipeline.app.composition import plain
from pipeline.app.messages import COMPOSITION_ERRORS
from pipeline.errors import ConfigError


class CheckBeforeWork(Callback):
    """Checks a single run by the function `check_run`, given as `package.module:function`; refuses a multirun if told to.

    Hydra swallows an Exception that a callback raises, but not an exit.
    """

    def __init__(self, check_run: str | None, allow_multirun: bool) -> None:
        self.check_run = check_run
        self.allow_multirun = allow_multirun

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra with the composed configuration."""
        if self.check_run is None:
            return
        study = config.hydra.runtime.choices.get("study")
        try:
            if study and config.hydra.sweeper.params:
                raise ConfigError("study", study, "is a sweep: add -m")
            resolve_name(self.check_run)(plain(config))
        except COMPOSITION_ERRORS as error:
            refuse(error)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra before it expands the multirun."""
        if not self.allow_multirun:
            refuse(ConfigError("hydra.mode", "MULTIRUN", "must be RUN: leave out -m"))
