"""Tables to test with: the small ones in tests/trials/tables, how the program reads one, and how pandas does."""

import warnings
from pathlib import Path

import pandas as pd

from pipeline.trials.configuration import read_trial
from pipeline.trials.files import read_anew
from pipeline.trials.tasks import load
from tests import ROOT
from tests.configurations import configuration, uniform

TABLES = ROOT / "tests" / "trials" / "tables"
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": r"\s+", "pipe": "|"}
QUOTES = {"double": '"', "single": "'"}


def table(path, targets="y", **options):
    """The task of a table, read now. Raises ConfigError."""
    options = {"scaling": "none", **options}
    trial = read_trial(configuration(task={"name": "csv", "path": str(path), "targets": targets, **options}, initial=uniform()))
    read_anew()
    return load(trial.batch_key.task)


def by_pandas(
    path, separator="comma", decimal="point", header="auto", quote="double", encoding="utf-8", **more
) -> pd.DataFrame:
    """The same file as pandas reads it with the same options told to it; its warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = pd.read_csv(
            path,
            sep=SEPARATORS.get(separator, separator),
            decimal={"point": ".", "comma": ","}[decimal],
            header=None if header == "none" else 0,
            quotechar=QUOTES.get(quote, '"'),
            quoting=3 if quote == "none" else 0,
            encoding=encoding,
            skipinitialspace=True,
            index_col=False,
            **more,
        )
    frame.columns = list(map(str, frame.columns))
    return frame


def readme_lines() -> dict[str, tuple[str, str]]:
    """The target and what is expected of each small table, as README.txt has them; empty where it only says what it is."""
    found = {}
    for line in (TABLES / "README.txt").read_text().splitlines()[1:]:
        name, _, rest = line.partition(": ")
        target, _, expected = rest.rpartition(" [targets=")[2].rstrip("]").partition("; expected: ")
        found[name] = (target, expected) if " [targets=" in rest else ("y", "")
    return found


def files() -> list[Path]:
    """The small tables."""
    return sorted(path for path in TABLES.iterdir() if path.name != "README.txt")
