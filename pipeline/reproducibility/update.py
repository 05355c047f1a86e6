"""The baselines written anew."""

from pathlib import Path

from pipeline.app.progress import progress_bar
from pipeline.reproducibility import baselines
from pipeline.reproducibility.drift import train_again


def update(folder: Path) -> int:
    """Writes today's results into the baselines, with samples of studies that have none, and prints what has changed."""
    rows = {path: baselines.read(path) for path in sorted(folder.glob("*.csv"))}
    for study in baselines.studies():
        path = baselines.file_of_study(folder, study)
        if path not in rows and folder == baselines.FOLDER:
            rows[path] = baselines.sample_of_study(study)
    if not rows:
        baselines.files(folder)
    trials = [baselines.trial_of(f"{path.name}:{line}", row) for path in rows for line, row in enumerate(rows[path], 2)]
    with progress_bar() as bar:
        results = iter(train_again(trials, "numpy", baselines.CURVE_POINTS, bar("numpy", len(trials))))
    for path, before in rows.items():
        after = [baselines.filled_in(row, next(results)) for row in before]
        changed = 0
        for line, (old, new) in enumerate(zip(before, after, strict=True), 2):
            columns = [column for column in baselines.COLUMNS if old[column] != new[column]]
            changed += bool(columns)
            if columns:
                how = ", ".join(change(column, old[column], new[column]) for column in columns) if old["key"] else "new"
                print(f"{baselines.shown(path)}:{line}: {new['overrides']}: {how}")
        if changed:
            baselines.write(path, after)
        print(f"{baselines.shown(path)}: {changed} of {len(after)} changed")
    return 0


def change(column: str, old: str, new: str) -> str:
    """How a cell has changed, in short."""
    return f"{column} {old} → {new}" if column in ("status", "epochs", "final_error") else column
