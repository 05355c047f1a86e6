"""`python -m pipeline.reproduce` trains recorded results again and compares them to the last bit.

The baselines, or with `sweep=latest` (or a parent run's id) a recorded sweep, or with `map=latest` a recorded map. Exit code 0:
all equal, 1: something drifted.
"""

from typing import Any

from pipeline.app.application import run
from pipeline.reproducibility.baselines import update
from pipeline.reproducibility.check import check, read_settings


def main(config: dict[str, Any]) -> int:
    """Checks, or updates the baselines; gives the exit code."""
    settings = read_settings(config)
    if settings.map is not None:
        from pipeline.reproducibility.maps import check_map

        return check_map(settings)
    return update(settings.folder) if settings.baseline == "update" else check(settings)


if __name__ == "__main__":
    run(main, "reproduce")
