"""Coarse first: the pixels of a map in nested passes, each pixel in one of them, trained one after the other."""

import time
from collections.abc import Callable, Iterator
from dataclasses import fields

import numpy as np

from pipeline.backprop.batch import BatchResult
from pipeline.backprop.engines import engine as engine_named
from pipeline.maps.explorer.newest import Check
from pipeline.maps.grid import Grid, Pixels
from pipeline.maps.training import MapResult

STEPS = (8, 4, 2, 1)  # pixels from one to the next
MOST_NUMBERS = 4_000_000  # of the parameters of a piece
MOST_PIXELS = 65_536  # of a piece
SHOWN_EVERY = 0.25  # seconds, while a pass goes on


def passes(shape: tuple[int, int]) -> Iterator[tuple[int, Pixels]]:
    """The step of each pass, and the pixels (y · W + x) of a map (H, W) that are new in it."""
    before = 0
    for step in STEPS:
        is_new = np.zeros(shape, bool)
        is_new[::step, ::step] = True
        if before:
            is_new[::before, ::before] = False
        before = step
        yield step, np.flatnonzero(is_new).astype(np.int64)


def pieces(pixels: Pixels, parameters: int) -> list[Pixels]:
    """The pixels in pieces that take little memory, each to be trained by one call."""
    size = max(1, min(MOST_PIXELS, MOST_NUMBERS // max(1, parameters)))
    return [pixels[start : start + size] for start in range(0, len(pixels), size)]


def every(found: MapResult, step: int) -> MapResult:
    """The pixels of a pass that is complete, and nothing between them."""
    return MapResult(*(getattr(found, field.name)[::step, ::step] for field in fields(MapResult)))


def filled(found: MapResult, step: int) -> MapResult:
    """The map while a pass goes on: a pixel that is not trained is as the one of the last pass, `step`, below and left of it."""
    (rows, columns), trained = found.status.shape, found.status >= 0
    whole = MapResult.empty(found.status.shape)
    for field in fields(MapResult):
        values = getattr(found, field.name)
        coarse = values[::step, ::step].repeat(step, 0)[:rows].repeat(step, 1)[:, :columns]
        np.copyto(getattr(whole, field.name), np.where(trained, values, coarse))
    return whole


def train_in_passes(grid: Grid, engine: str, check: Check, show: Callable[[MapResult, int], None]) -> None:
    """Trains a map; what `check` raises ends it.

    `show` is called after each pass with its pixels and its step, and with the whole map now and then while a pass goes on.
    """
    found, train, complete = MapResult.empty(grid.shape), engine_named(engine), 0
    shown = time.monotonic()

    for step, pixels in passes(grid.shape):
        for piece in pieces(pixels, grid.network.size):
            batch = grid.batch(piece)
            result = BatchResult.empty(batch)

            def progress(ended: int, epochs: int, piece: Pixels = piece, result: BatchResult = result) -> None:
                nonlocal shown
                check()
                if ended and time.monotonic() - shown > SHOWN_EVERY:
                    found.insert(piece, result)
                    show(filled(found, complete or step), complete or step)
                    shown = time.monotonic()

            check()
            train(batch, progress, result)
            found.insert(piece, result)
        check()
        complete = step
        show(every(found, step), step)
        shown = time.monotonic()
