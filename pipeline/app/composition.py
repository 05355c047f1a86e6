"""The configuration as Hydra composes it, within a Hydra application or without one; its folder; its errors in one line."""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from pipeline.app.sequences import logspace
from pipeline.backprop.status import Status
from pipeline.errors import ConfigError, unknown_key

COMPOSITION_ERRORS = (ConfigError, HydraException, OmegaConfBaseException)  # what a wrong configuration raises
NO_SUCH_CHOICE = re.compile(
    r"Could not (?:find|load) '(?:.*/)?(?P<choice>[^'/]+)'\s+"
    r"Available options in '(?P<group>[^']+)':\s+(?P<options>[^:]*?)\s*(?:Config search path:|$)"
)

OmegaConf.register_new_resolver("logspace", logspace, replace=True)
OmegaConf.register_new_resolver("statuses", lambda: "\n".join(f"  {one.word}: {one.meaning}" for one in Status), replace=True)


def project_folder(name: str) -> Path:
    """A folder of data that belongs to the project: within the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return package / name if (package / name).is_dir() else package.parent / name


CONF = project_folder("conf")


def plain(config: DictConfig) -> dict[str, Any]:
    """The composed configuration as a dictionary, interpolations resolved, without Hydra's own part."""
    return OmegaConf.to_container(without_hydra(config), resolve=True)  # type: ignore[return-value]


def without_hydra(config: DictConfig) -> DictConfig:
    """The composed configuration without Hydra's own part."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def compose(overrides: Sequence[str], config_name: str = "train") -> dict[str, Any]:
    """The configuration of a command with these overrides, each `key=value`, as `plain` gives it. Raises COMPOSITION_ERRORS.

    Hydra composes each choice of groups once (0.1 s); other values are set in a copy (5 ms).
    """
    choices: list[str] = []
    values: list[Override] = []
    for override in OverridesParser.create().parse_overrides(list(overrides)):
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
        """The name of the sweep: that of its study, if it is one."""
        return str(self.config.hydra.runtime.choices.get("study") or "sweep")

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The configuration without Hydra's own part, resolved."""
        return plain(self.config)

    @property
    def files(self) -> dict[str, str]:
        """The configuration, resolved, and the overrides, as YAML files by name."""
        return {
            "config.yaml": yaml.safe_dump(self.configuration, sort_keys=False, allow_unicode=True),
            "overrides.yaml": OmegaConf.to_yaml(self.config.hydra.overrides),
        }

    def write_files(self) -> None:
        """Writes the files that Hydra writes for a job, once for the sweep."""
        inner = self.folder / (self.config.hydra.output_subdir or ".")
        inner.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, self.folder / "multirun.yaml")
        OmegaConf.save(without_hydra(self.config), inner / "config.yaml")
        OmegaConf.save(OmegaConf.masked_copy(self.config, ["hydra"]), inner / "hydra.yaml")
        OmegaConf.save(OmegaConf.create(list(self.arguments)), inner / "overrides.yaml")


def compose_multirun(overrides: Sequence[str], config_name: str = "train") -> Multirun:
    """The multirun that `-m` and these overrides make. Raises Hydra's errors."""
    config = loader().load_configuration(config_name, list(overrides), run_mode=RunMode.MULTIRUN, from_shell=False)
    return Multirun(loader(), config, list(config.hydra.overrides.task))


def one_line(error: Exception) -> str:
    """The error in one line."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override}: {(error.message or '').splitlines()[0]}"
    text = str(error)
    if match := re.match(r"Could not override '(.+)'\.", text):
        key = match[1]
        override = re.search(r"use \+(.+)", text)
        known = getattr(error.__cause__, "parent_node", None)
        names = tuple(str(name) for name in known if name != "hydra") if isinstance(known, DictConfig) else ()
        return f"{override[1] if override else key}: {unknown_key(key.rpartition('.')[2], names)}"
    if match := NO_SUCH_CHOICE.search(text):
        return f"{match['group']}={match['choice']}: must be one of {', '.join(match['options'].split())}"
    cause = error.__cause__
    lines = [*text.splitlines(), *(str(cause).splitlines() if isinstance(cause, OmegaConfBaseException) else [])]
    return " ".join(
        line.strip() for line in lines if line.strip() and not re.match(r"\s*(object_type|full_key|reference_type)", line)
    )
