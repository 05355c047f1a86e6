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
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from pipeline.app.composition import CONF, plain
from pipeline.app.messages import COMPOSITION_ERRORS, one_line

OBJECTS_BETWEEN_COLLECTIONS = 100_000  # Python's own value is 700 to 2000

Command = Callable[[dict[str, Any]], int | None]  # from the composed configuration to the exit code; None is 0


def is_refusal(error: Exception) -> bool:
    """Whether the error is about the request and no fault in the program: so are plain errors that Hydra itself raises."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    raised_by_hydra = frame.f_globals.get("__name__", "").partition(".")[0] in ("hydra", "omegaconf")
    plain_errors = (ValueError, TypeError, AssertionError) if raised_by_hydra else ()
    return isinstance(error, (*COMPOSITION_ERRORS, OSError, *plain_errors))


def refuse(error: Exception) -> NoReturn:
    """Prints the error in one line and ends the program with exit code 2."""
    print(one_line(error), file=sys.stderr)
    sys.exit(2)


def collect_garbage_rarely() -> None:
    """Makes the garbage collector visit the 400,000 objects of the imported libraries less often: saves a second a command.

    They are frozen as the last thing at exit, so that they end with the process and are not freed one by one. What must be
    closed is closed before that, by `with` or by `atexit`.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    atexit.unregister(gc.freeze)  # once, however often commands run in this process
    atexit.register(gc.freeze)


def forget_interrupts() -> None:
    """Clears CPython's flag of an unhandled KeyboardInterrupt, so that `python -m` ends with the exit code it is given.

    An interrupt within `exec` of a text, as dataclasses call it while a library is imported, sets the flag even if it is
    handled later, and the process then dies of SIGINT at its end. The next `exec` clears it. The flag came with
    bpo-1054041 and bpo-41602; Python 3.14 sets it only for what is really unhandled (python/cpython issue 128130).
    """
    exec("")


def multirun_tags() -> dict[str, str]:
    """The tag that the runs of one multirun of Hydra's own sweepers have in common; none for any other run."""
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        return {"multirun": str(Path(HydraConfig.get().sweep.dir).absolute())}
    return {}


def run(main: Command, config_name: str) -> NoReturn:
    """Runs a command as a Hydra application and exits with its code."""
    collect_garbage_rarely()
    codes: list[int] = []
    full_error = os.environ.get("HYDRA_FULL_ERROR", "")
    show_traceback = full_error == "1"

    def task(config: DictConfig) -> None:
        try:
            codes.append(main(plain(config)) or 0)
        except COMPOSITION_ERRORS as error:
            if show_traceback:
                raise
            refuse(error)
        except BrokenPipeError:  # the reader of the output has closed it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors, which are printed here
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(task)()
    except Exception as error:
        if show_traceback or not is_refusal(error):
            raise
        refuse(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        forget_interrupts()
        sys.exit(130)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = full_error
    sys.exit(max(codes, default=0))
