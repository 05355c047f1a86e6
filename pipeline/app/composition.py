"""The configuration as Hydra composes it, within a Hydra application or without one; its folder."""

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.core.utils import env_override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from pipeline.app.sequences import linspace, logspace
from pipeline.backprop.status import Status
from pipeline.errors import ConfigError, dotted

COMPOSITION_ERRORS = (ConfigError, HydraException, OmegaConfBaseException, yaml.YAMLError)  # what a wrong configuration raises

OmegaConf.register_new_resolver("logspace", logspace, replace=True)
OmegaConf.register_new_resolver("linspace", linspace, replace=True)
OmegaConf.register_new_resolver("statuses", lambda: "\n".join(f"  {one.word}: {one.meaning}" for one in Status), replace=True)

# The names of weights are keys of these sections, and only a network knows them: so Hydra takes any key there, without +.
OPEN = ("initial.offset.", "initial.set.")
ANY_NAME = OmegaConf.create({"offset": {}, "set": {}})
for section in ANY_NAME.values():
    OmegaConf.set_struct(section, False)
ConfigStore.instance().store(name="any_name", node=ANY_NAME, package="initial")


NAMING = ("where", "by", "map.across.key", "map.down.key", "initial.offset", "initial.set")  # keys whose values name keys


def with_dots(word: str) -> str:
    """An override with the addresses of weights in its key, or in a value that names keys, as Hydra's grammar has them."""
    key, equals, value = word.partition("=")
    return f"{dotted(key)}{equals}{dotted(value) if key in NAMING else value}"


def project_folder(name: str) -> Path:
    """A folder of data that belongs to the project: within the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return package / name if (package / name).is_dir() else package.parent / name


CONF = project_folder("conf")


def plain(config: DictConfig) -> dict[str, Any]:
    """The composed configuration as a dictionary, interpolations resolved, without Hydra's own part."""
    return OmegaConf.to_container(without_hydra(config), resolve=True)  # type: ignore[return-value]


def overrides_in(config: DictConfig, kind: str) -> list[str]:
    """The overrides of the command line as they were written: `task`, or Hydra's own, `hydra`."""
    return OmegaConf.to_container(config.hydra.overrides[kind])  # type: ignore[return-value]


def near(path: Path) -> Path:
    """A path from the folder that we are in, if it is below that."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def refuse_strays(config: DictConfig) -> None:
    """Raises ConfigError for a choice, such as a study, whose keys went under the name of its group."""
    for group, choice in config.hydra.runtime.choices.items():
        if group in config and not group.startswith("hydra") and (group == "study" or not (CONF / group).is_dir()):
            raise ConfigError(group, choice, "its file must begin with the line '# @package _global_', and have keys")


@contextmanager
def as_job(config: DictConfig, *folders: str) -> Iterator[None]:
    """Interpolations of Hydra's own node, and variables of `hydra.job.env_set`, are within as they are in a job of Hydra's."""
    state = HydraConfig.instance()
    before = state.cfg
    try:
        state.set_config(config)
        with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
            output = os.path.join(*(str(OmegaConf.select(config, key)) for key in folders))
            config.hydra.runtime.output_dir = os.path.abspath(output)
        state.set_config(config)
        with env_override(HydraConfig.get().job.env_set):
            yield
    finally:
        state.cfg = before


def without_hydra(config: DictConfig) -> DictConfig:
    """The composed configuration without Hydra's own part."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def compose(overrides: Sequence[str], config_name: str = "train") -> dict[str, Any]:
    """The configuration of a command with these overrides, each `key=value`, as `plain` gives it. Raises COMPOSITION_ERRORS.

    Hydra composes each choice of groups once (0.1 s); other values are set in a copy (5 ms).
    """
    choices: list[str] = []
    values: list[Override] = []
    for override in OverridesParser.create().parse_overrides(list(map(with_dots, overrides))):
        if override.type is not OverrideType.CHANGE or override.is_sweep_override() or override.package:
            raise ConfigError("overrides", override.input_line, "must be key=value, with one value")
        if (CONF / override.key_or_group).is_dir() and not isinstance(override.value(), dict):
            choices.append(str(override.input_line))
        else:
            values.append(override)
    config = copy.deepcopy(compose_choices(config_name, tuple(choices)))
    loader()._apply_overrides_to_config(values, config)  # type: ignore[attr-defined]
    return plain(config)


@cache
def compose_choices(config_name: str, choices: tuple[str, ...]) -> DictConfig:
    """The configuration of a command with these choices of groups, without Hydra's own part."""
    config = loader().load_configuration(config_name, list(choices), run_mode=RunMode.RUN, from_shell=False)
    with open_dict(config):
        del config["hydra"]
    return config


@cache
def loader() -> ConfigLoader:
    """Hydra's loader of the project's configuration; leaves a running Hydra application as it is."""
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF), job_name="application"):
            return GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().hydra = running


@dataclass(frozen=True)
class Multirun:
    """Hydra's loader, the configuration that all jobs start from, and the overrides of the command line."""

    loader: ConfigLoader
    config: DictConfig
    arguments: Sequence[str]

    @property
    def folder(self) -> Path:
        """Hydra's output folder of the sweep."""
        return Path(str(self.config.hydra.sweep.dir))

    @property
    def study(self) -> str:
        """The name of its study; empty if it is none."""
        return str(self.config.hydra.runtime.choices.get("study") or "")

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The configuration without Hydra's own part, resolved."""
        return plain(self.config)

    @property
    def limits(self) -> Any:
        """The configuration's `limits`, before any job is composed."""
        return OmegaConf.to_container(self.config, resolve=False).get("limits")  # type: ignore[union-attr]

    @property
    def words(self) -> list[str]:
        """What the command line had, flags and Hydra's own overrides included, without -m: the same words, the same sweep."""
        sources = {source.provider: Path(source.path) for source in self.config.hydra.runtime.config_sources if source.path}
        places = {"--config-path": sources.get("main", CONF), "--config-dir": sources.get("command-line")}
        flags = [f"{flag}={near(path)}" for flag, path in places.items() if path not in (None, CONF)]
        name = self.config.hydra.job.config_name
        flags += [f"--config-name={name}"] if name not in (None, "train") else []
        return [*flags, *overrides_in(self.config, "hydra"), *self.arguments]

    @property
    def files(self) -> dict[str, str]:
        """The configuration, resolved, and the overrides, as YAML files by name."""
        return {
            "config.yaml": yaml.safe_dump(self.configuration, sort_keys=False, allow_unicode=True),
            "overrides.yaml": OmegaConf.to_yaml(self.config.hydra.overrides),
        }

    def write_files(self) -> None:
        """Writes the files that Hydra writes for a job, once for the sweep."""
        self.folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, self.folder / "multirun.yaml")
        if self.config.hydra.output_subdir is None:
            return
        inner = self.folder / self.config.hydra.output_subdir
        inner.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(without_hydra(self.config), inner / "config.yaml")
        OmegaConf.save(OmegaConf.masked_copy(self.config, ["hydra"]), inner / "hydra.yaml")
        OmegaConf.save(OmegaConf.create(list(self.arguments)), inner / "overrides.yaml")


def compose_multirun(overrides: Sequence[str], config_name: str = "train") -> Multirun:
    """The multirun that `-m` and these overrides make. Raises Hydra's errors."""
    words = list(map(with_dots, overrides))
    config = loader().load_configuration(config_name, words, run_mode=RunMode.MULTIRUN, from_shell=False)
    refuse_strays(config)
    return Multirun(loader(), config, overrides_in(config, "task"))
