"""A Hydra multirun as the product of its axes, without composing every job.

`expand` gives the jobs that Hydra's BasicSweeper would give, in the same order and with the same configuration. What needs
Hydra's composition (config groups, +key, ~key, dictionaries) is composed once per combination; any other axis value is
applied once to each of those, which checks it, and its parsed value is then put into a copy of the plain configuration.
"""

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

# Interpolations that read nothing of the configuration: they resolve alike in every job.
INDEPENDENT = re.compile(r"^\$\{(oc\.env|logspace|now):[^$]*\}$")


@dataclass(frozen=True, slots=True)
class Job:
    """One job of a multirun: its overrides, the values of its axes that vary, its resolved configuration."""

    overrides: tuple[str, ...]
    axes: dict[str, Any]
    config: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Axis:
    """The values that one key takes, as overrides in text and parsed."""

    key: str
    texts: tuple[str, ...]
    overrides: tuple[Override, ...]
    composed: bool

    @property
    def name(self) -> str:
        """The key without Hydra's prefixes."""
        return self.overrides[0].key_or_group

    def value(self, index: int) -> Any:
        """The parsed value, as plain data."""
        return plain(self.overrides[index].value())


def plain(value: Any) -> Any:
    """A parsed override's value without Hydra's own types."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value


def read_axes(loader: ConfigLoader, params: dict[str, Any], arguments: Sequence[str]) -> list[Axis]:
    """The axes of a multirun: `params` first, then the command line.

    A later duplicate replaces the values but keeps the place, as in BasicSweeper; so does the rest of what is odd here.
    """
    parser = OverridesParser.create(config_loader=loader)
    texts: dict[str, list[str]] = {}
    for override in parser.parse_overrides([*(f"{key}={value}" for key, value in params.items()), *arguments]):
        key = override.get_key_element()
        if not override.is_sweep_override():
            texts[key] = [f"{key}={override.get_value_element_as_str()}"]
        elif override.is_discrete_sweep():
            texts[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
        else:
            assert override.value_type is not None
            raise HydraException(f"{override.input_line}: a sweep of type {override.value_type.name} is not supported")
    # each value is text, to be parsed again: str(3) becomes 3
    again = OverridesParser.create()
    parsed = {key: again.parse_overrides(values) for key, values in texts.items()}
    return [
        Axis(key, tuple(texts[key]), tuple(overrides), _needs_composition(loader, key, overrides, parsed))
        for key, overrides in parsed.items()
    ]


def _needs_composition(
    loader: ConfigLoader, key: str, overrides: Sequence[Override], others: dict[str, list[Override]]
) -> bool:
    """Whether an axis cannot simply be applied to a composed configuration."""
    name = overrides[0].key_or_group
    if len(overrides) == 1 or name == "hydra" or name.startswith("hydra."):
        return True
    if loader.get_group_options(name) or any(
        override.package is not None
        or override.is_add()
        or override.is_force_add()
        or override.is_delete()
        or isinstance(override.value(), dict)
        for override in overrides
    ):
        return True
    for other, (first, *_) in others.items():
        path = first.key_or_group.replace("/", ".")
        if other != key and (f"{path}.".startswith(f"{name}.") or f"{name}.".startswith(f"{path}.")):
            # an axis inside another: the order in which they are applied decides (inside a group it does not)
            if not loader.get_group_options(first.key_or_group) or isinstance(first.value(), dict):
                return True
    return False


def expand(loader: ConfigLoader, master: DictConfig, arguments: Sequence[str]) -> Iterator[Job]:
    """The jobs of a multirun, last axis fastest. Every axis value is checked before the first job is given."""
    axes = read_axes(loader, dict(master.hydra.sweeper.params or {}), arguments)
    composed = [axis for axis in axes if axis.composed]
    applied = [axis for axis in axes if not axis.composed]
    bases: dict[tuple[int, ...], dict[str, Any] | None] = {}
    for choice in product(*(range(len(axis.texts)) for axis in composed)):
        config = loader.load_sweep_config(master, [axis.texts[i] for axis, i in zip(composed, choice, strict=True)])
        bases[choice] = _applied_to(loader, config, applied)
    return _product(loader, master, axes, bases)


def _applied_to(loader: ConfigLoader, config: DictConfig, applied: Sequence[Axis]) -> dict[str, Any] | None:
    """Applies every axis value; gives the plain configuration, or None if it has to be resolved job by job."""
    base = _without_hydra(config)
    independent = _all_independent(base)
    plain_base = OmegaConf.to_container(base, resolve=True) if independent else None
    for axis in applied:
        for override in axis.overrides:
            loader._apply_overrides_to_config([override], config)  # type: ignore[attr-defined]
            independent = independent and "${" not in str(override.value())
    assert plain_base is None or isinstance(plain_base, dict)
    return plain_base if independent else None  # type: ignore[return-value]


def _all_independent(config: DictConfig) -> bool:
    def texts(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for entry in node.values():
                yield from texts(entry)
        elif isinstance(node, list):
            for entry in node:
                yield from texts(entry)
        elif isinstance(node, str) and "${" in node:
            yield node

    return all(INDEPENDENT.match(text) for text in texts(OmegaConf.to_container(config, resolve=False)))


def _without_hydra(config: DictConfig) -> DictConfig:
    config = copy.copy(config)
    with open_dict(config):
        del config["hydra"]
    return config


def _product(
    loader: ConfigLoader, master: DictConfig, axes: Sequence[Axis], bases: dict[tuple[int, ...], dict[str, Any] | None]
) -> Iterator[Job]:
    composed = [place for place, axis in enumerate(axes) if axis.composed]
    applied = [(place, axis, axis.name.split(".")) for place, axis in enumerate(axes) if not axis.composed]
    varied = [(place, axis) for place, axis in enumerate(axes) if len(axis.texts) > 1]
    values = [[axis.value(i) for i in range(len(axis.texts))] for axis in axes]
    for number, choice in enumerate(product(*(range(len(axis.texts)) for axis in axes))):
        overrides = tuple(axis.texts[i] for axis, i in zip(axes, choice, strict=True))
        base = bases[tuple(choice[place] for place in composed)]
        if base is None:
            config = _compose(loader, master, overrides, number)
        else:
            config = base
            for place, _, path in applied:
                config = _with(config, path, values[place][choice[place]])
        yield Job(overrides, {axis.name: values[place][choice[place]] for place, axis in varied}, config)


def _with(config: dict[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """A copy of the configuration with one value set; what is not on the way to it is shared."""
    first, *rest = path
    return {**config, first: _with(config[first], rest, value) if rest else value}


def _compose(loader: ConfigLoader, master: DictConfig, overrides: Sequence[str], number: int) -> dict[str, Any]:
    """The configuration of one job as Hydra's own launcher makes it."""
    from hydra.core.hydra_config import HydraConfig

    config = loader.load_sweep_config(master, list(overrides))
    with open_dict(config):
        config.hydra.job.id = number
        config.hydra.job.num = number
    state = HydraConfig.instance()
    before = state.cfg
    try:
        state.set_config(config)
        job = OmegaConf.to_container(_without_hydra(config), resolve=True)
    finally:
        state.cfg = before
    assert isinstance(job, dict)
    return job  # type: ignore[return-value]
