"""A Hydra multirun as the product of its axes, without composing every job.

`expand` gives the jobs that Hydra's BasicSweeper would launch, as a product: the same overrides in the same order, the same
resolved configurations, the same refusals. It does with a job's overrides what Hydra does, each step only as often as it must:

- choices of config groups decide what Hydra composes: once per combination (50 ms);
- other overrides are applied to a copy of that in their order, then interpolations are resolved (1 ms a combination);
- numbers and words at a key that no other override touches (a plain axis) are put into the resolved dictionary (5 µs a
  job). The first of them has gone the way above: the configuration has no types, so where it was taken, all are.

Where an interpolation may read what is swept, no axis is plain; where one reads Hydra's own node, each job is composed.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict

from pipeline.app.axis_values import RangeTexts, jobs, overrides_of, quoted, read_overrides
from pipeline.app.composition import OPEN, as_job, overrides_in, plain
from pipeline.errors import ConfigError, as_overrides

# Interpolations that read nothing of the configuration: they resolve alike in every job.
INDEPENDENT = re.compile(r"\$\{(oc\.env|logspace|linspace|now):[^${}]*\}")
# Numbers that Hydra's parser, at 50 µs each, reads as Python does.
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


class Job(NamedTuple):
    """One job of a multirun: its overrides, the values of its axes that vary, its resolved configuration.

    Jobs share the parts in which their configurations are equal: these are to be read, not changed.
    """

    overrides: tuple[str, ...]
    axes: dict[str, Any]
    config: dict[str, Any]


@dataclass(frozen=True)
class Swept:
    """An axis: its name, its values and their overrides; the key in a configuration that its values go to, if it is plain.

    Values that were given as a range of whole numbers, maybe of millions, are a range; their texts are `RangeTexts`.
    """

    name: str
    path: str | None
    values: Sequence[Any]
    texts: Sequence[str]

    @property
    def varies(self) -> bool:
        """Whether it has more than one value."""
        return len(self.values) > 1

    @property
    def words(self) -> list[str]:
        """Its values as text."""
        return self.values_json[1:-1].split(", ") if isinstance(self.values, range) else as_overrides(self.values)

    @cached_property
    def values_json(self) -> str:
        """Its values as JSON."""
        return str(list(self.values)) if isinstance(self.values, range) else json.dumps(self.values)

    @property
    def words_json(self) -> str:
        """Its values as text, as JSON."""
        return quoted(self.values_json) if isinstance(self.values, range) else json.dumps(self.words)

    @property
    def texts_json(self) -> str:
        """Its overrides, as JSON."""
        return quoted(self.values_json, self.texts.beginning) if isinstance(self.texts, RangeTexts) else json.dumps(self.texts)


@dataclass(frozen=True)
class Product(Sequence[Job]):
    """The jobs of a multirun, by number, made as they are taken: the product of its axes, last one fastest.

    `bases` are the resolved configurations of all combinations of values of the axes that are not plain, in their order,
    with plain axes at their first value.
    """

    axes: tuple[Swept, ...]
    bases: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        """How many jobs there are."""
        return math.prod(len(axis.values) for axis in self.axes) if self.bases else 0

    def __getitem__(self, number: Any) -> Any:
        """The job of that number."""
        number, digits = range(len(self))[number], []
        for axis in reversed(self.axes):
            number, digit = divmod(number, len(axis.values))
            digits.append(digit)
        digits = digits[::-1]
        pairs = list(zip(self.axes, digits, strict=True))
        return Job(
            tuple([axis.texts[digit] for axis, digit in pairs]),
            {axis.name: axis.values[digit] for axis, digit in pairs if axis.varies},
            self.config(digits),
        )

    def config(self, digits: Sequence[int]) -> dict[str, Any]:
        """The configuration of the job in which each axis has the value of that number: a base with the plain axes set."""
        number, plain_values = 0, []
        for axis, digit in zip(self.axes, digits, strict=True):
            if axis.path is None:
                number = number * len(axis.values) + digit
            else:
                plain_values.append((axis.path, axis.values[digit]))
        config = self.bases[number]
        if plain_values:
            config = config.copy()
        for path, value in plain_values:
            section = config
            *above, last = path.split(".")
            for name in above:
                section[name] = section = section[name].copy()
            section[last] = value
        return config

    @property
    def axes_json(self) -> str:
        """The axes in order, as JSON: the name of each, and its values as text."""
        return f"[{', '.join(f'[{json.dumps(axis.name)}, {axis.words_json}]' for axis in self.axes)}]"

    @cached_property
    def json(self) -> str:
        """All of it as JSON."""
        axes = (
            f'{{"name": {json.dumps(axis.name)}, "path": {json.dumps(axis.path)}, '
            f'"values": {axis.values_json}, "texts": {axis.texts_json}}}'
            for axis in self.axes
        )
        return f'{{"axes": [{", ".join(axes)}], "bases": {json.dumps(self.bases)}}}'

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Product:
        """The product whose `json` has these data. Raises ConfigError for any others."""
        with suppress(TypeError, KeyError, IndexError, AttributeError):
            axes = [Swept(axis["name"], axis["path"], tuple(axis["values"]), tuple(axis["texts"])) for axis in data["axes"]]
            jobs = cls(tuple(axes), tuple(data["bases"]))
            jobs.config([0] * len(axes))
            if (
                all(isinstance(axis.name, str) and len(axis.values) == len(axis.texts) for axis in axes)
                and all(isinstance(base, dict) for base in jobs.bases)
                and len(jobs.bases) == math.prod(len(axis.values) for axis in axes if axis.path is None)
            ):
                return jobs
        raise ConfigError("jobs", "…", "are not the jobs of a multirun")


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One value of an axis: its override, written `key=value`; what is given, read from it; whether Hydra composes from it.

    `parsed` is the override as Hydra has it, or that of another number of the axis: one for each takes time and memory.
    """

    text: str
    given: Any
    parsed: Override
    composed: bool

    @property
    def override(self) -> Override:
        """The override as Hydra has it."""
        return (
            self.parsed
            if self.parsed.input_line == self.text
            else replace(self.parsed, _value=self.given, input_line=self.text)
        )


@dataclass(frozen=True, slots=True)
class Axis:
    """The values that one key takes, and their overrides; plain if they can be put into a configuration that is resolved.

    `parsed` has the overrides as Hydra has them, by index, but for most numbers (see `Value`). Hydra composes from those of its
    own node, and from those of a group that are no dictionaries.
    """

    key: str
    path: str
    values: Sequence[Any]
    texts: Sequence[str]
    parsed: Mapping[int, Override]
    hydra: bool
    group: bool
    plain: bool = False

    @property
    def name(self) -> str:
        """Its key without a prefix."""
        return self.key.lstrip("+~")

    def value(self, index: int) -> Value:
        """The value of that index."""
        given = self.values[index]
        composed = self.hydra or (self.group and not isinstance(given, dict))
        return Value(self.texts[index], given, self.parsed.get(index, self.parsed[0]), composed)

    @property
    def composed(self) -> bool:
        """Whether Hydra composes from all of its values."""
        return self.hydra or (self.group and not any(isinstance(value, dict) for value in self.values))

    @property
    def no_numbers(self) -> Sequence[Any]:
        """Its values that are no numbers."""
        if isinstance(self.values, range):
            return ()
        return [value for value in self.values if not isinstance(value, int | float)]


def expand(
    loader: ConfigLoader, master: DictConfig, arguments: Sequence[str], check: Callable[[int], None] | None = None
) -> Product:
    """The jobs of a multirun, last axis fastest; `hydra.sweeper.params` stand before the arguments.

    `check` is given how many there are, before any is made. Raises what Hydra raises for any of the jobs.
    """
    overrides = overrides_of(loader, master, arguments)
    if check:
        check(jobs(overrides))
    values_of = read_overrides(overrides)
    if not all(values_of.values()):
        return Product((), ())
    axes = read_axes(loader, master, values_of)
    compositions, read = compose(loader, master, axes)
    launched = any("hydra" in text for text in read)
    if any("${" in INDEPENDENT.sub("", text) for text in read):
        axes = [replace(axis, plain=False) for axis in axes]
    bases = []
    for number, values in enumerate(combinations(axes)):
        if launched:
            bases.append(compose_job(loader, master, [value.text for value in values], number))
        else:
            config = copy.deepcopy(compositions[choices(values)])
            overrides = [value.override for value in values if not value.composed]
            loader._apply_overrides_to_config(overrides, config)  # type: ignore[attr-defined]
            bases.append(plain(config))
    refuse_given_twice(axes)
    swept = [
        Swept(
            name=axis.name,
            path=axis.path if axis.plain else None,
            values=axis.values,
            texts=axis.texts,
        )
        for axis in axes
    ]
    return Product(tuple(swept), tuple(bases))


def read_axes(loader: ConfigLoader, master: DictConfig, values_of: Mapping[str, Sequence[str] | range]) -> list[Axis]:
    """The axes, their values parsed again as Hydra does for each job."""
    own = OmegaConf.to_container(master.hydra.overrides.hydra)
    assert isinstance(own, list)
    overrides, repository = loader._parse_overrides_and_create_caching_repo(  # type: ignore[attr-defined]
        master.hydra.job.config_name, [*own, *(f"{key}={values[0]}" for key, values in values_of.items())]
    )
    axes = []
    for first, (key, values) in zip(overrides[len(own) :], values_of.items(), strict=True):
        path = first.key_or_group
        hydra = path == "hydra" or first.is_hydra_override()
        axes.append(Axis(key, path, *parse(key, values, first), hydra, repository.group_exists(path)))
    return [replace(axis, plain=is_plain(axis, axes)) for axis in axes]


def parse(key: str, values: Sequence[str] | range, first: Override) -> tuple[Sequence[Any], Sequence[str], dict[int, Override]]:
    """The values of one key, their overrides as text, and as Hydra has them, as an `Axis` has these.

    str(3), which is written 3, becomes a number again. `first` is the override of the first value.
    """
    if isinstance(values, range):
        return values, RangeTexts(f"{key}=", values), {0: first}
    parser, given, parsed = OverridesParser.create(), [first.value()], {0: first}
    texts = [f"{key}={value}" for value in values]
    for index, text in enumerate(texts[1:], 1):
        if match := NUMBER.fullmatch(text, len(key) + 1):
            given.append(float(match[0]) if match[2] else int(match[0]))
        else:
            [parsed[index]] = parser.parse_overrides([text])
            given.append(parsed[index].value())
    return tuple(given), tuple(texts), parsed


def is_plain(axis: Axis, axes: Sequence[Axis]) -> bool:
    """Whether the values of an axis are numbers and words that replace what stands at their key, whatever others do."""
    others = axis.no_numbers
    return (
        len(axis.values) > 1
        and axis.parsed[0].type is OverrideType.CHANGE
        and not (axis.hydra or axis.group)
        and not any(isinstance(value, dict | list) for value in others)
        and not any(interpolations(others))
        and (axis.path.startswith(OPEN) or not any(name[:1].isdigit() for name in axis.path.split(".")))  # no list's element
        and not any(
            f"{axis.path}.".startswith(f"{other.path}.") or f"{other.path}.".startswith(f"{axis.path}.")
            for other in axes
            if other is not axis and not other.composed
        )
    )


def combinations(axes: Sequence[Axis]) -> Iterator[tuple[Value, ...]]:
    """The combinations of values in which plain axes stand at their first value, last axis fastest."""
    return product(*(map(axis.value, range(1 if axis.plain else len(axis.values))) for axis in axes))


def choices(values: Iterable[Value]) -> tuple[str, ...]:
    """The overrides that Hydra composes from."""
    return tuple(value.text for value in values if value.composed)


def compose(
    loader: ConfigLoader, master: DictConfig, axes: Sequence[Axis]
) -> tuple[dict[tuple[str, ...], DictConfig], set[str]]:
    """What Hydra composes from each combination of choices, without its own node; and all interpolations, also of values."""
    read = {text for axis in axes for text in interpolations(axis.no_numbers)}
    compositions: dict[tuple[str, ...], DictConfig] = {}
    changes = all(axis.parsed[0].type is OverrideType.CHANGE for axis in axes)  # which may be made twice
    given = {*overrides_in(master, "hydra"), *overrides_in(master, "task")}
    for values in combinations(axes):
        chosen = choices(values)
        if chosen in compositions:
            continue
        is_master = changes and given.issuperset(chosen)  # Hydra has composed it already
        config = copy.deepcopy(master) if is_master else loader.load_sweep_config(master, list(chosen))
        refuse_dropped_axes(master, config, axes)
        environment = bool(config.hydra.job.env_set)
        with open_dict(config):
            del config["hydra"]
        compositions[chosen] = config
        read.update(interpolations(OmegaConf.to_container(config)))
        if environment and any("oc.env" in text for text in read):
            read.add("${hydra:job.env_set}")
    return compositions, read


def refuse_given_twice(axes: Sequence[Axis]) -> None:
    """Raises ConfigError for a key that is swept and given once more, with another prefix: one of the two says nothing."""
    for axis in axes:
        keys = [other.key for other in axes if other.name == axis.name]
        if len(keys) > 1 and len(axis.values) > 1:
            values = f"{axis.values[0]},{axis.values[1]}{',…' if len(axis.values) > 2 else ''}"
            raise ConfigError(axis.key, values, f"is given twice, as {' and '.join(keys)}: give it once")


def refuse_dropped_axes(master: DictConfig, config: DictConfig, axes: Sequence[Axis]) -> None:
    """Raises ConfigError where a choice that is swept, such as one of two studies, has axes of its own, which Hydra drops."""
    here, there = (params_of(one) for one in (master, config))
    if any(key not in here or here[key] != value for key, value in there.items()):
        swept = [axis for axis in axes if len(axis.values) > 1 and axis.composed]
        values = ",".join(str(value) for axis in swept[:1] for value in axis.values)
        raise ConfigError(
            swept[0].key if swept else "hydra.sweeper.params", values, "cannot be swept: each has axes of its own"
        )


def params_of(config: DictConfig) -> dict[str, Any]:
    """`hydra.sweeper.params`, unresolved."""
    params = OmegaConf.to_container(config.hydra.sweeper).get("params")  # type: ignore[union-attr]
    return dict(params or {})


def interpolations(data: Any) -> Iterator[str]:
    """The texts in a container that hold interpolations."""
    if isinstance(data, dict | list):
        for entry in data.values() if isinstance(data, dict) else data:
            yield from interpolations(entry)
    elif isinstance(data, str) and "${" in data:
        yield data


def compose_job(loader: ConfigLoader, master: DictConfig, overrides: list[str], number: int) -> dict[str, Any]:
    """The configuration of one job as Hydra's own launcher makes it."""
    config = loader.load_sweep_config(master, overrides)
    with open_dict(config):
        config.hydra.job.id = config.hydra.job.num = number
    with as_job(config, "hydra.sweep.dir", "hydra.sweep.subdir"):
        return plain(config)
