"""A multirun as Hydra gives it to a sweeper."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pipeline.app.composition import loader, plain, without_hydra


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
