"""Coarse first: the pixels of a map in nested passes, each pixel in one of them, trained and explained one after the other."""

import time
from collections.abc import Callable, Iterator
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.batch import BatchResult
from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.engines import engine as engine_named
from pipeline.backprop.status import Status
from pipeline.maps.explorer.newest import Check
from pipeline.maps.grid import Grid, Pixels
from pipeline.maps.reasons import evident_causes
from pipeline.maps.training import MapResult
from pipeline.trials.batching import CURVE_POINTS

STEPS = (8, 4, 2, 1)  # pixels from one to the next
MOST_NUMBERS = 4_000_000  # of the parameters of a piece
MOST_PIXELS = 65_536  # of a piece
FIRST_EXPLAINED = 16  # pixels whose causes are found together, before it is known how long that takes
UNINTERRUPTED = 0.05  # seconds of it, about
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
    """Trains a map coarse first, but the pixels that are `known`; what `check` raises ends it.

    `show` is called after each pass with its pixels, and with the whole map now and then while a pass goes on; with the step of
    the last pass, and how many runs have been trained. `found` has what has ended, at any time.
    """

    def __init__(
        self, grid: Grid, engine: str, check: Check, show: Callable[[MapResult, int, int], None], known: MapResult | None = None
    ) -> None:
        self.grid, self.check, self.show = grid, check, show
        self.engine, self.found = engine_named(engine), known or MapResult.empty(grid.shape)
        self.has_known = bool((self.found.status >= 0).any())
        self.step = self.first_shown = STEPS[0]  # of the last pass that is complete, or the first
        self.shown = time.monotonic()

    def run(self, last: int = 1, first_shown: int = STEPS[0]) -> None:
        """Trains the passes up to the one with the step `last`; nothing is shown before that with the step `first_shown`."""
        self.first_shown = first_shown
        for step, pixels in passes(self.grid.shape):
            if step < last:
                return
            new = pixels[self.found.status.ravel()[pixels] < 0]
            for piece in pieces(new, self.grid.network.size):
                self._train(piece)
            self.step = step
            if self._is_due() or not self.has_known or step in (STEPS[0], last):
                self._show(filled(self.found, step) if self.has_known else every(self.found, step))

    def _is_due(self) -> bool:
        """Whether the last picture is old."""
        return time.monotonic() - self.shown > SHOWN_EVERY

    def _train(self, pixels: Pixels) -> None:
        """Trains pixels of a pass, and shows what has ended while others go on."""
        self.check()
        result = BatchResult.empty(self.grid.batch(pixels))

        def progress(ended: int, epochs: int) -> None:
            self.check()
            if self._is_due():
                self.found.insert(pixels, result)
                self._show(filled(self.found, self.step))

        try:
            self.engine(result.batch, progress, result)
        finally:  # what has ended has ended
            self.found.insert(pixels, result)

    def _show(self, found: MapResult) -> None:
        self.check()
        if self.step > self.first_shown:
            return
        self.show(found, self.step, int((self.found.status >= 0).sum()))
        self.shown = time.monotonic()


def explain_in_passes(
    grid: Grid, found: MapResult, engine: str, check: Check, show: Callable[[NDArray[np.int8], int], None]
) -> None:
    """Why the pixels of a trained map did not converge; what `check` raises ends it.

    Exhausted ones are trained once more, as a map keeps no weights and no curves. `show` is called after each pass with its
    pixels, as codes of `Cause`, −1 of those that became stationary; and with its step.
    """
    cause, size = evident_causes(found.status), FIRST_EXPLAINED
    most = max(1, MOST_NUMBERS // (grid.network.size + CURVE_POINTS))
    for step, pixels in passes(grid.shape):
        exhausted = pixels[found.status.ravel()[pixels] == Status.EXHAUSTED]
        while len(exhausted):
            check()
            piece, exhausted = exhausted[:size], exhausted[size:]
            result = engine_named(engine)(grid.batch(piece, CURVE_POINTS), lambda ended, epochs: check())
            check()
            started = time.monotonic()
            cause.ravel()[piece] = causes(result, engine).code
            size = min(most, next_size(len(piece), time.monotonic() - started))
        check()
        show(cause[::step, ::step].copy(), step)


def next_size(size: int, seconds: float) -> int:
    """How many pixels are explained together after so many have taken so long: a newer view is not to wait."""
    return max(1, min(4 * size, int(size * UNINTERRUPTED / max(seconds, 1e-6))))
