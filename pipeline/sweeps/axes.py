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
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict

from pipeline.app.axis_values import jobs, overrides_of, read_overrides
from pipeline.app.composition import OPEN, as_job, plain
from pipeline.errors import ConfigError

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


@dataclass(frozen=True, slots=True)
class Swept:
    """An axis: its name, its values and their overrides; the key in a configuration that its values go to, if it is plain."""

    name: str
    path: str | None
    values: tuple[Any, ...]
    texts: tuple[str, ...]

    @property
    def varies(self) -> bool:
        """Whether it has more than one value."""
        return len(self.values) > 1


@dataclass(frozen=True, slots=True)
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

    def as_data(self) -> dict[str, Any]:
        """All of it as what JSON can hold."""
        axes = [{"name": axis.name, "path": axis.path, "values": axis.values, "texts": axis.texts} for axis in self.axes]
        return {"axes": axes, "bases": self.bases}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Product:
        """The product of which `as_data` gave this. Raises ConfigError for any other data."""
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
    """The values that one key takes; plain if they can be put into a configuration that is resolved."""

    key: str
    path: str
    values: tuple[Value, ...]
    plain: bool = False


def expand(loader: ConfigLoader, master: DictConfig, arguments: Sequence[str]) -> Product:
    """The jobs of a multirun, last axis fastest; `hydra.sweeper.params` stand before the arguments.

    Raises what Hydra raises for any of the jobs.
    """
    read_values = read_overrides(loader, master, arguments)
    texts = {key: [f"{key}={value}" for value in values] for key, values in read_values.items()}
    if not all(texts.values()):
        return Product((), ())
    axes = read_axes(loader, master, texts)
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
    swept = [
        Swept(
            name=axis.key.lstrip("+~"),
            path=axis.path if axis.plain else None,
            values=tuple(value.given for value in axis.values),
            texts=tuple(value.text for value in axis.values),
        )
        for axis in axes
    ]
    return Product(tuple(swept), tuple(bases))


def number_of_jobs(loader: ConfigLoader, master: DictConfig, arguments: Sequence[str]) -> int:
    """How many jobs there are, before any is made."""
    return jobs(overrides_of(loader, master, arguments))


def read_axes(loader: ConfigLoader, master: DictConfig, texts: dict[str, list[str]]) -> list[Axis]:
    """The axes, their values parsed again as Hydra does for each job."""
    own = OmegaConf.to_container(master.hydra.overrides.hydra)
    assert isinstance(own, list)
    _, repository = loader._parse_overrides_and_create_caching_repo(  # type: ignore[attr-defined]
        master.hydra.job.config_name, [*own, *(values[0] for values in texts.values())]
    )
    axes = []
    for key, values in texts.items():
        parsed = parse(key, values)
        first, _ = parsed[0]
        path = first.key_or_group
        hydra = path == "hydra" or first.is_hydra_override()
        group = repository.group_exists(path)
        composed = [hydra or (group and not isinstance(given, dict)) for _, given in parsed]
        read = zip(values, parsed, composed, strict=True)
        axes.append(Axis(key, path, tuple([Value(text, given, own, some) for text, (own, given), some in read])))
    return [replace(axis, plain=is_plain(axis, axes)) for axis in axes]


def parse(key: str, texts: Sequence[str]) -> list[tuple[Override, Any]]:
    """The override and the value of each text of one key: str(3), which is written 3, becomes a number again.

    Of a number, but the first value, it is the first override (see `Value`).
    """
    parser = OverridesParser.create()
    [first] = parser.parse_overrides([texts[0]])
    parsed: list[tuple[Override, Any]] = [(first, first.value())]
    for text in texts[1:]:
        if match := NUMBER.fullmatch(text, len(key) + 1):
            parsed.append((first, float(match[0]) if match[2] else int(match[0])))
        else:
            parsed += [(own, own.value()) for own in parser.parse_overrides([text])]
    return parsed


def is_plain(axis: Axis, axes: Sequence[Axis]) -> bool:
    """Whether the values of an axis are numbers and words that replace what stands at their key, whatever others do."""
    values = [value.given for value in axis.values if not isinstance(value.given, int | float)]
    return (
        len(axis.values) > 1
        and axis.values[0].parsed.type is OverrideType.CHANGE
        and not any(value.composed for value in axis.values)
        and not any(isinstance(value, dict | list) for value in values)
        and not any(interpolations(values))
        and (axis.path.startswith(OPEN) or not any(name[:1].isdigit() for name in axis.path.split(".")))  # no list's element
        and not any(
            f"{axis.path}.".startswith(f"{other.path}.") or f"{other.path}.".startswith(f"{axis.path}.")
            for other in axes
            if other is not axis and not all(value.composed for value in other.values)
        )
    )


def combinations(axes: Sequence[Axis]) -> Iterator[tuple[Value, ...]]:
    """The combinations of values in which plain axes stand at their first value, last axis fastest."""
    return product(*(axis.values[:1] if axis.plain else axis.values for axis in axes))


def choices(values: Iterable[Value]) -> tuple[str, ...]:
    """The overrides that Hydra composes from."""
    return tuple(value.text for value in values if value.composed)


def compose(
    loader: ConfigLoader, master: DictConfig, axes: Sequence[Axis]
) -> tuple[dict[tuple[str, ...], DictConfig], set[str]]:
    """What Hydra composes from each combination of choices, without its own node; and all interpolations, also of values."""
    given = (value.given for axis in axes for value in axis.values)
    read = {text for some in given if not isinstance(some, int | float) for text in interpolations(some)}
    compositions: dict[tuple[str, ...], DictConfig] = {}
    for values in combinations(axes):
        chosen = choices(values)
        if chosen in compositions:
            continue
        config = loader.load_sweep_config(master, list(chosen))
        refuse_dropped_axes(master, config, axes)
        environment = bool(config.hydra.job.env_set)
        with open_dict(config):
            del config["hydra"]
        compositions[chosen] = config
        read.update(interpolations(OmegaConf.to_container(config)))
        if environment and any("oc.env" in text for text in read):
            read.add("${hydra:job.env_set}")
    return compositions, read


def refuse_dropped_axes(master: DictConfig, config: DictConfig, axes: Sequence[Axis]) -> None:
    """Raises ConfigError where a choice that is swept, such as one of two studies, has axes of its own, which Hydra drops."""
    here, there = (params_of(one) for one in (master, config))
    if any(key not in here or here[key] != value for key, value in there.items()):
        swept = [axis for axis in axes if len(axis.values) > 1 and all(value.composed for value in axis.values)]
        values = ",".join(str(value.given) for axis in swept[:1] for value in axis.values)
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
