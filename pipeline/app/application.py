"""A command as a Hydra application, which ends with an exit code, and with an error in one line.

Exit codes: 0 done; 1 a check failed; 2 the request cannot be carried out, with the reason in one line; 130 interrupted.
"""

import atexit
import copy
import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NoReturn

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pipeline.app import notices
from pipeline.app.axis_values import jobs, overrides_of, write_out, write_sequences
from pipeline.app.command_line import flags_first
from pipeline.app.composition import CONF, as_job, overrides_in, plain, refuse_strays
from pipeline.app.interrupts import repeated_in_finalizers, sigterm_as_interrupt
from pipeline.app.refusals import is_refusal, one_line, shortened
from pipeline.errors import ConfigError, masked, printable

Command = Callable[[dict[str, Any]], int | float | None]  # gives the exit code, None for 0; or, a float, what is optimized
MOST_JOBS = 100_000  # of Hydra's own sweeper, which holds them all


class FailedJobError(Exception):
    """A job of a multirun has failed, and the reason is printed."""


def refuse(error: Exception) -> NoReturn:
    """Prints the error in one line and ends the program with exit code 2."""
    print(printable(one_line(error)), file=sys.stderr)
    sys.exit(2)


def refuse_or_raise(error: Exception) -> NoReturn:
    """Refuses a request that cannot be carried out; raises what is a fault of the program, by exit, as Hydra swallows it."""
    if is_refusal(error):
        refuse(error)
    traceback.print_exception(error)
    sys.exit(1)


def say(lines: Iterable[str]) -> None:
    """Prints what is no error."""
    for line in lines:
        print(shortened(line), file=sys.stderr)


def check_job_by_job(config: DictConfig) -> None:
    """Raises ConfigError for a sweep that Hydra's own sweeper, which makes all jobs before the first, could not begin.

    Writes out the values of its axes, so that they are those of the project's sweeper.
    """
    loader = GlobalHydra.instance().config_loader()
    overrides = overrides_of(loader, config, overrides_in(config, "task"))
    if any(override.is_sweep_override() and override.key_or_group == "study" for override in overrides):
        raise ConfigError("study", "…", "cannot be swept: each has axes of its own")
    if (number := jobs(overrides)) > MOST_JOBS:
        raise ConfigError(
            "hydra/sweeper", "basic", f"takes at most {MOST_JOBS:,} jobs, not {number:,}; see hydra/sweeper=batch"
        )
    write_out(loader, config)


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
        study, axes = config.hydra.runtime.choices.get("study"), config.hydra.sweeper.get("params")
        try:
            refuse_strays(config)
            if axes:
                raise ConfigError("study" if study else "hydra.sweeper.params", study or {**axes}, "is a sweep: add -m")
            with as_job(copy.deepcopy(config), "hydra.run.dir"):
                resolve_name(self.check_run)(plain(config))
            say(notices.of_run(config))
        except Exception as error:
            refuse_or_raise(error)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra before it expands the multirun."""
        try:
            if not self.allow_multirun:
                raise ConfigError("hydra.mode", "MULTIRUN", "must be RUN: leave out -m")
            for override in overrides_in(config, "task"):
                if "://" in override and masked(override) != override:
                    key, value = override.split("=", 1)
                    allowed = "must hold no password, which would be kept in files: use MLFLOW_TRACKING_URI"
                    raise ConfigError(key, value, allowed)
            refuse_strays(config)
            sweeper = str(config.hydra.sweeper._target_).rpartition(".")[2]
            if sweeper == "BasicSweeper":
                check_job_by_job(config)
            elif sweeper != "BatchSweeper":
                write_sequences(config)
        except Exception as error:
            refuse_or_raise(error)


def multirun_tags() -> dict[str, str]:
    """The tag that the runs of one multirun of Hydra's own sweepers have in common; none for any other run."""
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        return {"multirun": str(Path(HydraConfig.get().sweep.dir).absolute())}
    return {}


def output_folder() -> Path:
    """Hydra's output folder of the job that runs."""
    return Path(HydraConfig.get().runtime.output_dir)


def words() -> list[str]:
    """The overrides on the command line of the job that runs."""
    return list(HydraConfig.get().overrides.task)


def job_words() -> str:
    """The number of a job and its overrides."""
    config: Any = HydraConfig.instance().cfg
    return f"{OmegaConf.select(config, 'hydra.job.num', default='')} ({' '.join(overrides_in(config, 'task'))})"


def run(main: Command, config_name: str) -> NoReturn:
    """Runs a command as a Hydra application and exits with its code."""
    gc.set_threshold(100_000)  # 400,000 objects of libraries are visited rarely and not freed one by one: saves a second
    atexit.unregister(gc.freeze)  # once, however often commands run in this process
    atexit.register(gc.freeze)  # what must be closed is closed before
    codes: list[int] = []
    folder, process = Path.cwd(), os.getpid()
    full_error = os.environ.get("HYDRA_FULL_ERROR", "")  # 1: tracebacks are shown

    def task(config: DictConfig) -> float | None:
        os.chdir(folder)  # with hydra.job.chdir, too: paths count from where the command was given
        try:
            result = main(plain(config))
        except Exception as error:
            if isinstance(error, BrokenPipeError):  # the reader of the output has closed it
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                sys.exit(1)
            if full_error == "1" or not is_refusal(error):
                raise
            if not multirun_tags():
                refuse(error)
            print(shortened(f"job {job_words()}: {one_line(error)}"), file=sys.stderr, flush=True)
            if os.getpid() != process or not str(HydraConfig.get().sweeper._target_).endswith(".BasicSweeper"):
                raise FailedJobError(one_line(error)) from None  # the sweeper is told
            codes.append(2)  # and the other jobs go on
            return None
        codes.append(0 if isinstance(result, float) else result or 0)
        return result if isinstance(result, float) else None

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors, which are printed here
    try:
        sys.argv[1:] = flags_first(sys.argv[1:], config_name)
        with sigterm_as_interrupt(), repeated_in_finalizers():
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(task)()
    except FailedJobError:
        sys.exit(2)
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
