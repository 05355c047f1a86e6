"""The values of an axis as Hydra writes them, counted before they are made, in decimal arithmetic, shuffled reproducibly."""

import json
import math
import random
import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from hydra._internal.grammar import grammar_functions
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep, Transformer, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from pipeline.app.composition import overrides_in, with_dots
from pipeline.errors import ConfigError

SEQUENCE = re.compile(r"(?<!\\)\$\{(?:logspace|linspace):[^${}]*\}")  # of literal arguments
Number = int | Decimal


@dataclass(frozen=True, slots=True)
class RangeTexts(Sequence[str]):
    """The overrides of a key with the whole numbers of a range, `seed=0`, `seed=1`, …, made as they are taken."""

    beginning: str
    numbers: range

    def __len__(self) -> int:
        """How many there are."""
        return len(self.numbers)

    def __getitem__(self, number: Any) -> Any:
        """The text of that number."""
        return f"{self.beginning}{self.numbers[number]}"


def quoted(numbers: str, beginning: str = "") -> str:
    """JSON of texts with this beginning, made from JSON of whole numbers: without an object for each."""
    first = json.dumps(beginning)[:-1]
    texts = numbers[1:-1].replace(", ", f'", {first}')
    return f'[{first}{texts}"]'


def overrides_of(loader: ConfigLoader, master: DictConfig, arguments: Sequence[str]) -> list[Override]:
    """The overrides that make the jobs: `hydra.sweeper.params` stand before the arguments. Raises Hydra's errors."""
    parser = OverridesParser.create(config_loader=loader)
    parser.functions.functions |= {"sort": sort, "shuffle": shuffle}
    params = [f"{key}={value}" for key, value in (master.hydra.sweeper.get("params") or {}).items()]
    return parser.parse_overrides([SEQUENCE.sub(sequence, with_dots(text)) for text in (*params, *arguments)])


def read_overrides(overrides: Sequence[Override]) -> dict[str, Sequence[str] | range]:
    """The `texts` of each key, as BasicSweeper reads them: a later duplicate replaces the values, not the position."""
    by_key: dict[str, Override] = {}
    for override in overrides:
        count(override)
        by_key[override.get_key_element()] = override
    return {key: texts(override) for key, override in by_key.items()}


def write_out(loader: ConfigLoader, master: DictConfig) -> None:
    """Gives Hydra's own sweeper each value of each axis as a word, as it would make others of some, such as of `linspace`."""
    hydra = master.hydra
    axes = read_overrides(overrides_of(loader, master, overrides_in(master, "task")))
    if all(axes.values()):  # else there is no job
        with read_write(hydra), open_dict(hydra):
            hydra.overrides.task = [f"{key}={','.join(map(str, values))}" for key, values in axes.items()]
            hydra.sweeper.params = {}


def write_sequences(master: DictConfig) -> None:
    """Gives any other sweeper the values of sequences, and keys as Hydra has them."""
    hydra = master.hydra
    params = hydra.sweeper.get("params") or {}
    with read_write(hydra), open_dict(hydra):
        hydra.overrides.task = [SEQUENCE.sub(sequence, word) for word in overrides_in(master, "task")]
        if any("[" in key for key in params):
            hydra.sweeper.params = {with_dots(key): value for key, value in params.items()}


def sequence(match: re.Match[str]) -> str:
    """The values that an interpolation like ${logspace:1,100,3} stands for."""
    return str(OmegaConf.create({"axis": match[0]}).axis)


def count(override: Override) -> int:
    """How many values an override has. Raises HydraException for an interval, ConfigError for a range without end."""
    if override.is_interval_sweep():
        raise HydraException(f"{override.input_line}: an interval cannot be swept; use range or choice")
    value = override._value
    if isinstance(value, RangeSweep):
        return steps(value, str(override.input_line))
    if override.value_type is ValueType.GLOB_CHOICE_SWEEP:
        return len(list(override.sweep_iterator()))
    return len(value.list) if isinstance(value, ChoiceSweep) else 1


def jobs(overrides: Sequence[Override]) -> int:
    """How many jobs the overrides make; a later override of a key replaces an earlier one."""
    return math.prod({override.get_key_element(): count(override) for override in overrides}.values())


def texts(override: Override) -> Sequence[str] | range:
    """The values of an override as text that Hydra reads again; whole numbers that are a range, maybe of millions, as that."""
    value = override._value
    if isinstance(value, RangeSweep):
        numbers = shuffled(range_values(value)) if value.shuffle else range_values(value)
        return numbers if isinstance(numbers, range) else list(map(str, numbers))
    if isinstance(value, ChoiceSweep) and value.shuffle:
        return shuffled([Transformer.str(entry) for entry in value.list])
    return list(override.sweep_string_iterator()) if override.is_sweep_override() else [override.get_value_element_as_str()]


def shuffled(values: Sequence[Any]) -> list[Any]:
    """The values in another order, always the same of the same values: the same command is the same sweep, and resumes."""
    order = list(values)
    random.Random(repr(order)).shuffle(order)
    return order


def shuffle(*args: Any, sweep: Any = None, list: Any = None) -> Any:
    """Hydra's `shuffle`, by `shuffled`."""
    given = list if list is not None else sweep if sweep is not None else args[0] if len(args) == 1 else args
    if isinstance(given, type([])):
        return shuffled(given)
    return grammar_functions.shuffle(*(args if given is args else [given]))


def sort(*args: Any, sweep: Any = None, list: Any = None, reverse: bool = False) -> Any:
    """Hydra's `sort`; of a range, the values that the range has (Hydra 1.3 gives others where the step does not divide it)."""
    given = sweep if sweep is not None else args[0] if len(args) == 1 else None
    if not isinstance(given, RangeSweep):
        return grammar_functions.sort(*args, sweep=sweep, list=list, reverse=reverse)
    number, (first, _, step) = steps(given, "sort(range(…))"), decimals(given)
    if not number or (step < 0) is reverse:
        return given
    last = first + step * (number - 1)
    backward = copy(given)
    backward.start, backward.stop, backward.step = (as_given(value) for value in (last, first - step, -step))
    return backward


def decimals(value: RangeSweep) -> tuple[Number, Number, Number]:
    """Start, stop and step: whole numbers, or the decimal numbers that were written."""
    given = (value.start, value.stop, value.step)
    if all(isinstance(number, int) for number in given):
        return given  # type: ignore[return-value]
    return tuple(Decimal(repr(number)) for number in given)  # type: ignore[return-value]


def as_given(number: Number) -> int | float:
    """A whole number as such, a decimal one as a float."""
    return number if isinstance(number, int) else float(number)


def steps(value: RangeSweep, written: str) -> int:
    """How many numbers a range has. Raises ConfigError where it never ends."""
    start, stop, step = decimals(value)
    if not all(math.isfinite(number) for number in (start, stop, step)) or step == 0:
        raise ConfigError("range", written, "must have an end, and a step other than 0")
    with localcontext() as context:
        context.prec = 700  # of any two floats, exactly
        return max(0, math.ceil(Decimal(stop - start) / step))


def range_values(value: RangeSweep) -> Sequence[int | float]:
    """Start + k × step, computed in decimal arithmetic: 0.3 and not 0.30000000000000004."""
    start, _, step = decimals(value)
    number_of_values = steps(value, "range(…)")
    if isinstance(start, int) and isinstance(step, int):
        return range(start, start + number_of_values * step, step)
    with localcontext() as context:
        context.prec = 700
        return [as_given(start + number * step) for number in range(number_of_values)]
