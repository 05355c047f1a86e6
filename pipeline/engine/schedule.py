"""Who trains what: the kernel for a batch, the threads that share its trainings, progress, and the end."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import trainer
from pipeline.arithmetic import Array
from pipeline.engine.compiled import Compiled, Processor, cache_folder, compiled, is_ready, processor
from pipeline.engine.kernel import LANES, MEMORY, Kernel
from pipeline.engine.layers import Tile
from pipeline.engine.lanes import EPOCHS, TRIALS, compiled_work
from pipeline.trainer import Batch, Outcome, Progress, curve_epochs

log = logging.getLogger("pipeline.engine")

HISTORY = 64  # epochs from one look at the lanes to the next, at most
PROGRESS_SECONDS = 0.1


def train(batch: Batch, progress: Progress | None = None, threads: int | None = None) -> Outcome:
    trainings = batch.initial_parameters.shape[1]
    shape = choose_kernel(batch, processor())
    code = compiled(shape)
    outcome = trainer.empty_outcome(batch) if hasattr(trainer, "empty_outcome") else _empty(batch)
    threads = threads or len(os.sched_getaffinity(0))
    threads = max(1, min(threads, -(-trainings // 1)))
    order = np.lexsort((-batch.threshold, batch.training)).astype(np.int64)
    first = np.searchsorted(batch.training[order], np.arange(trainings + 1)).astype(np.int64)
    counter, halt = np.zeros(1, np.int64), np.zeros(1, np.int64)
    tallies = np.zeros((threads, 8), np.int64)
    inputs, targets = (np.array(a, np.float64, order="C") for a in (batch.inputs, batch.targets))
    work = machine_work()
    errors: list[BaseException] = []

    def share(thread: int) -> None:
        try:
            rows = _rows(shape)
            mem = {n: _aligned(r, shape.lanes) for n, r in rows.items()}
            table = np.array(
                [*(a.ctypes.data for a in mem.values()), inputs.ctypes.data, targets.ctypes.data, halt.ctypes.data],
                np.int64,
            )
            work(
                code.epochs, code.advance, table.ctypes.data, len(inputs),
                *(mem[n] for n in ("parameters", "velocity", "gradient", "rates", "lanes", "history")),
                counter, halt, tallies[thread],
                batch.initial_parameters, batch.learning_rate, np.ascontiguousarray(batch.momentum),
                order, first, np.ascontiguousarray(batch.threshold),
                batch.max_epochs, batch.gradient_tolerance, batch.criterion == "worst_output",
                outcome.status, outcome.epochs, outcome.final_error, outcome.gradient_norm, outcome.parameters,
                outcome.curve_epochs, outcome.curve_errors,
            )
        except BaseException as e:
            errors.append(e)

    workers = [threading.Thread(target=share, args=(t,), daemon=True) for t in range(threads)]
    told = np.zeros(2, np.int64)
    try:
        for w in workers:
            w.start()
        for w in workers:
            while w.is_alive():
                w.join(PROGRESS_SECONDS)
                if progress:
                    now = tallies[:, :2].sum(axis=0)
                    progress(*map(int, now - told))
                    told = now
    finally:
        halt[0] = 1
        for w in workers:
            w.join()
    if errors:
        raise errors[0]
    return outcome


@cache
def machine_work() -> Any:
    return compiled_work(str(cache_folder()))


def choose_kernel(batch: Batch, chosen: Processor) -> Kernel:
    units, P = batch.network.units, len(batch.inputs)
    n = batch.network.size
    acts = sum(units[1:])
    tiny = n <= 16 and P * (3 * n + 45 * acts) <= 1500
    tile = Tile(4, 4) if chosen.registers >= 32 else Tile(2, 4)
    fit = 24576 // (8 * chosen.width * 2 * sum(units[1:]))
    block = max(4, min(48, fit // 4 * 4, -(-P // 4) * 4))
    return Kernel(
        batch.network, batch.update, batch.criterion, bool(batch.momentum.any()), batch.gradient_tolerance > 0,
        4 * chosen.width if tiny else chosen.width, P if tiny else 0, 0 if tiny else block, tile,
    )


def _rows(shape: Kernel) -> dict[str, int]:
    n = shape.network
    units = shape.unit_rows[-1] if not shape.unrolled else 0
    return dict(
        parameters=n.size, velocity=n.trained if shape.momentum else 0, gradient=n.trained, rates=n.layers,
        lanes=len(LANES), history=HISTORY, outputs=units, deltas=units,
    )


def _aligned(rows: int, lanes: int) -> Array:
    numbers = np.zeros(rows * lanes + 16)
    skip = -numbers.ctypes.data // 8 % 8
    return numbers[skip : skip + rows * lanes].reshape(rows, lanes)


def _empty(batch: Batch) -> Outcome:
    trials, kept = len(batch.training), curve_epochs(batch.max_epochs, batch.curve_points)
    return Outcome(
        batch=batch,
        status=np.full(trials, -1, np.int8),
        epochs=np.zeros(trials, np.int64),
        final_error=np.full(trials, np.nan),
        gradient_norm=np.full(trials, np.nan),
        parameters=np.full((batch.network.size, trials), np.nan),
        curve_epochs=kept,
        curve_errors=np.full((len(kept), batch.initial_parameters.shape[1]), np.nan),
    )
