"""`python -m pipeline.summary` prints the tables of the latest sweep, or of `sweep=<run id>`, again."""

import tempfile
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from pipeline import convergence
from pipeline.application import plain, run

GRID_ROWS = 60


def report(results: pd.DataFrame) -> str:
    """All that is printed about a sweep."""
    parts = []
    for axis, table in convergence.by_axis(results).items():
        parts.append(f"By {axis}\n{text(convergence.readable(table))}")
    grid = convergence.grid(results)
    if 0 < len(grid) <= GRID_ROWS:
        parts.append(
            "Converged/runs and median epochs to convergence of each setting (– not reached)\n"
            + text(convergence.readable(grid))
        )
    best = convergence.best_settings(results)
    if len(best):
        parts.append(f"Lowest expected running time (ert, epochs per success)\n{text(convergence.readable(best))}")
    parts.append(convergence.in_words(results))
    return "\n\n".join(parts)


def text(table: pd.DataFrame) -> str:
    """A table in plain text, numbers to the right."""
    return table.to_string(index=False)


def write_tables(results: pd.DataFrame, folder: Path) -> None:
    """results.parquet and the summary tables, as files."""
    results.to_parquet(folder / "results.parquet", index=False)
    summary = folder / "summary"
    summary.mkdir()
    for axis, table in convergence.by_axis(results).items():
        table.to_csv(summary / f"by_{axis}.csv", index=False)
    if settings := convergence.settings_of(results):
        convergence.summarize(results, settings).to_csv(summary / "by_setting.csv", index=False)
        convergence.best_settings(results).to_csv(summary / "best.csv", index=False)
    (summary / "summary.txt").write_text(report(results) + "\n")


def note(results: pd.DataFrame) -> str:
    """The sweep's description in MLflow, in Markdown."""
    best = convergence.best_settings(results)
    table = f"\n\n{convergence.to_markdown(convergence.readable(best))}" if len(best) else ""
    return convergence.in_words(results) + table


def main(config: DictConfig) -> int:
    """Prints the tables of a recorded sweep."""
    from pipeline.tracking import download, find_sweep

    settings = plain(config)
    client, parent = find_sweep(settings["tracking"]["uri"], settings["sweep"])
    with tempfile.TemporaryDirectory() as folder:
        results = pd.read_parquet(download(client, parent, "results.parquet", folder))
    print(f"{parent.info.run_name}: run {parent.info.run_id}\n")
    print(report(results))
    return 0


if __name__ == "__main__":
    run(main, "summary")
