"""How long does a first training take, on a fresh machine and with a warm cache? `python -m benchmarks.first_use`.

One epoch of one run of each case, in processes of their own: with an empty cache (for the first case that includes
the part that all cases share), and again with what the first one left there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.cases import cases
from benchmarks.timing import show


def measure(name: str) -> dict[str, float]:
    """Seconds until the engine is imported, and of a first training, in this process."""
    started = time.perf_counter()
    from pipeline.backprop.engines.compiled import machine_code as compiled
    from pipeline.backprop.engines.compiled import schedule

    batch = next(case for case in cases() if case.name == name).batch(runs=1, epochs=1)
    imported = time.perf_counter()
    schedule.train_compiled(batch, schedule.choose_kernel(batch, compiled.processor()))
    return {"import": imported - started, "train": time.perf_counter() - imported}


def elsewhere(name: str, cache: str) -> dict[str, float]:
    """The same in a process of its own, with this folder as cache."""
    command = [sys.executable, "-m", "benchmarks.first_use", name]
    environment = {**os.environ, "BACKPROP_CACHE_DIR": cache}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main() -> None:
    """Prints and stores all of them."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as cache:
        for case in cases():
            cold, warm = elsewhere(case.name, cache), elsewhere(case.name, cache)
            rows.append(
                {
                    "case": case.name,
                    "cold s": cold["train"],
                    "cached s": warm["train"],
                    "of it import s": warm["import"],
                }
            )
    show("first_use", rows)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
