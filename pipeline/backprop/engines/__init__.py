"""The engines that train a batch, by name: the definition in NumPy, and those that equal it bit for bit.

An engine is a module here, with a function `train` (see `Train`), and its name in `ENGINES`.
"""

from importlib import import_module
from typing import Protocol

from pipeline.backprop.batch import Batch, BatchResult, Progress

ENGINES = (
    "compiled",  # the default
    "numpy",
)
ALIASES = {"numba": "compiled"}


class Train(Protocol):
    """What every engine does."""

    def __call__(
        self, batch: Batch, progress: Progress | None = None, result: BatchResult | None = None, threads: int | None = None
    ) -> BatchResult:
        """Trains every trial of the batch by this number of threads (None: one for each core; NumPy takes none).

        `progress` is called now and then; if it raises, an empty `result` of the caller's has what had ended.
        """


def canonical(name: str) -> str:
    """The engine's one name, for that or another name of it."""
    return ALIASES.get(name, name)


def engine(name: str) -> Train:
    """The `train` of the engine with this name, imported now."""
    if canonical(name) not in ENGINES:
        raise KeyError(name)
    train: Train = import_module(f"{__name__}.{canonical(name)}").train
    return train
