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
    """The map while a pass goes on: a pixel that is not trained is as that of the last pass, `step`, below and left of it."""
    (rows, columns), trained = found.status.shape, found.status >= 0
    whole = MapResult.empty(found.status.shape)
    for field in fields(MapResult):
        values = getattr(found, field.name)
        coarse = values[::step, ::step].repeat(step, 0)[:rows].repeat(step, 1)[:, :columns]
        np.copyto(getattr(whole, field.name), np.where(trained, values, coarse))
    return whole


class TrainingInPasses:
    """Trains a map coarse first; what `check` raises ends it.

    `show` is called after each pass with its pixels, and with the whole map now and then while a pass goes on; with the step of
    the last pass, and how many runs have been trained.
    """

    def __init__(self, grid: Grid, engine: str, check: Check, show: Callable[[MapResult, int, int], None]) -> None:
        self.grid, self.check, self.show = grid, check, show
        self.engine, self.found = engine_named(engine), MapResult.empty(grid.shape)
        self.step = STEPS[0]  # of the last pass that is complete, or the first
        self.shown = time.monotonic()

    def run(self, last: int = 1) -> None:
        """Trains the passes up to the one with this step."""
        for step, pixels in passes(self.grid.shape):
            if step < last:
                return
            for piece in pieces(pixels, self.grid.network.size):
                self._train(piece)
            self.step = step
            self._show(every(self.found, step))

    def _train(self, pixels: Pixels) -> None:
        """Trains pixels of a pass, and shows what has ended while others go on."""
        self.check()
        result = BatchResult.empty(self.grid.batch(pixels))

        def progress(ended: int, epochs: int) -> None:
            self.check()
            if time.monotonic() - self.shown > SHOWN_EVERY:
                self.found.insert(pixels, result)
                self._show(filled(self.found, self.step))

        self.engine(result.batch, progress, result)
        self.found.insert(pixels, result)

    def _show(self, found: MapResult) -> None:
        self.check()
        self.show(found, self.step, int((self.found.status >= 0).sum()))
        self.shown = time.monotonic()
