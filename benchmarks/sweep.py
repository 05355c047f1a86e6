"""What does a tracked sweep cost, from prompt to prompt? `python -m benchmarks.sweep`.

1,000 runs of the worked example's network from random weights, recorded in a SQLite store, with tables, figures and report:
against the pipeline that people write today (`benchmarks/usual.py`), which is measured on 5 and on 40 runs and scaled. Both
stores are there before, and what is compiled once is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import lowest_and_median, show

RUNS, FEW, SOME = 1000, 5, 40
ROUNDS = 3
OURS = ("pipeline.train", "-m", "initial=uniform", "learning_rate=0.1,0.5,1,2,5", f"seed=range({RUNS // 5})")
USUAL = ("benchmarks.usual", "-m", "hydra.sweep.dir=out", "learning_rate=0.1,0.5,1,2,5")
HERE = Path(__file__).parent.parent


def seconds(folder: str, module: str, *arguments: str) -> float:
    """How long a command takes in this folder, as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(HERE), "MLFLOW_DISABLE_TELEMETRY": "true"}
    started = time.perf_counter()
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stderr)
    return taken


def main() -> None:
    """Prints and stores the ratio."""
    ours, few, some = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        seconds(folder, *OURS)
        seconds(folder, *USUAL, "seed=0")
        for _ in range(ROUNDS):
            ours.append(seconds(folder, *OURS))
            for runs, found in ((FEW, few), (SOME, some)):
                found.append(seconds(folder, *USUAL, f"seed=range({runs // 5})"))
    price = (min(some) - min(few)) / (SOME - FEW)
    usual = min(few) + price * (RUNS - FEW)
    lowest, middle = lowest_and_median(ours, 1.0)
    row = {
        "runs": RUNS,
        "ours s": lowest,
        "median s": middle,
        "ours ms a run": 1e3 * lowest / RUNS,
        f"usual, {SOME} runs s": min(some),
        "usual ms a run": 1e3 * price,
        "usual, scaled s": usual,
        "times": usual / lowest,
    }
    show("sweep", [row])


if __name__ == "__main__":
    main()
