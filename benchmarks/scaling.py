"""How do time and memory grow with the runs, and what does a second thread bring? `python -m benchmarks.scaling`.

XOR, 1,000 epochs, curves of 10 points; every measurement in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

from benchmarks.timing import save, show

RUNS = (100, 1_000, 10_000, 100_000, 1_000_000)
THREADS = (1, 2)
EPOCHS = 1_000


def measure(runs: int, threads: int) -> dict[str, Any]:
    """Seconds and peak memory of one training, in this process."""
    from benchmarks.uneven import xor
    from pipeline.backprop.engines import compiled as engine
    from pipeline.backprop.engines.compiled import machine_code as compiled
    from pipeline.backprop.engines.compiled import schedule

    batch = replace(xor(runs, EPOCHS, 0.0), curve_points=10)
    schedule.train_compiled(xor(1, 1, 0.0), schedule.choose_kernel(batch, compiled.processor()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    outcome = engine.train(batch, threads=threads)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results = sum(
        array.nbytes
        for array in (outcome.parameters, outcome.curve_errors, outcome.status, outcome.epochs, outcome.final_error)
    )
    return {
        "runs": runs,
        "threads": threads,
        "seconds": seconds,
        "ns per run and epoch": seconds / (runs * EPOCHS) * 1e9,
        "results MiB": results / 2**20,
        "MiB before": before / 2**10,
        "peak MiB": peak / 2**10,
    }


def main() -> None:
    """Prints, stores and draws all of them."""
    rows = []
    for runs in RUNS:
        for threads in THREADS:
            command = [sys.executable, "-m", "benchmarks.scaling", str(runs), str(threads)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append(json.loads(done.stdout))
    show("scaling", rows)
    figure(rows)


def figure(rows: list[dict[str, Any]]) -> None:
    """Time and memory over the number of runs."""
    import matplotlib.pyplot as plt

    drawing, (times, memory) = plt.subplots(1, 2, figsize=(10, 4))
    for threads, marker in zip(THREADS, "os", strict=True):
        chosen = [row for row in rows if row["threads"] == threads]
        runs = [row["runs"] for row in chosen]
        times.loglog(runs, [row["seconds"] for row in chosen], marker + "-", label=f"{threads} thread(s)")
        memory.semilogx(runs, [row["peak MiB"] for row in chosen], marker + "-", label=f"{threads} thread(s)")
    memory.axhline(1024, color="grey", linestyle="--", label="1 GiB")
    times.set_ylabel("seconds")
    memory.set_ylabel("peak memory (MiB)")
    for axis in (times, memory):
        axis.set_xlabel("runs of XOR, 1,000 epochs each")
        axis.grid(alpha=0.3)
        axis.legend()
    save(drawing, "scaling")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
    else:
        main()
