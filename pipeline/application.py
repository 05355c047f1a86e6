"""What all commands share: Hydra in front, one line and an exit code at the end.

Exit codes: 0 done; 1 a check failed; 2 what was asked cannot be done, said in one line; 130 interrupted.
"""

import atexit
import gc
import os
import re
import sys
import traceback
from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException, OverrideParseException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.config import ConfigError, unknown_key

CONF = Path(__file__).parent.parent / "conf"
OBJECTS_AT_ONCE = 100_000  # made between two rounds of the garbage collector; Python's own rule is 700 to 2000


def logspace(low: str | float, high: str | float, points: int, digits: int = 3) -> str:
    """`points` log-spaced values from low to high (or down) as text: 0.01,0.1,1. Registered as a resolver.

    Computed in decimal arithmetic, which is the same everywhere, and rounded to `digits`, or to more where fewer would not
    keep the values apart and in order. The first and the last are exact. Raises ConfigError.
    """
    asked = f"${{logspace:{low},{high},{points}}}"
    try:
        first, last = (Decimal(repr(float(str(bound)))) for bound in (low, high))
    except ValueError:
        first = last = Decimal(0)
    if not (first.is_finite() and last.is_finite() and first > 0 and last > 0 and first != last):
        raise ConfigError("logspace", asked, "needs two different numbers greater than 0")
    if type(points) is not int or not 2 <= points <= 100_000:
        raise ConfigError("logspace", asked, "needs 2 to 100000 points")
    if type(digits) is not int or not 1 <= digits <= 17:
        raise ConfigError("logspace", asked, f"needs 1 to 17 digits, not {digits}")
    with localcontext(Context(prec=40)):
        start, step = first.ln(), (last.ln() - first.ln()) / (points - 1)
        between = [(start + step * k).exp() for k in range(1, points - 1)]
    for precision in range(digits, 18):
        rounded = map(Context(prec=precision).plus, between)
        values = [in_short(value) for value in (first, *rounded, last)]
        numbers = [float(value) for value in values]
        if all(one < other if first < last else one > other for one, other in pairwise(numbers)):
            return ",".join(values)
    raise ConfigError("logspace", asked, "has its ends too close together for so many points")


def in_short(value: Decimal) -> str:
    """A decimal number as a person writes it: 0.001, 20000, 1e-6, 1e8."""
    value = value.normalize()
    return f"{value:f}" if -5 <= value.adjusted() <= 6 else f"{value:e}".replace("e+", "e")


OmegaConf.register_new_resolver("logspace", logspace, replace=True)


class CheckBeforeWork(Callback):
    """Refuses a single run that cannot be trained or recorded before Hydra makes its output folder."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra with the composed configuration. Hydra swallows Exceptions here, but not an exit."""
        from pipeline.single import check_run

        study = config.hydra.runtime.choices.get("study")
        try:
            if study and config.hydra.sweeper.params:
                raise ConfigError("study", study, "is a sweep: add -m")
            check_run(plain(config))
        except (ConfigError, OmegaConfBaseException) as error:
            refuse(error)


def plain(config: DictConfig) -> dict[str, Any]:
    """The composed configuration as a dictionary, interpolations resolved, without Hydra's own part."""
    values = OmegaConf.to_container(without_hydra(config), resolve=True)
    assert isinstance(values, dict)
    return values  # type: ignore[return-value]


def without_hydra(config: DictConfig) -> DictConfig:
    """The composed configuration without Hydra's own part."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


NO_SUCH_CHOICE = re.compile(
    r"Could not (?:find|load) '(?:.*/)?(?P<asked>[^'/]+)'\s+"
    r"Available options in '(?P<group>[^']+)':\s+(?P<options>[^:]*?)\s*(?:Config search path:|$)"
)


def one_line(error: Exception) -> str:
    """The error in one line."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override}: {(error.message or '').splitlines()[0]}"
    text = str(error)
    if found := re.match(r"Could not override '(.+)'\.", text):
        key = found[1]
        asked = re.search(r"use \+(.+)", text)
        known = getattr(error.__cause__, "parent_node", None)
        names = tuple(str(name) for name in known if name != "hydra") if isinstance(known, DictConfig) else ()
        return f"{asked[1] if asked else key}: {unknown_key(key.rpartition('.')[2], names)}"
    if found := NO_SUCH_CHOICE.search(text):
        return f"{found['group']}={found['asked']}: must be one of {', '.join(found['options'].split())}"
    cause = error.__cause__
    lines = [*text.splitlines(), *(str(cause).splitlines() if isinstance(cause, OmegaConfBaseException) else [])]
    kept = [line.strip() for line in lines if line.strip() and not re.match(r"\s*(object_type|full_key|reference_type)", line)]
    return " ".join(kept)


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
