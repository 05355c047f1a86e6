"""What makes a command start and end quickly."""

import subprocess
import sys

import pytest

from pipeline.backprop.status import Status
from pipeline.store.write import Store
from tests.stores import EXPERIMENT, runs_of

OF_THE_STORE = {"alembic", "mlflow", "pandas", "pyarrow", "requests", "sqlalchemy"}
HEAVY = {"jax", "jinja2", "llvmlite", "matplotlib", "sklearn", "torch"} | OF_THE_STORE

RUN = """
import atexit, gc, sys
def tell():
    print("at exit:", gc.get_freeze_count() > 10_000, *sorted({heavy} & set(sys.modules)), file=sys.stderr)
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


def test_a_run_into_a_store_that_is_there_imports_nothing_heavy_and_leaves_the_libraries_to_the_process(store):
    Store(f"sqlite:///{store}", EXPERIMENT)
    frozen, *imported = at_exit("engine=numpy", "max_epochs=2")
    assert not imported
    assert frozen == "True"
    [run] = runs_of(store)[1]
    assert run.info.status == "FINISHED"


@pytest.mark.slow
def test_a_sweep_imports_nothing_of_mlflow(store):
    Store(f"sqlite:///{store}", EXPERIMENT)
    _, *imported = at_exit("-m", "engine=numpy", "max_epochs=2", "initial=uniform", "seed=0,1")
    assert {"alembic", "mlflow", "sqlalchemy"}.isdisjoint(imported)
    assert len(runs_of(store)[2]) == 2


@pytest.mark.slow
def test_the_engine_brings_nothing_of_the_store(store):
    Store(f"sqlite:///{store}", EXPERIMENT)
    _, *imported = at_exit("engine=compiled", "max_epochs=2")
    assert OF_THE_STORE.isdisjoint(imported)


def test_threads_that_have_nothing_to_do_take_no_time_of_a_processor():
    code = "import time, pipeline.app.application, numpy; time.sleep(0.2); print(time.process_time() - time.thread_time())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ended.stdout) < 0.02


BOTH = """
import sys, time
from threading import Event, Thread
from pipeline.report import metrics, note, tables
from pipeline.report.figures import files
from pipeline.sweeps.artifacts.files import prepare
begun = Event()
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "pipeline.report.page.contents":
            begun.set()
            time.sleep(0.3)
sys.meta_path.insert(0, Slow())
def report():
    from pipeline.report.page import write_report
    print("imported", flush=True)
other = Thread(target=report)
other.start()
begun.wait()
prepare()
other.join()
"""


@pytest.mark.slow
def test_the_report_is_imported_by_two_threads_at_once():
    """By the one that prepares it while runs are trained, and by the one that has trained them."""
    ended = subprocess.run([sys.executable, "-c", BOTH], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "imported\n"), ended.stderr


def test_help_says_what_the_statuses_mean(command):
    shown = command("train", "--help").out
    for status in Status:
        assert f"{status.word}: {status.meaning}" in shown
