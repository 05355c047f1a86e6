"""A sweep on Dask gives what it gives here, whoever dies or joins meanwhile; a worker of another version is refused."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import dask
import distributed
import numpy as np
import psutil
import pytest

from pipeline.app.interrupts import Interrupts
from pipeline.errors import ConfigError
from pipeline.sweeps.chunks import Chunk
from pipeline.sweeps.executors import dask_cluster as cluster
from pipeline.sweeps.executors.dask_cluster import Cluster
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import ExecutorChoice, read_run
from tests import ROOT
from tests.clusters import ENVIRONMENT, PAGE, SWEEP, digests, running, scheduler, until, worker
from tests.configurations import composed
from tests.pages import commands

LONG = (  # some seconds, in 20 chunks; its end is quick
    *("-m", "task=xor", "network=trained", "initial=uniform", "learning_rate=0.01", "seed=range(400)", "threshold=1e-9"),
    *("max_epochs=900000", "tracking.runs=none", "executor.chunk=20", "hydra.sweep.dir=out"),
)
DASK = "executor=dask"


def sweeping(folder: Path, *arguments: str):
    """The long sweep at work."""
    return running(
        "python -m pipeline.train", *LONG, *arguments, folder=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip


def kept(folder: Path) -> list[Path]:
    """The results that a sweep has kept so far."""
    return list(folder.glob("out/kept*/*.arrow"))


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """The workers that a sweep has started on this machine."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> list[str]:
    """The digests of the long sweep, trained in one process."""
    folder = tmp_path_factory.mktemp("expected")
    with sweeping(folder) as process:
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return digests(folder / "mlruns/mlflow.db", folder)


def chunks(count: int = 6, kind: type[Chunk] = Chunk) -> list[Chunk]:
    """Chunks of two trials each."""
    trials = [read_run(composed(max_epochs=20, seed=seed, initial={"kind": "uniform", "range": 1.0}))[0] for seed in range(2)]
    return [kind(np.array([2 * number, 2 * number + 1]), make_batch(trials), "numba") for number in range(count)]


@pytest.fixture
def local() -> Iterator[Cluster]:
    """One worker on this machine."""
    made = Cluster(ExecutorChoice("dask", workers=1), Interrupts())
    yield made
    made.close()


def test_a_sweep_on_dask_gives_the_same_digests_and_says_nothing_more(store, command, folder, local):
    """Though there is another cluster on this machine."""
    assert command("train", *SWEEP).code == 0
    here = digests(store, folder)
    ended = command("train", *SWEEP, DASK, "executor.chunk=7")
    assert (ended.code, ended.err) == (0, "")
    assert digests(store, folder) == here
    assert len(here) == 40


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("executor", [["executor=local"], [DASK, "executor.workers=1"], [DASK, "executor.workers=3"]])
def test_neither_executor_nor_chunks_make_a_difference(store, command, folder, chunk, executor):
    assert command("train", *SWEEP).code == 0
    here = digests(store, folder)
    ended = command("train", *SWEEP, *executor, f"executor.chunk={chunk}")
    assert (ended.code, ended.err) == (0, "")
    assert digests(store, folder) == here


def test_chunks_are_taken_as_workers_can_have_them_and_share_their_patterns(local):
    taken = []
    results = local.train((taken.append(chunk) or chunk for chunk in chunks(12)), lambda *_: None)
    first = next(results)
    assert len(taken) <= cluster.CHUNKS_PER_THREAD + 1
    tables = [first, *results]
    assert sorted(place for rows in tables for place in rows.indices) == list(range(24))
    assert len(local.shared) == 1


def test_progress_counts_runs_and_the_epochs_of_their_trainings(local):
    told = []
    [table] = local.train(chunks(1), lambda *more: told.append(more))
    assert told == [(2, sum(table.column("epochs")))]


def test_shared_patterns_survive_the_only_worker_that_has_them(local):
    list(local.train(chunks(1), lambda *_: None))
    [shared] = local.shared.values()
    [pid] = local.client.run(os.getpid).values()
    os.kill(pid, signal.SIGKILL)
    assert len(list(local.train(chunks(3), lambda *_: None))) == 3
    assert [future.key for future in local.shared.values()] == [shared.key]


class Deadly(Chunk):
    """A chunk that kills the worker that trains it."""

    __slots__ = ()

    def train(self, *_, **__):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_chunk_that_kills_its_workers_is_given_up_in_one_line(monkeypatch):
    monkeypatch.setattr(cluster, "RETRIES", 1)
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        made = Cluster(ExecutorChoice("dask", workers=1), Interrupts())
    try:
        with pytest.raises(ConfigError, match="workers died again and again over a chunk of 2 trials"):
            list(made.train(chunks(1, Deadly), lambda *_: None))
    finally:
        made.close()


def test_a_worker_that_joins_later_is_refused_by_its_first_chunk(local, monkeypatch):
    monkeypatch.setattr(cluster, "IDENTITY", {**cluster.IDENTITY, "NumPy": "1.0"})
    with pytest.raises(ConfigError, match=rf"^executor=dask: the worker tcp://\S+ has NumPy {np.__version__}, not 1\.0$"):
        list(local.train(chunks(1), lambda *_: None))


def test_another_numpy_is_refused_before_anything_is_written(folder, command, monkeypatch):
    monkeypatch.setattr(cluster, "IDENTITY", {**cluster.IDENTITY, "NumPy": "1.0"})
    ended = command("train", *SWEEP, DASK)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert f"has NumPy {np.__version__}, not 1.0" in ended.err
    assert list(folder.iterdir()) == []


def test_one_byte_in_a_comment_makes_other_sources(tmp_path):
    copied = shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    code = "from pipeline.sweeps.executors import dask_cluster as cluster; print(cluster.sources())"
    found = []
    for change in ("", "# a\n", "# b\n"):
        with (copied / "reproducibility/drift.py").open("a") as file:
            file.write(change)
        found.append(subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True).strip())
    assert found[0] == cluster.sources()
    assert len(set(found)) == 3


@pytest.mark.slow
def test_a_worker_with_other_sources_is_refused(tmp_path, store, command, folder):
    for name in ("pipeline", "hydra_plugins"):
        shutil.copytree(ROOT / name, tmp_path / "other" / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "other/pipeline/reproducibility/drift.py").open("a") as file:
        file.write("# changed\n")
    before = store.read_bytes()
    environment = {**ENVIRONMENT, "PYTHONPATH": str(tmp_path / "other")}
    with scheduler(tmp_path) as address, worker(address, tmp_path, environment):
        ended = command("train", *SWEEP, DASK, f"executor.address={address}")
    told = [line for line in ended.err.splitlines() if not line.startswith("waiting for workers")]
    assert (ended.code, len(told)) == (2, 1), ended.err
    assert re.match(rf"executor\.address={address}: the worker tcp://\S+ has sources of the project \w+, not \w+$", told[0])
    assert store.read_bytes() == before
    assert not (folder / "multirun").exists()


@pytest.mark.slow
def test_a_worker_that_cannot_import_the_project_is_refused(tmp_path, store, command):
    """The installed project is hidden from it by an empty module of the same name."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other/pipeline.py").touch()
    environment = {**ENVIRONMENT, "PYTHONPATH": str(tmp_path / "other")}
    with scheduler(tmp_path) as address, worker(address, tmp_path, environment):
        ended = command("train", *SWEEP, DASK, f"executor.address={address}")
    assert ended.code == 2
    assert re.match(rf"executor\.address={address}: the worker tcp://\S+ cannot import the project", ended.err.splitlines()[-1])


def test_no_scheduler_is_refused_in_one_line(folder, command, monkeypatch):
    """Nothing there, no address, something silent, something that says something else."""
    monkeypatch.setattr(cluster, "SECONDS_TO_ANSWER", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as other:
        Thread(target=lambda: other.accept()[0].sendall(b"HTTP/1.0 400 Bad Request" * 9), daemon=True).start()
        there = [f"tcp://127.0.0.1:{server.getsockname()[1]}" for server in (silent, other)]
        for address in ("tcp://127.0.0.1:1", "nonsense", "http://127.0.0.1:1", *there):
            ended = command("train", *SWEEP, DASK, f"executor.address={address}")
            assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
            assert ended.err.startswith(f"executor.address={address}: no Dask scheduler answers there (")
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_no_workers_are_waited_for_and_then_refused(tmp_path, store, command, monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS_FOR_WORKERS", 1.0)
    with scheduler(tmp_path) as address:
        ended = command("train", *SWEEP, DASK, f"executor.address={address}")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        f"waiting for workers at {address}",
        f"executor.address={address}: has no workers; start one with: .venv/bin/dask worker {address}",
    ]


def test_without_dask_its_installation_is_told(folder):
    code = "import sys; sys.modules['dask'] = None; import runpy; runpy.run_module('pipeline.train', run_name='__main__')"
    asked = subprocess.run(
        [sys.executable, "-c", code, *SWEEP, DASK], env=ENVIRONMENT, cwd=folder, capture_output=True, text=True, check=False
    )
    assert (asked.returncode, asked.stderr.splitlines()[-1]) == (2, "executor=dask: needs Dask: pip install -e '.[dask]'")
    assert list(folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_may_be_killed(folder, expected, workers):
    with sweeping(folder, DASK, f"executor.workers={workers}") as process:
        until(lambda: len(kept(folder)) >= 2)
        workers_of(process)[0].kill()
        _, errors = process.communicate(timeout=300)
    assert (process.returncode, "Traceback" in errors) == (0, False), errors
    assert digests(folder / "mlruns/mlflow.db", folder) == expected


@pytest.mark.slow
def test_a_worker_that_joins_is_used(folder, expected, tmp_path):
    with (
        scheduler(tmp_path) as address,
        worker(address, tmp_path),
        sweeping(folder, DASK, f"executor.address={address}") as process,
        distributed.Client(address, set_as_default=False) as client,
    ):
        until(lambda: kept(folder))
        with worker(address, tmp_path):
            until(lambda: sum(bool(tasks) for tasks in client.processing().values()) == 2)
            _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert digests(folder / "mlruns/mlflow.db", folder) == expected


@pytest.mark.slow
def test_a_scheduler_that_dies_is_told_in_one_line_and_the_sweep_goes_on_later(folder, expected, tmp_path):
    with scheduler(tmp_path) as address, worker(address, tmp_path):
        process = sweeping(folder, DASK, f"executor.address={address}")
        sweep = process.__enter__()
        until(lambda: kept(folder))
    _, errors = sweep.communicate(timeout=60)
    process.__exit__(None, None, None)
    assert sweep.returncode == 2, errors
    assert errors.splitlines()[-1].startswith(f"executor.address={address}: the scheduler is gone")
    assert "Traceback" not in errors
    with sweeping(folder) as again:
        out, errors = again.communicate(timeout=300)
    assert (again.returncode, "resuming run" in out) == (0, True), errors
    assert digests(folder / "mlruns/mlflow.db", folder) == expected


@pytest.mark.slow
def test_ctrl_c_is_answered_at_once_and_the_same_command_goes_on(folder, expected):
    with sweeping(folder, DASK, "executor.workers=2") as process:
        until(lambda: kept(folder))
        workers = workers_of(process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        started = time.monotonic()
        _, errors = process.communicate(timeout=60)
        seconds = time.monotonic() - started
    assert (process.returncode, "Traceback" in errors) == (130, False), errors
    assert seconds < 5.0  # 1 where nothing else is at work
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
    assert kept(folder)
    with sweeping(folder, DASK, "executor.workers=2") as again:
        out, errors = again.communicate(timeout=300)
    assert (again.returncode, "resuming run" in out) == (0, True), errors
    assert digests(folder / "mlruns/mlflow.db", folder) == expected


@pytest.mark.slow
def test_ctrl_c_is_answered_at_once_while_a_scheduler_or_workers_are_waited_for(folder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent, scheduler(tmp_path) as empty:
        for address in (f"tcp://127.0.0.1:{silent.getsockname()[1]}", empty):
            with sweeping(folder, DASK, f"executor.address={address}") as process:
                if address != empty:
                    silent.accept()
                else:  # a phase that takes long has its line, too
                    next(line for line in process.stderr if not line.startswith("opening"))
                os.killpg(process.pid, signal.SIGINT)
                started = time.monotonic()
                _, errors = process.communicate(timeout=60)
            assert (process.returncode, "Traceback" in errors) == (130, False), errors
            assert time.monotonic() - started < 5.0
    assert not kept(folder)


@pytest.mark.slow
def test_an_interrupted_sweep_frees_the_workers_of_others(folder, tmp_path):
    """A worker of one thread gives up the chunk that nobody waits for, though it would take minutes."""
    with scheduler(tmp_path) as address, worker(address, tmp_path), distributed.Client(address, set_as_default=False) as client:
        with sweeping(folder, DASK, f"executor.address={address}", "max_epochs=1000000000") as process:
            until(lambda: any(client.processing().values()))
            time.sleep(1.0)
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=60)
        assert client.submit(int, "7").result(timeout=10) == 7


@pytest.mark.slow
def test_the_commands_of_the_page_work(folder, store, command, tmp_path):
    """A scheduler and a worker by its own lines; then its sweeps on them."""
    lines = commands(PAGE)
    [start] = [line for line in lines if line.startswith(".venv/bin/dask scheduler")]
    [join] = [line for line in lines if line.startswith(".venv/bin/dask worker")]
    sweeps = [line for line in lines if line.startswith("python -m pipeline.train")]
    assert len(sweeps) >= 2
    with scheduler(tmp_path, start) as address:
        join, *sweeps = (re.sub(r"tcp://[\w.-]+:8786", address, line) for line in (join, *sweeps))
        with running(join, "--no-dashboard", "--local-directory", str(tmp_path), folder=folder):
            for line in sweeps:
                ended = command("train", *shlex.split(line)[3:], "seed=range(2)", "max_epochs=100")
                assert ended.code == 0, f"{line}\n{ended.err}"
