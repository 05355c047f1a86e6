"""From which size on is one run at a time through BLAS faster? `python -m benchmarks.large [hidden …]`.

Digits (1,797 patterns of 64 numbers, ten classes) by networks of one hidden layer. Each measurement in a process of its
own, without the settings by which an environment makes OpenBLAS slower and steadier.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

from benchmarks.timing import alternate, lowest_and_median, save, show

HIDDEN = (32, 128, 256, 512, 1024)
OPENBLAS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
EPOCHS = 3


def measure(hidden: int) -> list[dict[str, Any]]:
    """Ns per run and epoch of the compiled engine (as many runs as it takes side by side) and of plain NumPy (one run)."""
    from benchmarks import peers
    from benchmarks.cases import cases
    from pipeline.backprop.engines import engine
    from pipeline.backprop.engines.compiled.machine_code import processor
    from pipeline.backprop.engines.compiled.schedule import cores
    from pipeline.backprop.network import Network

    digits = next(case for case in cases() if case.name == "digits")
    case = replace(digits, network=Network((64, hidden, 10)), rate=1e-5)
    many = case.batch(runs=processor().width * cores(), epochs=EPOCHS)
    alone = case.batch(runs=1, epochs=10 * EPOCHS)
    runners = {
        # The engine evaluates once more than it steps.
        "engine compiled": (lambda: engine("compiled")(many), many.trainings * (EPOCHS + 1)),
        "one run at a time, BLAS": (peers.plain_numpy(alone), 10 * EPOCHS),
    }
    seconds = alternate({name: run for name, (run, _) in runners.items()})
    rows: list[dict[str, Any]] = []
    for name, (_, work) in runners.items():
        lowest, middle = lowest_and_median(seconds[name], 1e9 / work)
        rows.append({"hidden units": hidden, "who": name, "lowest ns": lowest, "median ns": middle})
    for row in rows:
        row["times ours"] = row["lowest ns"] / rows[0]["lowest ns"]
    return rows


def elsewhere(hidden: int) -> list[dict[str, Any]]:
    """The same in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in OPENBLAS}
    command = [sys.executable, "-m", "benchmarks.large", "measure", str(hidden)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def figure(rows: list[dict[str, Any]]) -> None:
    """Time over the number of hidden units."""
    import matplotlib.pyplot as plt

    drawing, axes = plt.subplots(figsize=(6, 4))
    for who, marker in zip(dict.fromkeys(row["who"] for row in rows), "os", strict=True):
        chosen = [row for row in rows if row["who"] == who]
        axes.loglog(
            [row["hidden units"] for row in chosen], [row["lowest ns"] / 1e6 for row in chosen], marker + "-", label=who
        )
    axes.set_xlabel("hidden units")
    axes.set_ylabel("ms per run and epoch of digits (lowest of five)")
    axes.grid(alpha=0.3)
    axes.legend()
    save(drawing, "large")


def main(chosen: list[str]) -> None:
    """All sizes, or those given."""
    rows: list[dict[str, Any]] = []
    for hidden in map(int, chosen or HIDDEN):
        rows += (new := elsewhere(hidden))
        show("large", rows, len(new))
    figure(rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        main(sys.argv[1:])
