"""How long do small commands take, from prompt to prompt? `python -m benchmarks.commands`.

The worked example as a tracked run, its help, a key that is misspelt, a value that is refused, a sweep of four runs, and one of
a million that is read, checked, cut into chunks, and then refused for its size: by turns, each a process of its own in one
folder whose store is there. What is compiled once is compiled before.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.timing import show

ROUNDS = 10
XOR = ("task=xor", "network=trained", "initial=uniform")
COMMANDS = {
    "one run": ((), 0),
    "help": (("--help",), 0),
    "misspelt key": (("learning_rat=1",), 2),
    "refused value": (("learning_rate=-1",), 2),
    "sweep of 4 runs": (("-m", "initial=uniform", "seed=range(4)", "resume=never"), 0),
    "refused million": (("-m", *XOR, "learning_rate=1,2,3,4", "seed=range(250000)", "limits.disk=0.1"), 2),
}
HERE = Path(__file__).parent.parent


def seconds(folder: str, arguments: tuple[str, ...], code: int) -> tuple[float, float]:
    """How long a command takes in this folder, and the processor's time for it, user's and system's."""
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pipeline.train", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    taken, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != code:
        sys.exit(done.stderr)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Prints and stores all of them."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(-1, ROUNDS):
            for name, (arguments, code) in COMMANDS.items():
                taken = seconds(folder, arguments, code)
                if turn >= 0:  # in the first one the store is made
                    found[name].append(taken)
    rows = []
    for name, pairs in found.items():
        elapsed, busy = zip(*pairs, strict=True)
        rows.append({"command": name, "median s": median(elapsed), "lowest s": min(elapsed), "of processors s": median(busy)})
    show("commands", rows)


if __name__ == "__main__":
    main()
