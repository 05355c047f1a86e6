"""What makes a command start and end quickly."""

import subprocess
import sys

import pytest

from pipeline.backprop.status import Status

HEAVY = {"jax", "jinja2", "matplotlib", "mlflow", "numba", "pandas", "sklearn", "sqlalchemy", "torch"}
BY_MLFLOW = {"mlflow", "pandas", "sqlalchemy"}

RUN = """
import atexit, gc, sys
def tell():
    print("at exit:", gc.get_freeze_count() > 100_000, *sorted({heavy} & set(sys.modules)), file=sys.stderr)
atexit.register(tell)  # first registered, last called
from pipeline.app.application import run
from pipeline.train import main
run(main, "train")
"""


def at_exit(*arguments: str) -> list[str]:
    """What a process of its own has at its end: whether the libraries' objects are frozen, and which libraries."""
    code = RUN.replace("{heavy}", repr(HEAVY))
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    return ended.stderr.splitlines()[-1].removeprefix("at exit: ").split()


@pytest.mark.parametrize("arguments", [["--help"], ["learning_rat=1"], ["learning_rate=-1"]], ids=" ".join)
def test_help_and_refusals_import_nothing_heavy(arguments, folder):
    _, *imported = at_exit(*arguments)
    assert HEAVY.isdisjoint(imported)


def test_a_run_imports_only_what_mlflow_does_and_leaves_the_libraries_to_the_process(store):
    frozen, *imported = at_exit("engine=numpy", "max_epochs=2")
    assert set(imported) <= BY_MLFLOW
    assert frozen == "True"


def test_help_says_what_the_statuses_mean(command):
    shown = command("train", "--help").out
    for status in Status:
        assert f"{status.word}: {status.meaning}" in shown
