"""A film made: its frames trained, looked at for rounding, drawn and stored with the run of its map."""

import hashlib
import shlex
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.app.interrupts import Interrupts
from pipeline.app.progress import progress_bar
from pipeline.backprop.batch import Progress
from pipeline.errors import as_override
from pipeline.maps.digest import map_digest, map_key
from pipeline.maps.film import Film, shared
from pipeline.maps.grid import Grid
from pipeline.maps.pictures.film import FilmColours, Frame, write_film
from pipeline.maps.recording.request import MapRequest
from pipeline.maps.recording.stripes import insert, stripes
from pipeline.maps.rounding import Rounding, in_percent, rounding
from pipeline.maps.training import MapResult
from pipeline.report.numbers import count
from pipeline.report.tables import markdown_text
from pipeline.store.write import Store
from pipeline.sweeps.estimate import size
from pipeline.sweeps.executors import Executor
from pipeline.sweeps.executors.overlap import ahead

FILM = "film.webp"
DIGEST_TAG = "film.digest"
SIDES = "across", "down"
MUCH = 0.01  # of the runs, that rounding decides


@dataclass
class Recording:
    """A film while it is made: runs that are trained and taken over, checks of rounding by zoom, digests of frames, bytes."""

    trained: int = 0
    taken: int = 0
    checks: dict[int, Rounding] = field(default_factory=dict)
    digests: list[str] = field(default_factory=list)
    bytes: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the frames."""
        return hashlib.sha256("\n".join(self.digests).encode()).hexdigest()

    def metrics(self) -> dict[str, float]:
        """Numbers to record."""
        last = {f"film_last_{name}": value for name, value in self.checks[max(self.checks)].metrics().items()}
        return {"film_runs_trained": float(self.trained), "film_runs_shared": float(self.taken)} | last

    def sentences(self, film: Film) -> list[str]:
        """What it is, and what rounding decides in it."""
        total = self.trained + self.taken
        what = f"{count(film.frames, 'frame')} to {film.zoom(film.frames - 1):,.0f} times the zoom, each pixel a run"
        return [
            f"film: {what} ({total:,}, of which {in_percent(self.taken / total)} in an earlier frame, too); {size(self.bytes)}",
            f"film: {rounding_in_words(self.checks)}",
        ]


def rounding_in_words(checks: Mapping[int, Rounding]) -> str:
    """From which zoom on rounding decides more than 1 % of the runs that are checked, by zoom."""
    known = {zoom: check for zoom, check in checks.items() if check.order}
    if not known:
        return "what rounding decides is not known: no other order of the sums changes a bit"
    much = [zoom for zoom, check in known.items() if check.share > MUCH]
    how = f"{max(check.runs for check in known.values()):,} runs trained again at each doubling of the zoom"
    if not much:
        return f"rounding decides no more than 1 % of the checked runs at any zoom ({how})"
    from_there = [zoom for zoom in known if zoom >= much[0]]
    where = f"from a zoom of {much[0]:,} on" if much == from_there else f"at zooms of {', '.join(f'{zoom:,}' for zoom in much)}"
    return (
        f"rounding decides more than 1 % of the checked runs {where}, at the end {in_percent(known[max(known)].share)} ({how})"
    )


def make_film(
    request: MapRequest, first: MapResult, store: Store, run_id: str, trainer: Executor, interrupts: Interrupts, folder: Path
) -> list[str]:
    """Makes the film of a map that is recorded, and stores it with the map's run; gives sentences on it.

    Until all is made nothing is stored. Raises KeyboardInterrupt.
    """
    film, made = request.film, Recording()
    assert film is not None
    colours = FilmColours(first, request.colours, 2 * film.steps + 1)
    with TemporaryDirectory(dir=folder) as work, progress_bar() as bar:
        advance = bar("film", film.frames * request.pixels)
        frames = drawn_frames(request, film, made, colours, trainer, interrupts, advance)
        made.bytes = write_film(Path(work, FILM), frames, colours.colours, film.seconds, film.frames)
        store.log_files(run_id, Path(work))
    sentences = made.sentences(film)
    store.log_params(run_id, params(request.grid, film))
    store.log_metrics(run_id, made.metrics())
    store.client.set_tag(run_id, DIGEST_TAG, made.digest)
    note = store.client.get_run(run_id).data.tags.get("mlflow.note.content", "")
    last = f"The last frame is the map with `{shlex.join(last_window(request.grid, film))}`"
    shown = f"![](get-artifact?path={FILM}&run_uuid={run_id})"
    store.set_note(run_id, "\n\n".join([note, *map(markdown_text, sentences), last, shown]))
    return sentences


def drawn_frames(
    request: MapRequest,
    film: Film,
    made: Recording,
    colours: FilmColours,
    trainer: Executor,
    interrupts: Interrupts,
    advance: Progress,
) -> Iterator[Frame]:
    """The frames one after the other; `made` keeps count."""
    for index, (grid, result, taken) in enumerate(trained_frames(request, film, trainer, interrupts, advance)):
        made.trained, made.taken = made.trained + result.status.size - taken, made.taken + taken
        made.digests.append(map_digest(map_key(grid), result))
        if index % film.steps == 0:
            made.checks[2 ** (index // film.steps)] = rounding(grid, result, request.settings.engine)
            interrupts.raise_if_requested()
        zoom, check = film.zoom(index), made.checks[max(made.checks)]
        text = f"zoom {zoom:,.{0 if zoom > 99 else 1}f}"
        if check.share > MUCH:
            text += f"   rounding decides {in_percent(check.share)}"
        yield Frame(colours.codes(result), text)


def trained_frames(
    request: MapRequest, film: Film, trainer: Executor, interrupts: Interrupts, advance: Progress
) -> Iterator[tuple[Grid, MapResult, int]]:
    """The grid of each frame, its result, and how many of its runs were known."""
    before: deque[tuple[Grid, MapResult]] = deque(maxlen=film.steps)
    for index in range(film.frames):
        grid = film.grid(request.grid, index)
        result = shared(grid, *before[0]) if index >= film.steps else MapResult.empty(grid.shape)
        missing = np.flatnonzero(result.status < 0)
        advance(result.status.size - len(missing), 0)
        work = stripes(grid, map_key(grid), missing, request.settings.engine, request.settings.executor)
        for rows in trainer.train(ahead(work), advance):
            insert(result, rows)
            interrupts.raise_if_requested()
        before.append((grid, result))
        yield grid, result, result.status.size - len(missing)


def params(grid: Grid, film: Film) -> dict[str, str]:
    """The path of a film as params, with the last window."""
    last = film.grid(grid, film.frames - 1)
    path = {f"film.centre.{side}": target for side, target in zip(SIDES, film.centre, strict=True)}
    numbers = {"doublings": film.doublings, "steps": film.steps, "seconds": film.seconds}
    path |= {f"film.{name}": as_override(value) for name, value in numbers.items()}
    for side, axis in zip(SIDES, last.axes, strict=True):
        path |= {f"film.last.{side}.from": axis.low, f"film.last.{side}.to": axis.high}
    return path


def last_window(grid: Grid, film: Film) -> list[str]:
    """The words with which the map's own command draws the last frame alone."""
    ends = {
        side: {"from": axis.low, "to": axis.high}
        for side, axis in zip(SIDES, film.grid(grid, film.frames - 1).axes, strict=True)
    }
    words = [f"map.{side}.{end}={as_override(text, quoted=True)}" for side in ends for end, text in ends[side].items()]
    return [*words, *(f"map.{side}.{key}=null" for side in SIDES for key in ("centre", "width")), "map.film.centre=null"]
