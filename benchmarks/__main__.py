"""Benchmarks by name, or all: `python -m benchmarks [NAME …]`; `main` of each module says what it measures."""

import sys

from benchmarks import (
    causes,
    commands,
    coverage,
    explorer,
    first_use,
    large,
    map,
    scaling,
    server,
    sweep,
    training,
    uneven,
    workers,
)

BENCHMARKS = {
    "training": lambda: training.main([]),
    "large": lambda: large.main([]),
    "uneven": uneven.main,
    "scaling": scaling.main,
    "first_use": first_use.main,
    "commands": commands.main,
    "sweep": sweep.main,
    "workers": workers.main,
    "server": server.main,
    "coverage": coverage.main,
    "causes": causes.main,
    "explorer": explorer.main,
    "map": map.main,
}

for name in sys.argv[1:] or BENCHMARKS:
    if name not in BENCHMARKS:
        sys.exit(f"BENCH={name}: must be some of {', '.join(BENCHMARKS)}")
    BENCHMARKS[name]()
