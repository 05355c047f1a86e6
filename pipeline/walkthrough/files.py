"""What is told, printed or written to a file, with pictures beside it; each file whole."""

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib.figure import Figure

from pipeline.errors import ConfigError
from pipeline.report.figures.saving import save
from pipeline.results.whole_file import write_output
from pipeline.walkthrough.text import Block

Draw = Callable[[Sequence[Block], Path], Iterable[Block]]  # adds pictures to blocks, whose files are beside the path


def write_page(output: str, blocks: Sequence[Block], style: Callable[[Block], str], draw: Draw | None = None) -> None:
    """Writes blocks to the file of `explain.output`. Raises ConfigError."""
    path = Path(output)
    refuse_folder("explain.output", path)
    with TemporaryDirectory() as folder:
        page = draw(blocks, Path(folder, path.name)) if draw else blocks
        content = "\n\n".join(map(style, page)) + "\n"
        for picture in sorted(Path(folder).iterdir()):
            write("explain.output", path, path.with_name(picture.name), picture.read_bytes())
    write("explain.output", path, path, content.encode())


def write_figure(key: str, path: Path, figure: Figure) -> None:
    """Writes a figure to the file that a key names, an SVG or a PNG. Raises ConfigError."""
    refuse_folder(key, path)
    with TemporaryDirectory() as folder:
        drawn = Path(folder, "figure.svg")
        save(figure, drawn, png=path.suffix == ".png")
        write(key, path, path, drawn.with_suffix(path.suffix).read_bytes())


def write_file(key: str, given: str, content: bytes) -> None:
    """Writes the file that a key names. Raises ConfigError."""
    path = Path(given)
    refuse_folder(key, path)
    write(key, path, path, content)


def refuse_folder(key: str, path: Path) -> None:
    """Raises ConfigError where the path is that of a folder."""
    if path.is_dir():
        raise ConfigError(key, str(path), f"cannot be written: {os.strerror(errno.EISDIR)}")


def write(key: str, given: Path, path: Path, content: bytes) -> None:
    """Writes a file whole. Raises ConfigError with that key and what was given for it."""
    try:
        write_output(path, content)
    except OSError as error:
        raise ConfigError(key, str(given), f"cannot be written: {error.strerror}") from None
