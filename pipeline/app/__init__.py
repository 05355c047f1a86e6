"""What all commands share: Hydra in front, exit codes, errors in one line, interrupts and progress."""

import os

# Before NumPy is imported: threads of its BLAS that have nothing to do sleep. Otherwise each start burns 0.1 s of a processor.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
