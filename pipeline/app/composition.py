"""The configuration as Hydra composes it, and the folder that it is composed from."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

CONF = Path(__file__).parents[2] / "conf"


def plain(config: DictConfig) -> dict[str, Any]:
    """The composed configuration as a dictionary, interpolations resolved, without Hydra's own part."""
    values = OmegaConf.to_container(without_hydra(config), resolve=True)
    assert isinstance(values, dict)
    return values  # type: ignore[return-value]


def without_hydra(config: DictConfig) -> DictConfig:
    """The composed configuration without Hydra's own part."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
