"""`python -m pipeline.reproduce` trains recorded results again and compares them to the last bit.

The baselines, or with `sweep=latest` (or a parent run's id) a recorded sweep, or with `map=latest` a recorded map; the word
`status` only says when that was done last and what it found. Exit code 0: all equal, 1: something drifted.
"""

from typing import TYPE_CHECKING, Any

from pipeline.app.application import run

if TYPE_CHECKING:
    from pipeline.reproducibility.check import Finding, Settings

MOST_ROWS = 100_000  # of the table of a map's drifted pixels


def main(config: dict[str, Any]) -> int:
    """Checks, or updates the baselines; gives the exit code."""
    from pipeline.reproducibility import history  # with pandas, which takes long to import
    from pipeline.reproducibility.baselines import update
    from pipeline.reproducibility.check import check, read_settings
    from pipeline.reproducibility.watch import watched

    settings = read_settings(config)
    if settings.status:
        return history.show()
    if settings.baseline == "update":
        return update(settings.folder)
    return watched(settings, check if settings.map is None else check_map)


def check_map(settings: "Settings") -> "Finding":
    """Trains a recorded map, or a sample of its pixels, again."""
    from pipeline.maps.recording import reproduction
    from pipeline.reproducibility.check import MOST_DRIFTS, TABLE, Outcome, environments, record, sample
    from pipeline.store.environment import environment_tags, source_tags

    recorded = reproduction.recorded_map(settings.tracking.uri, str(settings.map))
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
