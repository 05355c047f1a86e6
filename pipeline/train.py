"""`python -m pipeline.train key=value …` trains one network; with `-m` and key=v1,v2 … a sweep of them."""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from pipeline.app.application import refuse, run
from pipeline.app.composition import plain
from pipeline.errors import ConfigError


class CheckBeforeWork(Callback):
    """Refuses a single run that cannot be trained or recorded before Hydra makes its output folder."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra with the composed configuration. Hydra swallows Exceptions here, but not an exit."""
        from pipeline.sweeps.single import check_run

        study = config.hydra.runtime.choices.get("study")
        try:
            if study and config.hydra.sweeper.params:
                raise ConfigError("study", study, "is a sweep: add -m")
            check_run(plain(config))
        except (ConfigError, OmegaConfBaseException) as error:
            refuse(error)


def main(config: DictConfig) -> int:
    """One run, or one job of `hydra/sweeper=basic`."""
    from pipeline.sweeps.single import single

    return single(plain(config), multirun_tag())


def multirun_tag() -> dict[str, str]:
    """What the jobs of one multirun of Hydra's own sweeper have in common."""
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        return {"multirun": str(Path(HydraConfig.get().sweep.dir).absolute())}
    return {}


if __name__ == "__main__":
    run(main, "train")
