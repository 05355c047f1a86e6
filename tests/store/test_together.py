"""Processes that write into one SQLite store at once lose nothing of each other's; what a killed one leaves is removed."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.store.addresses import address
from pipeline.store.local import leftovers
from pipeline.store.sqlite import prepare_sqlite
from tests import ROOT
from tests.amounts import amount
from tests.stores import runs_of

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
LOCKS = """
from pathlib import Path
import os, re
from pipeline.store.write import Store
from pipeline.store.sqlite import readable_sqlite
from pipeline.store.read import reader
def locks():
    inode = Path("m.db").stat().st_ino
    return sum(f"POSIX" in line and f" {os.getpid()} " in line and f":{inode} " in line for line in open("/proc/locks"))
held = []
for _ in range(3):
    kept = Store("sqlite:///m.db", "e"); kept.writer; kept.client.get_experiment_by_name("e"); held.append(locks())
    reader("sqlite:///m.db"); held.append(locks())
print(held)
"""


def start(*arguments: str, folder: Path | None = None) -> subprocess.Popen:
    """A command at work."""
    line = [sys.executable, "-m", *arguments]
    return subprocess.Popen(line, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def query(store: Path, text: str) -> list[tuple]:
    """Rows from the store's database."""
    connection = sqlite3.connect(store, timeout=60)
    try:
        return connection.execute(text).fetchall()
    finally:
        connection.close()


def test_a_process_keeps_its_locks_whatever_it_opens(folder):
    """By POSIX rules any closing of the file in the process drops the locks that SQLite holds on it."""
    ended = subprocess.run([sys.executable, "-c", LOCKS], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    first, *others = map(int, ended.stdout.strip("[]\n").split(","))
    assert first > 0
    assert all(one >= first for one in others), ended.stdout


def whole(store: Path, runs: int) -> None:
    """So many single runs, all finished, each with its curve and its weights."""
    found = query(store, "SELECT run_uuid, status, artifact_uri FROM runs")
    assert [status for _, status, _ in found] == ["FINISHED"] * runs
    points = dict(query(store, "SELECT run_uuid, count(*) FROM metrics WHERE key = 'error' GROUP BY run_uuid"))
    assert set(points.values()) == {6}
    assert len(points) == runs
    for _, _, place in found:
        with np.load(place.removeprefix("file://") + "/weights.npz") as weights:
            assert "weights_1" in weights.files


@pytest.mark.slow
def test_single_runs_at_once_into_a_new_store(folder):
    for repetition in range(amount(3)):
        at = folder / str(repetition)
        at.mkdir()
        runs = [start("pipeline.train", "max_epochs=5", f"hydra.run.dir=out/{number}", folder=at) for number in range(10)]
        for run in runs:
            output, _ = run.communicate(timeout=300)
            assert run.returncode == 0, output
        whole(at / "mlruns" / "mlflow.db", 10)
        assert sorted(path.name for path in (at / "mlruns").iterdir()) == ["artifacts", "mlflow.db"]
        assert not list((at / "mlruns" / "artifacts").glob(".*"))


@pytest.mark.slow
def test_two_sweeps_and_thirty_runs_at_once_one_of_them_killed(folder, empty_store):
    """Several times; what is killed, a sweep or a run, is chosen by chance, and when."""
    chance = random.Random(0)
    sweep = ("pipeline.train", "-m", "initial=uniform", "seed=range(40)", "max_epochs=30", "resume=never", "executor.chunk=5")
    for repetition in range(amount(10)):
        at = folder / str(repetition)
        store = at / "mlruns" / "mlflow.db"
        store.parent.mkdir(parents=True)
        store.write_bytes(empty_store.read_bytes())
        sweeps = [start(*sweep, f"learning_rate={rate}", f"hydra.sweep.dir=out/{rate}", folder=at) for rate in (1, 2)]
        code = (
            "import sys\nfrom pathlib import Path\nimport numpy as np\nfrom pipeline.app.composition import compose\n"
            "from pipeline.sweeps.single import single\nfor number in range(15): single(compose(['max_epochs=5']), {})"
        )
        singles = [
            subprocess.Popen(
                [sys.executable, "-c", code], cwd=at, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            for _ in range(2)
        ]
        processes = [*sweeps, *singles]
        victim = chance.choice(processes)
        time.sleep(chance.uniform(1.5, 6.0))
        victim.send_signal(signal.SIGKILL)
        for process in processes:
            output, errors = process.communicate(timeout=300)
            assert process is victim or process.returncode == 0, (output, errors)
        assert query(store, "PRAGMA integrity_check") == [("ok",)]
        belong = "SELECT run_uuid FROM tags WHERE key IN ('mlflow.parentRunId', 'kind')"
        alone = f"SELECT run_uuid FROM runs WHERE run_uuid NOT IN ({belong})"
        expected = 15 * sum(one is not victim for one in singles)
        assert expected <= len(query(store, alone)) <= 30
        assert not query(store, f"{alone} AND status != 'FINISHED'")
        for one, rate in zip(sweeps, (1, 2), strict=True):
            if one is not victim:
                parent = f"SELECT run_uuid FROM tags WHERE key = 'sweep.folder' AND value LIKE '%/out/{rate}/%'"
                children = f"SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' AND value IN ({parent})"
                finished = f"SELECT run_uuid FROM runs WHERE status = 'FINISHED' AND run_uuid IN ({children})"
                assert len(query(store, finished)) == 40
        # the next command removes what the killed one has left
        ended = start("pipeline.train", "max_epochs=3", folder=at)
        assert ended.wait(timeout=120) == 0
        ids = {run for (run,) in query(store, "SELECT run_uuid FROM runs")}
        left = {path.name for path in (at / "mlruns" / "artifacts").iterdir()} - ids
        assert not left


def test_weights_without_rows_are_removed_by_the_next_command(store, command, folder, monkeypatch):
    """A process that is killed between weights and rows, whose journal nobody holds."""
    assert command("train", "max_epochs=3").code == 0
    artifacts = store.parent / "artifacts"
    [kept] = [path.name for path in artifacts.iterdir()]
    lost, odd = "0" * 32, "1" * 32
    for name in lost, odd:
        (artifacts / name / "artifacts").mkdir(parents=True)
        (artifacts / name / "artifacts" / "weights.npz").touch()
    (artifacts / odd / "artifacts" / "mine.txt").write_text("not of this program")
    (folder / "precious").mkdir()
    (folder / "precious" / "weights.npz").touch()
    (artifacts / ("2" * 32)).mkdir()
    (artifacts / ("2" * 32) / "artifacts").symlink_to(folder / "precious")
    journal = artifacts / f"{leftovers.JOURNALS}x"
    journal.write_text(f"{kept} {lost} {odd} {'2' * 32} ../../precious")
    (artifacts / f"{leftovers.JOURNALS}link").symlink_to(folder / "precious" / "weights.npz")
    draft = store.parent / f"{leftovers.DRAFTS}7"
    draft.mkdir()
    for name in ("draft.db", "draft.db-wal", "copy.db", "mine"):
        (draft / name).touch()

    assert command("train", "max_epochs=4").code == 0
    assert not (artifacts / lost).exists()
    assert not journal.exists()
    assert (artifacts / kept / "artifacts" / "weights.npz").exists()
    assert [path.name for path in (artifacts / odd / "artifacts").iterdir()] == ["mine.txt"]
    assert (folder / "precious" / "weights.npz").exists()
    assert [path.name for path in draft.iterdir()] == ["mine"]


def test_weights_that_are_being_written_are_left(store):
    run = store.parent / "artifacts" / ("0" * 32)
    with leftovers.journal(run.parent, [run.name]):
        (run / "artifacts").mkdir(parents=True)
        (run / "artifacts" / "weights.npz").touch()
        prepare_sqlite(address(f"sqlite:///{store}"))
        assert (run / "artifacts" / "weights.npz").exists()
    assert [path.name for path in run.parent.iterdir()] == [run.name]


def test_runs_of_one_process_are_whole(store, command):
    for _ in range(amount(3)):
        assert command("train", "max_epochs=5").code == 0
    assert len(runs_of(store)[1]) == 3
    whole(store, 3)
