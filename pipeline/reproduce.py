"""`python -m pipeline.reproduce` trains recorded results again and compares them to the last bit.

The baselines, or with `sweep=latest` (or a parent run's id) a recorded sweep, or with `map=latest` a recorded map. Exit code 0:
all equal, 1: something drifted.
"""

from typing import Any

from pipeline.app.application import run
from pipeline.reproducibility.baselines import update
from pipeline.reproducibility.check import (
    MOST_DRIFTS,
    TABLE,
    Outcome,
    Settings,
    check,
    environments,
    read_settings,
    record,
    sample,
)

MOST_ROWS = 100_000  # of the table of a map's drifted pixels


def main(config: dict[str, Any]) -> int:
    """Checks, or updates the baselines; gives the exit code."""
    settings = read_settings(config)
    if settings.map is not None:
        return check_map(settings, settings.map)
    return update(settings.folder) if settings.baseline == "update" else check(settings)


def check_map(settings: Settings, which: str) -> int:
    """Trains a recorded map, or a sample of its pixels, again; gives the exit code."""
    from pipeline.maps.recording import reproduction
    from pipeline.store.environment import environment_tags, source_tags

    recorded = reproduction.recorded_map(settings.tracking.uri, which)
    pixels = sample(recorded.result.status.size, settings.sample, settings.seed)

    def work() -> Outcome:
        drifts = reproduction.drifted(recorded.grid, recorded.result, pixels, settings.engines)
        parts = reproduction.in_words(recorded.grid, drifts, MOST_DRIFTS)
        if len(drifts) > MOST_DRIFTS:
            parts.append(f"… and {len(drifts) - MOST_DRIFTS:,} more: see {TABLE} of this check's run in MLflow")
        if parts:
            parts.append(environments(recorded.tags, {**environment_tags(), **source_tags()}, {}))
        return Outcome(len(pixels), drifts["pixel"].nunique(), parts, drifts.head(MOST_ROWS))

    return record(settings, recorded.name, {"map": recorded.run_id}, work, " pixels")


if __name__ == "__main__":
    run(main, "reproduce")
