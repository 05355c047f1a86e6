"""A map that is requested: read from a configuration and checked, with what it takes. Needs nothing that is slow to import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, as_override, dotted, unknown_key
from pipeline.maps.axis import MOST_PIXELS, SCALES, Axis
from pipeline.maps.film import MOST_DOUBLINGS, Film
from pipeline.maps.grid import Grid
from pipeline.maps.large import MOST_IN_MEMORY, is_large
from pipeline.maps.recording.stripes import ROW_BYTES, stripe_pixels
from pipeline.report.numbers import count
from pipeline.sweeps.estimate import PROGRAM, free_disk, refuse_above, size
from pipeline.trials.checks import choice, integer, number, refuse_unknown, section, text
from pipeline.trials.configuration import TRIAL_KEYS
from pipeline.trials.memory import check_size, free_memory
from pipeline.trials.settings import DEFAULTS, RUN_KEYS, Settings, read_settings
from pipeline.trials.unreachable import warnings_of_unreachable

MAP_KEYS = ("name", "across", "down", "size", "colours", "pixel", "film")
NO_FILM: Mapping[str, Any] = {"centre": None, "doublings": 20, "steps": 4, "seconds": 8}
MOST_STEPS = 60  # frames until the width is halved
SHORTEST, MOST_SECONDS = 0.02, 3600  # of a frame, as browsers take longer for shorter ones; of a film
LARGEST_FILM = 16_000  # pixels along a side: a WebP has at most 16,383
COLOURS = ("pretty", "safe")  # of `maps.pictures.colours`, which is slow to import
AXIS_KEYS = ("key", "from", "to", "centre", "width", "scale")
# Bytes, measured: of a pixel in memory, its result and what pictures are made from; of a pixel of a stripe.
PIXEL_IN_MEMORY, PIXEL_ON_DISK, PICTURES = 32, ROW_BYTES + 20, 8 * 2**20
SMALL_FRAME = 2**17  # bytes of a frame of a film that is enlarged
PIXEL_OF_LARGE = 17  # on disk, too
COPIES = 3  # of a stripe's arrays


@dataclass(frozen=True)
class MapRequest:
    """A map with its name, how it is trained, and the pixel [x, y] that alone is asked for, if one is."""

    name: str
    grid: Grid
    settings: Settings
    configuration: Mapping[str, Any]
    colours: str = "pretty"
    pixel: tuple[int, int] | None = None
    film: Film | None = None

    @property
    def memory(self) -> int:
        """The bytes of memory that it may take."""
        executor = self.settings.executor
        workers = executor.workers if executor.name == "dask" and not executor.address else 1
        stripe = stripe_pixels(self.grid, self.pixels, executor) * 8 * (4 * self.grid.network.size + 16)
        return (
            PROGRAM * workers
            + min(self.pixels, MOST_IN_MEMORY) * PIXEL_IN_MEMORY
            + COPIES * min(stripe, self.pixels * 1024) * workers
            + self.film_memory
        )

    @property
    def film_memory(self) -> int:
        """The bytes of memory that its film may take besides: its pictures, and the frames that are shared."""
        if self.film is None:
            return 0
        return self.film.frames * (self.pixels + SMALL_FRAME) + self.film.steps * self.pixels * ROW_BYTES

    @property
    def disk(self) -> int:
        """The bytes of disk that it may take."""
        film = self.film.frames * (self.pixels + SMALL_FRAME) if self.film else 0
        files = PIXEL_OF_LARGE if is_large(self.grid.shape) else 0
        return self.pixels * (PIXEL_ON_DISK + files) + PICTURES + film

    @property
    def pixels(self) -> int:
        """H · W."""
        height, width = self.grid.shape
        return height * width

    def __str__(self) -> str:
        """What is trained, and what it takes, in a line."""
        height, width = self.grid.shape
        axes = " and ".join(
            f"{axis.name} {axis.low} to {axis.high}{' (log)' if axis.scale == 'log' else ''}" for axis in self.grid.axes
        )
        takes = f"up to {size(self.memory)} of memory and {size(self.disk)} of disk"
        film = f", then {count(self.film.frames, 'frame')} of a film" if self.film else ""
        return f"{count(self.pixels, 'run')}, {width} × {height}: {axes}{film}; {takes}"


def read_map(config: Mapping[str, Any]) -> MapRequest:
    """The map that a resolved configuration describes. Raises ConfigError."""
    config = {**DEFAULTS, **config}
    refuse_unknown(config, (*TRIAL_KEYS, *RUN_KEYS, "map"))
    settings = read_settings(config)
    given_map = config.get("map")
    node = section({"map": {"film": NO_FILM, **given_map} if isinstance(given_map, Mapping) else given_map}, "map", MAP_KEYS)
    width, height = read_size(node["size"])
    across, down = read_axis("map.across", node["across"], width), read_axis("map.down", node["down"], height)
    try:
        grid = Grid({key: config[key] for key in TRIAL_KEYS}, across, down)
    except ConfigError as error:
        if error.key != "key":
            raise
        raise ConfigError(f"map.{'across' if error.value == across.name else 'down'}.key", error.value, error.allowed) from None
    check_size(grid.network, len(grid.patterns[0]), config["limits"])
    return MapRequest(
        name=text("map.name", node["name"], "the name of the map"),
        grid=grid,
        settings=settings,
        configuration=config,
        colours=choice("map.colours", node["colours"], COLOURS),
        pixel=None if node["pixel"] is None else read_pixel(node["pixel"], width, height),
        film=read_film(node, grid),
    )


def read_film(node: Mapping[str, Any], grid: Grid) -> Film | None:
    """The film of a map, if it has a centre. Raises ConfigError."""
    film = section(node, "film", tuple(NO_FILM))
    if film["centre"] is None:
        return None
    try:
        x, y = (one if isinstance(one, str) else as_override(one + 0) for one in film["centre"] if not isinstance(one, bool))
    except (ValueError, TypeError):
        raise ConfigError("map.film.centre", film["centre"], "must be [x, y], two numbers, or null") from None
    asked = Film(
        centre=(x, y),
        doublings=integer("map.film.doublings", film["doublings"], 1, MOST_DOUBLINGS),
        steps=integer("map.film.steps", film["steps"], 1, MOST_STEPS),
        seconds=number(
            "map.film.seconds", film["seconds"], f"above 0, at most {MOST_SECONDS}", lambda one: 0 < one <= MOST_SECONDS
        ),
    )
    if max(grid.shape) > LARGEST_FILM:
        raise ConfigError("map.size", node["size"], f"must be at most {LARGEST_FILM} for a film")
    if asked.seconds < SHORTEST * asked.frames:
        raise ConfigError(
            "map.film.seconds", asked.seconds, f"must be at least {SHORTEST * asked.frames:g} for {asked.frames} frames"
        )
    try:
        asked.check(grid)
    except ConfigError as error:
        if error.key not in ("centre", "doublings"):
            raise
        raise ConfigError(f"map.film.{error.key}", error.value, error.allowed) from None
    return asked


def read_size(value: object) -> tuple[int, int]:
    """Width and height, in pixels: one number, or [width, height]."""
    sizes = value if isinstance(value, list | tuple) else [value, value]
    try:
        width, height = (integer("map.size", one, 2, MOST_PIXELS) for one in sizes)
    except (ConfigError, ValueError):
        raise ConfigError("map.size", value, f"must be a whole number, 2 to {MOST_PIXELS}, or [width, height]") from None
    return width, height


def read_pixel(value: object, width: int, height: int) -> tuple[int, int]:
    """The place [x, y] of a pixel."""
    try:
        x, y = (integer("map.pixel", *one) for one in zip(value, (0, 0), (width - 1, height - 1), strict=True))  # type: ignore
        return x, y
    except (ConfigError, ValueError, TypeError):
        allowed = f"must be [x, y], x from 0 to {width - 1} and y from 0 (the lowest row) to {height - 1}, or null"
        raise ConfigError("map.pixel", value, allowed) from None


def read_axis(where: str, value: object, size: int) -> Axis:
    """An axis of a configuration: its key, from and to or centre and width, its scale. Raises ConfigError."""
    if not isinstance(value, Mapping):
        raise ConfigError(where, value, f"must have the keys {', '.join(AXIS_KEYS)}")
    node = {**dict.fromkeys(AXIS_KEYS[1:]), **value}
    if node["scale"] is None:
        node["scale"] = "linear"
    for key in node:
        if key not in AXIS_KEYS:
            raise ConfigError(f"{where}.{key}", node[key], unknown_key(str(key), AXIS_KEYS))
    name = dotted(text(f"{where}.key", node.get("key"), "a number of a trial, such as learning_rate or initial.set.w5"))
    scale = choice(f"{where}.scale", node["scale"], SCALES)
    ends, middle = (given(where, node, keys) for keys in (("from", "to"), ("centre", "width")))
    if ends and middle:
        other = f"{where}.{next(iter(middle))}"
        raise ConfigError(f"{where}.{next(iter(ends))}", next(iter(ends.values())), f"must be null where {other} is given")
    wanted = ("centre", "width") if middle else ("from", "to")
    for key in wanted:
        if key not in {**ends, **middle}:
            raise ConfigError(f"{where}.{key}", None, f"must be a number: {' and '.join(wanted)} belong together")
    try:
        if middle:
            return Axis.around(name, middle["centre"], middle["width"], scale, size)
        return Axis(name, ends["from"], ends["to"], scale, size)
    except ConfigError as error:
        raise ConfigError(f"{where}.{error.key}", error.value, error.allowed) from None


def given(where: str, node: Mapping[str, Any], keys: Sequence[str]) -> dict[str, str]:
    """Those of the numbers that are given, as decimal text."""
    found = {}
    for key in keys:
        value = node[key]
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            raise ConfigError(f"{where}.{key}", value, "must be a number")
        if value is not None:
            found[key] = as_override(value)
    return found


def unreachable_lines(request: MapRequest) -> list[str]:
    """What to say where no pixel can converge; raises ConfigError where that is to be refused."""
    grid = request.grid
    highest = max([grid.base.threshold, *(float(axis.values[-1]) for axis in grid.axes if axis.name == "threshold")])
    return list(warnings_of_unreachable([(grid.batch_key, highest)], request.settings.on_unreachable))


def check_map(config: Mapping[str, Any]) -> None:
    """Refuses, by ConfigError, what could not be trained or recorded."""
    request = read_map(config)
    unreachable_lines(request)
    if request.pixel is not None:
        return
    folder = Path.cwd()
    refuse_above("limits.memory", request.pixels, request.memory, request.settings.memory, free_memory(), "of memory are free")
    where = f"are free in {folder}"
    refuse_above("limits.disk", request.pixels, request.disk, request.settings.disk, free_disk(folder), where)
    from pipeline.store.write import Store  # a wrong value is refused before it is imported

    tracking = request.settings.tracking
    Store(tracking.uri, tracking.experiment, tracking.artifacts)
