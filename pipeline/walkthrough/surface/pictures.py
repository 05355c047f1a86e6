"""The file of a surface: panels of one picture, or a film."""

from pathlib import Path

from pipeline.walkthrough.curve import headline
from pipeline.walkthrough.end import RunEnd
from pipeline.walkthrough.files import write_figure, write_file
from pipeline.walkthrough.surface.course import course, evenly_changing
from pipeline.walkthrough.surface.film import FRAMES, film
from pipeline.walkthrough.surface.panels import PANELS, panels
from pipeline.walkthrough.surface.plane import Plane

FILM = ".webp"
SUFFIXES = (".png", ".svg", FILM)
KEY = "explain.surface"


def write_surface(path: Path, plane: Plane, end: RunEnd, setting: str) -> None:
    """Writes the surface of a run that has ended. Raises ConfigError."""
    batch = end.result.batch
    way = course(batch, end.epochs)
    if path.suffix != FILM:
        write_figure(KEY, path, panels(evenly_changing(way, plane, PANELS), plane, setting, headline(end).lower()))
        return
    shown = evenly_changing(way, plane, FRAMES)
    write_file(KEY, str(path), film(way, shown, plane, setting))
