"""What is done while the server starts, so that nobody waits for it: compiling, and the coarse picture a page begins with."""

import time
from contextlib import suppress

from pipeline.backprop.engines import engine as engine_named
from pipeline.maps.explorer.newest import Check, Newest, SupersededError
from pipeline.maps.explorer.painting import Look
from pipeline.maps.explorer.passes import TrainingInPasses, passes, pieces
from pipeline.maps.explorer.reading import Asked
from pipeline.maps.explorer.session import FIRST_STEP, SECONDS_TO_END, Picture
from pipeline.maps.training import MapResult

MOST_SECONDS = 2.0  # of training: longer, and it would keep windows from theirs


class FirstPicture:
    """The map that the explorer begins with, trained coarsely by a thread: `picture` is the newest of it, or None."""

    def __init__(self, asked: Asked) -> None:
        self.picture: Picture | None = None
        self._asked = asked
        self._trainer = Newest(lambda error: None)  # a window trains the map itself, and says why it cannot

    def start(self) -> None:
        """Begins to train."""
        self._trainer.ask(self._train)

    def close(self) -> None:
        """Ends the training."""
        self._trainer.close()
        self._trainer.join(SECONDS_TO_END)

    def _train(self, check: Check) -> None:
        started, grid = time.monotonic(), self._asked.grid

        def show(found: MapResult, step: int, trained: int) -> None:
            self.picture = Picture(grid, found, step, trained, time.monotonic() - started)

        def check_time() -> None:
            check()
            if time.monotonic() - started > MOST_SECONDS:
                raise SupersededError

        TrainingInPasses(grid, self._asked.engine, check_time, show).run(FIRST_STEP)


def warm_up(start: Asked) -> None:
    """Does what is only done once: compiling the network, importing libraries."""
    *_, (_, pixels) = passes(start.grid.shape)

    def end(ended: int, epochs: int) -> None:
        raise SupersededError

    with suppress(SupersededError):
        engine_named(start.engine)(start.grid.batch(pieces(pixels, start.grid.network.size)[0]), end)
    Look().of(MapResult.empty(start.grid.shape))
