"""Kills sweeps at random times and goes on with them: `python -m tests.torture [kills]`, or `make torture`.

A sweep is run once without harm. Then the same command is killed (SIGKILL, SIGTERM, SIGINT by turns) at a random time, again
and again until one of its processes lives to the end; then a new sweep is begun. Whatever happened, the store must be whole,
and each sweep must have the results of the one without harm.
"""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SWEEP = (
    *("-m", "task=xor", "network=trained", "initial=uniform", "learning_rate=1,2", "seed=range(30)", "threshold=1e-1,1e-2"),
    *("max_epochs=3000", "executor.chunk=7", "hydra.sweep.dir=out/${now:%H-%M-%S-%f}"),
)
DIGESTS = ["learning_rate", "seed", "threshold", "status", "epochs", "final_error", "gradient_norm", "key", "digest"]
OPEN = "('RUNNING', 'SCHEDULED')"


@dataclass
class Tally:
    """What has happened: kills by signal, sweeps ended, the seconds that SIGINT and SIGTERM took to be answered."""

    kills: Counter = field(default_factory=Counter)
    sweeps: int = 0
    resumed: int = 0
    answers: list[float] = field(default_factory=list)
    checks: int = 0


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """The sweep's process."""
    command = [sys.executable, "-m", "pipeline.train", *SWEEP, *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def query(folder: Path, text: str) -> list[tuple]:
    """Rows from the store's database."""
    connection = sqlite3.connect(folder / "mlruns/mlflow.db", timeout=60)
    try:
        return connection.execute(text).fetchall()
    finally:
        connection.close()


def check_store(folder: Path) -> None:
    """The database is whole, and no sweep has a trial twice."""
    assert query(folder, "PRAGMA integrity_check") == [("ok",)]
    twice = query(
        folder,
        "SELECT parent.value, place.value, count(*) FROM runs JOIN tags parent ON parent.run_uuid = runs.run_uuid AND "
        "parent.key = 'mlflow.parentRunId' JOIN tags place ON place.run_uuid = runs.run_uuid AND place.key = 'trial.place' "
        "WHERE runs.lifecycle_stage = 'active' GROUP BY 1, 2 HAVING count(*) > 1",
    )
    assert not twice, twice


def check_sweep(folder: Path, wanted: pd.DataFrame) -> None:
    """The sweep that ended last has the wanted results, each with a finished run; no run is left open, no folder left over."""
    [(parent, where)] = query(
        folder,
        "SELECT runs.run_uuid, artifact_uri FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = 'kind' "
        "WHERE status = 'FINISHED' ORDER BY end_time DESC LIMIT 1",
    )
    results = pd.read_parquet(where.removeprefix("file://") + "/results.parquet")
    pd.testing.assert_frame_equal(results[DIGESTS], wanted[DIGESTS], check_exact=True)
    children = query(
        folder,
        "SELECT runs.run_uuid FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = 'mlflow.parentRunId' AND "
        f"tags.value = '{parent}' WHERE status = 'FINISHED' AND lifecycle_stage = 'active'",
    )
    assert sorted(results["run_id"]) == sorted(run_id for (run_id,) in children)
    assert not query(folder, f"SELECT run_uuid, status FROM runs WHERE status IN {OPEN} AND lifecycle_stage = 'active'")
    assert not list(folder.glob("out/*/kept*/*.arrow"))


def torture(folder: Path, kills: int, seed: int = 0) -> Tally:
    """So many kills, and more until a sweep is gone on with; raises AssertionError where anything was lost."""

    def enough() -> bool:
        killed = sum(tally.kills.values())
        return killed >= kills and (tally.resumed > 0 or killed >= 5 * kills)

    chance = random.Random(seed)
    tally = Tally()
    started = time.monotonic()
    process = start(folder)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    longest = time.monotonic() - started
    [(where,)] = query(folder, "SELECT artifact_uri FROM runs JOIN tags USING (run_uuid) WHERE key = 'kind'")
    wanted = pd.read_parquet(where.removeprefix("file://") + "/results.parquet")
    check_sweep(folder, wanted)
    while not enough() or process.returncode != 0:
        process = start(folder)
        if not enough():
            try:
                output, _ = process.communicate(timeout=chance.uniform(0.3, longest))
            except subprocess.TimeoutExpired:
                number = SIGNALS[sum(tally.kills.values()) % len(SIGNALS)]
                process.send_signal(number)
                asked = time.monotonic()
                output, _ = process.communicate()
                tally.kills[number.name] += 1
                if process.returncode == 130:
                    tally.answers.append(time.monotonic() - asked)
                # before its handlers are set, a process dies of SIGTERM, and Python of SIGINT, as any other does
                allowed = (0, 130, -number, 1 if number == signal.SIGINT else 130)
                assert process.returncode in allowed, f"{number.name}: code {process.returncode}\n{output}"
        else:
            output, _ = process.communicate()
        check_store(folder)
        tally.checks += 1
        if process.returncode == 0:
            check_sweep(folder, wanted)
            tally.sweeps += 1
            tally.resumed += "resuming run" in output
    return tally


def main() -> None:
    """Tortures and prints the figures."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    started = time.monotonic()
    try:
        tally = torture(folder, kills, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    finally:
        shutil.rmtree(folder)
    by_signal = ", ".join(f"{count} {name}" for name, count in sorted(tally.kills.items()))
    print(f"{sum(tally.kills.values())} kills ({by_signal}) over {tally.sweeps} sweeps, {tally.resumed} of them gone on with")
    print(f"{tally.checks} checks of the store: whole, no trial twice; every sweep has the digests of the one without harm")
    if tally.answers:
        median = sorted(tally.answers)[len(tally.answers) // 2]
        print(f"SIGINT and SIGTERM answered in {median:.2f} s (median), {max(tally.answers):.2f} s at most")
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
