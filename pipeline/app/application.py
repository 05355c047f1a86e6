"""What all commands share: Hydra in front, one line and an exit code at the end.

Exit codes: 0 done; 1 a check failed; 2 what was asked cannot be done, said in one line; 130 interrupted.
"""

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.app.composition import CONF
from pipeline.app.messages import one_line
from pipeline.app.sequences import logspace
from pipeline.errors import ConfigError

OBJECTS_AT_ONCE = 100_000  # made between two rounds of the garbage collector; Python's own rule is 700 to 2000

OmegaConf.register_new_resolver("logspace", logspace, replace=True)


def raised_by_hydra(error: Exception) -> bool:
    """Whether Hydra itself stumbled, over what it was given, and not the pipeline."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__", "").partition(".")[0] in ("hydra", "omegaconf")


def refuse(error: Exception) -> NoReturn:
    """Prints the one line and ends the program with exit code 2."""
    print(one_line(error), file=sys.stderr)
    sys.exit(2)


def spare_the_collector() -> None:
    """Has the garbage collector look less often at the 400,000 objects of the imported libraries: saves a second a command.

    At the end they are frozen, after all else that is done at exit, so that they go with the process and are not taken apart
    one by one. What must be closed is closed before that: by `with`, by `atexit`.
    """
    gc.set_threshold(OBJECTS_AT_ONCE)
    atexit.unregister(gc.freeze)  # once, however often commands run in this process
    atexit.register(gc.freeze)


def run(main: Callable[[DictConfig], int | None], config_name: str) -> NoReturn:
    """Runs a command as a Hydra application and exits with its code."""
    spare_the_collector()
    codes: list[int] = []
    refusals = (ConfigError, HydraException, OmegaConfBaseException)
    asked = os.environ.get("HYDRA_FULL_ERROR", "")
    wants_traceback = asked == "1"

    def task(config: DictConfig) -> None:
        try:
            codes.append(main(config) or 0)
        except refusals as error:
            if wants_traceback:
                raise
            refuse(error)
        except BrokenPipeError:  # who reads the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # let Hydra pass on its errors: they are told here
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(task)()
    except refusals as error:
        if wants_traceback:
            raise
        refuse(error)
    except OSError as error:
        refuse(error)
    except (ValueError, TypeError, AssertionError) as error:
        if wants_traceback or not raised_by_hydra(error):
            raise
        refuse(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        exec("")  # Python forgets that the interrupt came amid some exec(), which it would else die of at its end
        sys.exit(130)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = asked
    sys.exit(max(codes, default=0))
