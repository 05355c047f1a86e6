"""Dask schedulers, workers and commands in processes of their own, and a sweep that must give the same on any of them."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import psutil
from mlflow import MlflowClient

from tests import ROOT
from tests.pages import PAGES

PAGE = PAGES["cluster.md"]
BIN = Path(sys.executable).parent
SWEEP = ("-m", "initial=uniform", "learning_rate=0.5,[2,1]", "seed=range(10)", "threshold=1e-2,1e-3", "max_epochs=300")
QUIET = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}


def digests(store: Path, folder: Path) -> list[str]:
    """Of all trials of the newest sweep, in their order."""
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("backpropagation")
    found = client.search_runs([experiment.experiment_id], "tags.`sweep.trials` != ''", order_by=["start_time DESC"])
    assert found[0].info.status == "FINISHED"
    return pd.read_parquet(client.download_artifacts(found[0].info.run_id, "results.parquet", str(folder)))["digest"].tolist()


def until(found: Callable[[], object], seconds: float = 60.0) -> object:
    """What is found, as soon as there is something."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError("it does not come")


@contextmanager
def running(line: str, *more: str, folder: Path | None = None, **options: object) -> Iterator[subprocess.Popen]:
    """A command at work, in a session of its own; all that it started is gone afterwards."""
    first, *rest = shlex.split(line)
    words = [sys.executable if first == "python" else re.sub(r"^\.venv/bin", str(BIN), first), *rest, *more]
    process = subprocess.Popen(
        words, cwd=folder, text=True, start_new_session=True, **{"env": ENVIRONMENT, "stderr": subprocess.DEVNULL, **options}
    )
    try:
        yield process
    finally:
        for each in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
            each.kill()
        process.kill()
        process.wait()


@contextmanager
def scheduler(folder: Path, line: str = ".venv/bin/dask scheduler") -> Iterator[str]:
    """A scheduler at work; gives its address."""
    file = folder / "scheduler.json"
    with running(line, *QUIET, "--scheduler-file", str(file), folder=folder):
        until(lambda: file.exists() and file.read_text().rstrip().endswith("}"))
        yield json.loads(file.read_text())["address"]


def worker(address: str, folder: Path, environment: dict[str, str] = ENVIRONMENT):
    """A worker of one thread."""
    line = f".venv/bin/dask worker {address} --nthreads 1 --no-dashboard --local-directory {folder}"
    return running(line, folder=folder, env=environment)
