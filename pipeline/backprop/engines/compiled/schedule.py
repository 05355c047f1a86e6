"""Who trains what: compiled code or NumPy, the kernel for a batch, and the threads that share its trainings.

Each thread has lanes of its own and takes waiting trainings from a shared counter whenever one ends, so that memory
beyond the result does not grow with the number of trainings, and no thread idles while any wait. Which thread trains a
run, and beside which others, leaves no trace in its result.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import threading
from itertools import pairwise
from typing import Any

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch, BatchResult, Progress
from pipeline.backprop.engines import numpy as numpy_engine
from pipeline.backprop.engines.compiled import lanes
from pipeline.backprop.engines.compiled.kernel import LANES, TERMS, Kernel
from pipeline.backprop.engines.compiled.layers import Chains, Tile
from pipeline.backprop.engines.compiled.machine_code import SHARED, Processor, compiled, is_ready, processor
from pipeline.backprop.network import Network

log = logging.getLogger("pipeline.engine")

HISTORY, UNROLLED_HISTORY = 64, 128  # epochs between two looks at the lanes, at most
PROGRESS_SECONDS = 0.1
# What of a network is written out, with its parameters in registers.
UNROLLED_PARAMETERS = 16
UNROLLED_OPERATIONS = 1500
CACHE_BYTES = 64 * 1024
SMALLEST_BLOCK, LARGEST_BLOCK = 24, 32
# Seconds, roughly, by which it is judged whether compiling pays.
SECONDS_TO_LOAD = 0.005
SECONDS_TO_COMPILE_LANES = 0.15  # once for all kernels
SECONDS_TO_COMPILE_LAYER = 0.3
NUMPY_SECONDS_PER_CALL = 2e-6
NUMPY_SECONDS_PER_OPERATION = 1e-9
ACTIVATION_OPERATIONS = 45


def train(
    batch: Batch, progress: Progress | None = None, result: BatchResult | None = None, threads: int | None = None
) -> BatchResult:
    """Trains every trial: compiled, or by NumPy where that is done before the compiled code would be there."""
    shape = choose_kernel(batch, processor())
    numpy, start = numpy_seconds(batch), seconds_to_start(shape)
    if numpy < start:
        log.debug("NumPy: at most %.2g s of training, %.2g s until compiled code would be there", numpy, start)
        return numpy_engine.train(batch, progress, result)
    log.debug("compiled: up to %.2g s by NumPy, %.2g s until compiled code is there: %s", numpy, start, shape)
    return train_compiled(batch, shape, progress, result, threads)


def operations(network: Network, patterns: int) -> int:
    """Arithmetic operations of one epoch of one run, roughly."""
    weights = sum(map(math.prod, network.shapes[: network.layers]))
    return patterns * (3 * weights + ACTIVATION_OPERATIONS * sum(network.units[1:]))


def numpy_seconds(batch: Batch) -> float:
    """How long the NumPy engine would take if no run ended before max_epochs, roughly."""
    network, patterns, trainings = batch.network, len(batch.inputs), batch.trainings
    calls = sum(network.units) + network.layers * (40 + patterns)
    if batch.update == "online":
        calls *= patterns
    seconds = math.ceil(trainings / numpy_engine.block_size(batch)) * calls * NUMPY_SECONDS_PER_CALL
    seconds += trainings * operations(network, patterns) * NUMPY_SECONDS_PER_OPERATION
    return float(seconds * batch.max_epochs)


def seconds_to_start(shape: Kernel) -> float:
    """How long it takes until the compiled code is there, roughly."""
    if is_ready(shape):
        return SECONDS_TO_LOAD
    seconds = SECONDS_TO_LOAD + shape.network.layers * SECONDS_TO_COMPILE_LAYER
    return seconds if is_ready(SHARED) else seconds + SECONDS_TO_COMPILE_LANES


def choose_kernel(batch: Batch, chosen: Processor) -> Kernel:
    """The kernel that trains this batch fastest on this processor."""
    network, patterns = batch.network, len(batch.inputs)
    unrolled = network.size <= UNROLLED_PARAMETERS and operations(network, patterns) <= UNROLLED_OPERATIONS
    # A block of patterns, with the outputs and deltas of all units, is to stay in the cache.
    fitting = CACHE_BYTES // (2 * 8 * chosen.width * sum(network.units[1:])) // 4 * 4
    block = max(SMALLEST_BLOCK, min(LARGEST_BLOCK, fitting))
    block = math.ceil(patterns / math.ceil(patterns / block))  # all of about the same size
    known = patterns if unrolled or patterns <= block else 0
    # Several registers of runs fill the time in which one instruction waits for another, where patterns do not.
    parts = 1
    if unrolled:
        parts = 4 if batch.update == "online" else 2 if patterns > 1 else 6
    return Kernel(
        network=network,
        update=batch.update,
        criterion=batch.criterion,
        momentum=bool(batch.momentum.any()),
        tolerance=batch.gradient_tolerance > 0.0,
        lanes=chosen.width * parts,
        parts=parts,
        patterns=known,
        block=min(block, patterns),
        unrolled=unrolled,
        tile=choose_tile(network, known, chosen),
        chains=Chains(8, 10, behind=96 // chosen.registers if unrolled else 3),  # measured with 16 registers and with 32
    )


def choose_tile(network: Network, patterns: int, chosen: Processor) -> Tile:
    """The tile of which the passes of an epoch need the fewest different widths: less code, and fewer small tiles."""
    if chosen.registers < 32:
        return Tile(2, 6)
    if not patterns:
        return Tile(6, 4)

    def widths(count: int, size: int) -> int:
        return 2 if count % math.ceil(count / size) else 1

    def different(tile: Tile) -> int:
        count = 0
        for layer, (below, units) in enumerate(pairwise(network.units)):
            forward = widths(units, tile.units) * widths(patterns, tile.patterns)
            gradient = widths(units, tile.units) * widths(below, tile.patterns)
            delta = widths(below, tile.units) * widths(patterns, tile.patterns) if layer else 0
            count += forward + gradient + delta
        return count

    return min((Tile(6, 4), Tile(5, 5)), key=different)


def train_compiled(
    batch: Batch, shape: Kernel, progress: Progress | None = None, result: BatchResult | None = None, threads: int | None = None
) -> BatchResult:
    """Trains every trial of the batch by this kernel."""
    result = result or BatchResult.empty(batch)
    team = Team(result, shape)
    workers = [
        threading.Thread(target=team.share, args=(np.zeros(2, np.int64),), daemon=True)
        for _ in range(max(1, min(threads or cores(), batch.trainings)))
    ]
    reported = np.zeros(2, np.int64)
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(PROGRESS_SECONDS)
                reported = team.report(progress, reported)
    finally:
        team.halt[0] = 1
        for worker in workers:
            worker.join()
    if team.errors:
        raise team.errors[0]
    team.report(progress, reported)
    return result


class Team:
    """The threads that train one batch together, and what they share."""

    def __init__(self, result: BatchResult, shape: Kernel) -> None:
        batch = result.batch
        self.result, self.shape = result, shape
        self.functions = compiled(shape).functions
        self.work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(compiled(SHARED).functions["work"])
        self.inputs = np.ascontiguousarray(batch.inputs, np.float64)
        self.targets = np.ascontiguousarray(batch.targets, np.float64)
        self.order, self.first = batch.order()
        self.counter, self.halt = np.zeros(1, np.int64), np.zeros(1, np.int64)
        self.tallies: list[Any] = []
        self.errors: list[BaseException] = []

    def share(self, tally: Any) -> None:
        """One thread's work: trainings until none waits. tally (2,): ended trials, trained epochs."""
        self.tallies.append(tally)
        try:
            entries = self.entries(tally)  # which hold the memory that the table points to
            table = lanes.table(entries)
            self.work(table.ctypes.data)
        except BaseException as error:  # raised by the thread that waits
            self.errors.append(error)
            self.halt[0] = 1

    def entries(self, tally: Any) -> dict[str, Any]:
        """What one thread works with, by the names that it has there."""
        batch, result, width = self.result.batch, self.result, self.shape.lanes
        memory = {name: aligned(count, width) for name, count in memory_rows(self.shape).items()}
        memory["lanes"][TERMS] = terms = float(batch.targets.size if batch.criterion == "mean_error" else 1)
        whole_numbers = np.zeros((4, width), np.int64)
        return {
            **memory,
            "memory": addresses(*memory.values(), self.inputs, self.targets, self.halt),
            "epochs_function": self.functions["epochs"],
            "advance_function": self.functions["advance"],
            "patterns": len(batch.inputs),
            "max_epochs": batch.max_epochs,
            "tolerance": batch.gradient_tolerance,
            "by_worst": batch.criterion == "worst_output",
            "terms": terms,
            "here": np.empty_like(memory["gradient"]),
            "moving": np.empty_like(memory["velocity"]),
            "training": np.full(width, lanes.FREE, np.int64),
            **dict(zip(("epoch", "point", "upcoming", "calm"), whole_numbers, strict=True)),
            **{"counter": self.counter, "halt": self.halt, "tally": tally},
            "initial_parameters": batch.initial_parameters,
            "learning_rate": batch.learning_rate,
            "momentum": batch.momentum,
            **{"order": self.order, "first": self.first, "threshold": batch.threshold},
            **{"status": result.status, "epochs": result.epochs, "final_error": result.final_error},
            **{"gradient_norm": result.gradient_norm, "final_parameters": result.parameters},
            "curve_epochs": np.append(result.curve_epochs, np.iinfo(np.int64).max),
            "curve_errors": result.curve_errors,
        }

    def report(self, progress: Progress | None, reported: Any) -> Any:
        """Reports what has been done since the last report; gives what has been done in all."""
        now = np.sum(self.tallies, axis=0, dtype=np.int64)
        if progress and len(self.tallies):
            progress(*map(int, now - reported))
        return now


def memory_rows(shape: Kernel) -> dict[str, int]:
    """How many rows each part of a thread's memory has, in the order of the kernel's table."""
    network = shape.network
    units = 0 if shape.unrolled else shape.unit_rows[-1]
    return {
        "parameters": network.size,
        "velocity": network.trained if shape.momentum else 0,
        "gradient": network.trained,
        "rates": network.layers,
        "lanes": len(LANES),
        "history": UNROLLED_HISTORY if shape.unrolled else HISTORY,
        "outputs": units,
        "deltas": units,
    }


def aligned(rows: int, lanes: int) -> Array:
    """Zeros (rows, lanes) that start at a multiple of 64 bytes."""
    numbers = np.zeros(rows * lanes + 8)
    skip = -numbers.ctypes.data // 8 % 8
    return numbers[skip : skip + rows * lanes].reshape(rows, lanes)


def addresses(*arrays: Any) -> Any:
    """The table of a kernel's memory."""
    return np.array([array.ctypes.data for array in arrays], np.uint64).view(np.int64)


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
