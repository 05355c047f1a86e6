"""Benchmarks by name, or all of them: `python -m benchmarks [training] [uneven] [scaling] [first_use] [sweep] [workers]`."""

import sys

from benchmarks import first_use, scaling, sweep, training, uneven, workers

BENCHMARKS = {
    "training": lambda: training.main([]),
    "uneven": uneven.main,
    "scaling": scaling.main,
    "first_use": first_use.main,
    "sweep": sweep.main,
    "workers": workers.main,
}

for name in sys.argv[1:] or BENCHMARKS:
    if name not in BENCHMARKS:
        sys.exit(f"BENCH={name}: must be some of {', '.join(BENCHMARKS)}")
    BENCHMARKS[name]()
