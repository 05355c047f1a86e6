"""What one window of the explorer shows: its map, its history, and the threads that train for it."""

import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.events import RangesUpdate, Tap
from bokeh.models import ColumnDataSource
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.maps.axis import Axis, decimal
from pipeline.maps.explorer import reading
from pipeline.maps.explorer.known import KnownPixels
from pipeline.maps.explorer.newest import Check, Newest
from pipeline.maps.explorer.one_run import OneRun, train_pixel
from pipeline.maps.explorer.painting import CAUSES, COLOURS, LAYERS, Look, legend, pixels
from pipeline.maps.explorer.passes import STEPS, TrainingInPasses, explain_in_passes
from pipeline.maps.explorer.plots import CurvePlot, MapPlot
from pipeline.maps.explorer.reading import SIDES, Asked
from pipeline.maps.explorer.recording import map_words, record
from pipeline.maps.explorer.view import from_floats, moved, pixel_at, pixels_moved, zoomed
from pipeline.maps.grid import Grid
from pipeline.maps.pictures.layers import Layer
from pipeline.maps.training import MapResult
from pipeline.trials.checks import choice

FAULT = "this cannot be shown: a fault of the program, see its terminal"
MOST_SIDE = 1024  # pixels
FIRST_STEP = 4  # pixels from one run to the next until the page has said how much room there is
MOST_VIEWS = 200  # that «back» remembers
SECONDS_TO_END = 1.0  # until a thread that was told to end has ended


@dataclass(frozen=True)
class Picture:
    """What is trained of a map: so many runs, seen as the pixels of a pass, `step` apart.

    Of a sharp one the causes may be known, of pixels `cause_step` apart.
    """

    grid: Grid
    found: MapResult
    step: int
    trained: int
    seconds: float
    cause: NDArray[np.int8] | None = None
    cause_step: int = 0

    @property
    def is_sharp(self) -> bool:
        """Whether each of its runs is trained."""
        return self.step == 1


class Session:
    """One window: a document of Bokeh's, its own map, and threads of its own.

    The page sends what is asked for as JSON in the source `asked`, and is told in `told`. Threads change nothing of the
    document: they leave what they found to its loop. It may begin with a picture of the map that another has trained.
    """

    def __init__(
        self, document: Document, start: Asked, fields: reading.Fields, colours: str = "pretty", first: Picture | None = None
    ) -> None:
        self.document, self.asked_now, self.look = document, start, Look(colours=colours)
        self.fields = fields
        self.history: list[tuple[Mapping[str, Any], Axis, Axis]] = []  # grids may be large
        self.views, self.has_size, self.closed = 0, False, False
        self.picture: Picture | None = None
        self.map, self.curve = MapPlot(), CurvePlot()
        self.asked, self.told = (ColumnDataSource({"json": []}, name=name) for name in ("asked", "told"))
        self.telling: dict[str, Any] = {}
        self.known, self.trainer, self.pixel_trainer = KnownPixels(), Newest(self._failed), Newest(self._failed)
        self.asked.on_change("data", lambda name, old, new: self._answer(new["json"]))
        self.map.plot.on_event(RangesUpdate, self._moved_by_mouse)
        self.map.plot.on_event(Tap, lambda event: self._guarded(partial(self.pick, event.x, event.y)))
        self.show(start, is_trained=first is not None)
        if first:
            self._draw(first, self.look.of(first.found))
        with document.models.freeze():  # looked through once, when all is there
            for model in (self.map.plot, self.curve.plot, self.asked, self.told):
                document.add_root(model)

    def close(self) -> None:
        """Ends the threads."""
        self.closed = True
        for thread in (self.trainer, self.pixel_trainer):
            thread.close()

    def join(self) -> None:
        """Waits until the threads have ended."""
        for thread in (self.trainer, self.pixel_trainer):
            thread.join(SECONDS_TO_END)

    def tell(self, **parts: Any) -> None:
        """Tells the page what has changed."""
        self.telling |= parts
        self.told.data = {"json": [json.dumps(self.telling)]}

    def show(self, asked: Asked, keep: bool = False, by_mouse: bool = False, is_trained: bool = False) -> None:
        """Shows another map, and trains it; `keep`: the one before is in the history."""
        if asked.config != self.asked_now.config or names_of(asked) != names_of(self.asked_now):
            self.map.unmark()
        if keep:
            self.history = [*self.history, (self.asked_now.config, *self.asked_now.grid.axes)][-MOST_VIEWS:]
        self.asked_now, grid, self.views = asked, asked.grid, self.views + 1
        if not by_mouse:
            self.map.show(grid.across, grid.down)
        self.map.label(grid.across, grid.down)
        axes = reading.fields_of_axis("across", grid.across) | reading.fields_of_axis("down", grid.down)
        self.tell(fields=self.fields | axes, error="", back=bool(self.history), view=self.views, step=0, look=asdict(self.look))
        if not is_trained:
            coarsest = shown_from(self.picture, grid)
            self.trainer.ask(lambda check: self._train(asked, check, coarsest))

    def _train(self, asked: Asked, check: Check, coarsest: int) -> None:
        """Trains a map in passes, in the trainer's thread."""
        started, last = time.monotonic(), 1 if self.has_size else FIRST_STEP

        def show(found: MapResult, step: int, trained: int) -> None:
            self._leave(Picture(asked.grid, found, step, trained, time.monotonic() - started), check)

        training = TrainingInPasses(asked.grid, asked.engine, check, show, self.known.of(asked.grid))
        try:
            training.run(last, coarsest)
        finally:
            self.known.remember(asked.grid, training.found)

    def _explain(self) -> None:
        """Finds the causes of what is shown, if they are looked at and every run is trained."""
        picture = self.picture
        if picture is None or self.look.layer != CAUSES or not picture.is_sharp or picture.cause_step == 1:
            return
        asked = self.asked_now
        if picture.grid is not asked.grid:
            return

        def explain(check: Check) -> None:
            def show(cause: NDArray[np.int8], step: int) -> None:
                self._leave(replace(picture, cause=cause, cause_step=step), check)

            explain_in_passes(asked.grid, picture.found, asked.engine, check, show)

        self.trainer.ask(explain)

    def _leave(self, picture: Picture, check: Check) -> None:
        """Leaves a picture that a thread has made to the document's loop."""
        look = self.look
        layer = look.of(picture.found, picture.cause)
        check()
        self._later(lambda: self._draw(picture, layer if self.look == look else self.look.of(picture.found, picture.cause)))

    def _draw(self, picture: Picture, layer: Layer) -> None:
        """Shows a picture, unless another map is asked for by now."""
        grid = picture.grid
        if grid is not self.asked_now.grid:
            return
        self.picture = picture
        self.map.draw(pixels(layer), grid.across, grid.down)
        is_whole = picture.is_sharp and (self.look.layer != CAUSES or picture.cause_step == 1)
        self.tell(status=said(picture), step=picture.step, explained=picture.cause_step, legend=legend(layer, is_whole))
        if picture.cause is None:
            self._explain()

    def pick(self, x: float, y: float) -> None:
        """Trains the pixel at this place by itself, and shows it."""
        asked = self.asked_now
        column, row = (pixel_at(axis, value) for axis, value in zip(asked.grid.axes, (x, y), strict=True))
        if column is None or row is None:
            axis, value = (asked.grid.across, x) if column is None else (asked.grid.down, y)
            raise ConfigError(axis.name, value, f"must be in the picture, {axis.low} to {axis.high}")
        self.map.mark(float(asked.grid.across.values[column]), float(asked.grid.down.values[row]))
        self.tell(error="", training=True)

        def train(check: Check) -> None:
            run = train_pixel(asked.grid, row, column, asked.engine, check)
            self._later(lambda: self._show_pixel(run))

        self.pixel_trainer.ask(train)

    def _show_pixel(self, run: OneRun) -> None:
        self.curve.draw(*run.curve, run.threshold)
        self.tell(pixel=run.as_data(), training=False)

    def _answer(self, messages: list[str]) -> None:
        """Does what the page asks for."""
        for message in messages:
            request = json.loads(message)
            self._guarded(partial(ACTIONS[request["do"]], self, request))

    def request_later(self, request: Mapping[str, Any]) -> None:
        """Does what is asked for by another way than the page's source, from the document's loop."""
        self._later(lambda: self._guarded(partial(ACTIONS[request["do"]], self, request)))

    def _guarded(self, action: Callable[[], None]) -> None:
        """Does something for the user, or shows the one line that says why not."""
        try:
            action()
        except Exception as error:
            self.tell(error=reading.refusal(error) or FAULT, training=False)
            if not reading.refusal(error):
                traceback.print_exception(error)

    def _moved_by_mouse(self, event: Any) -> None:
        """The plot says where it is."""
        now = self.asked_now.grid.axes
        ends = [(event.x0, event.x1), (event.y0, event.y1)]
        if all(pixels_moved(axis, *end) == 0 for axis, end in zip(now, ends, strict=True)):
            return
        by_side = dict(zip(SIDES, ends, strict=True))
        self._guarded(lambda: self._each(lambda side, axis: from_floats(axis, *by_side[side]), by_mouse=True))

    def _each(self, change: Callable[[str, Axis], Axis], by_mouse: bool = False) -> None:
        """Changes each of the axes. Raises ConfigError, with the axis in its key."""
        axes = []
        for side, axis in zip(SIDES, self.asked_now.grid.axes, strict=True):
            try:
                axes.append(change(side, axis))
            except ConfigError as error:
                raise ConfigError(f"{side}.{error.key}", error.value, error.allowed) from None
        if tuple(axes) != self.asked_now.grid.axes:
            self._change(axes, by_mouse)

    def _change(self, axes: list[Axis], by_mouse: bool = False, keep: bool = True) -> None:
        """Shows the same trials in another window."""
        across, down = axes
        self.show(replace(self.asked_now, grid=replace(self.asked_now.grid, across=across, down=down)), keep, by_mouse)

    def read_fields(self, request: Mapping[str, Any]) -> None:
        """What stands in the fields."""
        fields = {str(key): str(text) for key, text in request["fields"].items()}
        shown, now = request["shown"], self.asked_now.grid.axes
        axes = [reading.read_axis(side, fields, shown, axis) for side, axis in zip(SIDES, now, strict=True)]
        trial = {key: fields[key] for key in reading.TRIAL_FIELDS}
        asked = reading.read(reading.configuration(trial), *axes)
        self.fields = trial
        self.show(asked, keep=True)

    def move(self, request: Mapping[str, Any]) -> None:
        """A part of the window to the right, and upwards."""
        self._each(lambda side, axis: moved(axis, request[side]))

    def zoom(self, request: Mapping[str, Any]) -> None:
        """Both axes, around the centre."""
        self._each(lambda side, axis: zoomed(axis, request["factor"]))

    def back(self, request: Mapping[str, Any]) -> None:
        """To the map before."""
        if self.history:
            config, *before = self.history.pop()
            sizes = (axis.size for axis in self.asked_now.grid.axes)
            across, down = (replace(axis, size=size) for axis, size in zip(before, sizes, strict=True))
            if config != self.asked_now.config:
                self.fields = reading.fields_of(config)
            self.show(reading.read(config, across, down))

    def choose_look(self, request: Mapping[str, Any]) -> None:
        """Another layer of the same runs, or other colours."""
        self.look = Look(choice("layer", request["layer"], LAYERS), choice("colours", request["colours"], COLOURS))
        self.tell(look=asdict(self.look), error="")
        if self.picture:
            self._draw(self.picture, self.look.of(self.picture.found, self.picture.cause))

    def record(self, request: Mapping[str, Any]) -> None:
        """Makes the view a map in MLflow."""
        if self.telling.get("recording"):
            return
        asked = self.asked_now
        command = record(map_words(asked.grid, asked.config, self.look.colours), self._recorded)
        self.tell(recording=True, recorded="being recorded …", record_command=command, error="")

    def _recorded(self, line: str, is_recorded: bool) -> None:
        """The recording has ended."""
        parts = {"recorded": line} if is_recorded else {"recorded": "not recorded", "error": line}
        self._later(lambda: self.tell(recording=False, **parts))

    def resize(self, request: Mapping[str, Any]) -> None:
        """As many pixels as the page has room for."""
        sizes = [min(max(int(size), 16), MOST_SIDE) for size in (request["width"], request["height"])]
        axes = self.asked_now.grid.axes
        if not self.has_size or sizes != [axis.size for axis in axes]:
            self.has_size = True
            self._change([replace(axis, size=size) for axis, size in zip(axes, sizes, strict=True)], by_mouse=True, keep=False)

    def pick_by_text(self, request: Mapping[str, Any]) -> None:
        """The pixel at two numbers that were typed."""
        names = [axis.name for axis in self.asked_now.grid.axes]
        x, y = (float(decimal(name, request[key].strip())) for name, key in zip(names, ("x", "y"), strict=True))
        self.pick(x, y)

    def _later(self, change: Callable[[], None]) -> None:
        """Changes the document from its own loop, as long as its window is open."""
        if not self.closed:
            self.document.add_next_tick_callback(change)

    def _failed(self, error: Exception) -> None:
        """A thread could not train: the page says why."""
        self._later(lambda: self._guarded(partial(raise_again, error)))


ACTIONS: dict[str, Callable[[Session, Mapping[str, Any]], None]] = {
    "fields": Session.read_fields,
    "move": Session.move,
    "zoom": Session.zoom,
    "back": Session.back,
    "look": Session.choose_look,
    "record": Session.record,
    "size": Session.resize,
    "pixel": Session.pick_by_text,
}


def raise_again(error: Exception) -> None:
    """Raises it."""
    raise error


def names_of(asked: Asked) -> list[str]:
    """What the axes are."""
    return [axis.name for axis in asked.grid.axes]


def shown_from(picture: Picture | None, grid: Grid) -> int:
    """The step of the first pass that is shown: of a map that is seen already not a coarser one, but at least FIRST_STEP."""
    return max(picture.step, FIRST_STEP) if picture and has_window(picture, grid) else STEPS[0]


def has_window(picture: Picture, grid: Grid) -> bool:
    """Whether a picture is of the same map, perhaps with other pixels."""
    return picture.grid.config == grid.config and windows(picture.grid) == windows(grid)


def windows(grid: Grid) -> list[tuple[str, ...]]:
    """The axes, but for how many pixels they have."""
    return [(axis.name, axis.scale, axis.low, axis.high) for axis in grid.axes]


def said(picture: Picture) -> str:
    """How many runs of a picture are trained."""
    height, width = picture.grid.shape
    if picture.is_sharp:
        causes = {0: "", 1: "; their causes are all known"}.get(picture.cause_step, "; their causes are being found")
        return f"{width} × {height} runs, trained in {picture.seconds:.2f} s{causes}"
    return f"{picture.trained:,} of {width} × {height} runs so far"
