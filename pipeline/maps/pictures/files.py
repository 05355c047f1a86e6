"""The pictures of a map as PNG files; the same map is the same bytes."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import ConfigError
from pipeline.maps.axis import Axis
from pipeline.maps.pictures.colours import SCALES
from pipeline.maps.pictures.labelled import labelled, ordinal
from pipeline.maps.pictures.layers import Layer, causes, epochs, ranks, statuses
from pipeline.maps.training import MapResult
from pipeline.report.figures.drawing import Picture


def write_pictures(
    folder: Path,
    result: MapResult,
    across: Axis,
    down: Axis,
    *,
    title: str = "",
    caption: str = "",
    scale: str = "pretty",
    cause: NDArray[np.int8] | None = None,
    every: int = 1,
) -> dict[Path, str]:
    """Writes `picture.png` and `pixels.png` of the ranks, `status.png`, `epochs.png`, and of causes (H, W) `cause.png`.

    The result may have only each `every`-th run along either axis of the map.

    Gives the caption of each. Raises ConfigError for a scale that there is not.
    """
    check_scale(scale)
    layers = {"picture": ranks(result, scale), "status": statuses(result, scale), "epochs": epochs(result, scale)}
    if cause is not None:
        layers["cause"] = causes(cause, scale)
    each = "each run" if every == 1 else f"every {ordinal(every)} run along each axis"
    captions = {folder / "pixels.png": f"one pixel for {each}, the lowest values at the left and at the bottom"}
    save_pixels(layers["picture"], folder / "pixels.png")
    for name, layer in layers.items():
        picture = labelled(layer, across, down, title, caption, every)
        save_labelled(picture, folder / f"{name}.png")
        captions[folder / f"{name}.png"] = picture.caption
    return captions


def check_scale(scale: str) -> None:
    """Raises ConfigError for colours that there are not."""
    if scale not in SCALES:
        raise ConfigError("scale", scale, f"must be one of {', '.join(SCALES)}")


def save_labelled(picture: Picture, path: Path) -> None:
    """A labelled picture as a file."""
    canvas: Any = FigureCanvasAgg(picture.figure)
    canvas.print_png(path, metadata={"Software": None})


def save_pixels(layer: Layer, path: Path) -> None:
    """A file with exactly one pixel for each run, the lowest values at the left and at the bottom."""
    image = Image.fromarray(np.ascontiguousarray(layer.codes[::-1]))
    image.putpalette(layer.colours.tobytes())
    image.save(path)
