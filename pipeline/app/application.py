"""A command as a Hydra application, which ends with an exit code, and with an error in one line.

Exit codes: 0 done; 1 a check failed; 2 the request cannot be carried out, with the reason in one line; 130 interrupted.
"""

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from pipeline.app.composition import COMPOSITION_ERRORS, CONF, one_line, plain
from pipeline.app.interrupts import sigterm_as_interrupt
from pipeline.errors import ConfigError, masked, printable

Command = Callable[[dict[str, Any]], int | None]  # from the composed configuration to the exit code; None is 0


def is_refusal(error: Exception) -> bool:
    """Whether the error is about the request and no fault in the program: so are plain errors that Hydra itself raises."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    raised_by_hydra = frame.f_globals.get("__name__", "").partition(".")[0] in ("hydra", "omegaconf")
    plain_errors = (ValueError, TypeError, AssertionError) if raised_by_hydra else ()
    return isinstance(error, (*COMPOSITION_ERRORS, OSError, *plain_errors))


def refuse(error: Exception) -> NoReturn:
    """Prints the error in one line and ends the program with exit code 2."""
    print(printable(one_line(error)), file=sys.stderr)
    sys.exit(2)


def forget_interrupts() -> None:
    """Clears CPython's flag of an unhandled KeyboardInterrupt, so that `python -m` ends with the exit code it is given.

    An interrupt within `exec` of a text, as dataclasses call it, sets the flag even if it is handled later; the next `exec`
    clears it. Python 3.14 sets it only for what is really unhandled (python/cpython issue 128130).
    """
    exec("")


class CheckBeforeWork(Callback):
    """Hydra's callback that refuses a configuration before an output folder is made: by exit, as Hydra swallows an Exception.

    A single run is checked by the function `check_run`, given as `package.module:function`.
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
        for override in config.hydra.overrides.task:
            if "://" in override and masked(override) != override:
                key, _, value = override.partition("=")
                refuse(ConfigError(key, value, "must hold no password, which would be kept in files: use MLFLOW_TRACKING_URI"))


def multirun_tags() -> dict[str, str]:
    """The tag that the runs of one multirun of Hydra's own sweepers have in common; none for any other run."""
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        return {"multirun": str(Path(HydraConfig.get().sweep.dir).absolute())}
    return {}


def run(main: Command, config_name: str) -> NoReturn:
    """Runs a command as a Hydra application and exits with its code."""
    gc.set_threshold(100_000)  # 400,000 objects of libraries are visited rarely and not freed one by one: saves a second
    atexit.unregister(gc.freeze)  # once, however often commands run in this process
    atexit.register(gc.freeze)  # what must be closed is closed before
    codes: list[int] = []
    folder = Path.cwd()
    full_error = os.environ.get("HYDRA_FULL_ERROR", "")  # 1: tracebacks are shown

    def task(config: DictConfig) -> None:
        os.chdir(folder)  # with hydra.job.chdir, too: paths count from where the command was given
        try:
            codes.append(main(plain(config)) or 0)
        except COMPOSITION_ERRORS as error:
            if full_error == "1":
                raise
            refuse(error)
        except BrokenPipeError:  # the reader of the output has closed it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors, which are printed here
    try:
        with sigterm_as_interrupt():
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(task)()
    except Exception as error:
        if full_error == "1" or not is_refusal(error):
            raise
        refuse(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        forget_interrupts()
        sys.exit(130)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = full_error
    sys.exit(max(codes, default=0))
