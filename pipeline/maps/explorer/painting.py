"""What is seen of a map while it is trained: a layer as pixels, and what its colours stand for."""

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.maps.pictures.colours import SCALES
from pipeline.maps.pictures.layers import Entry, Layer, causes, epochs, ranks, statuses
from pipeline.maps.reasons import evident_causes
from pipeline.maps.training import MapResult

OF_RESULTS = {"ranks": ranks, "status": statuses, "epochs": epochs}
CAUSES = "causes"
LAYERS = (*OF_RESULTS, CAUSES)
COLOURS = tuple(SCALES)
STOPS = 9  # colours by which the page draws a ramp


@dataclass(frozen=True)
class Look:
    """Which layer is seen, and in which colours."""

    layer: str = "ranks"
    colours: str = "pretty"

    def of(self, found: MapResult, cause: NDArray[np.int8] | None = None) -> Layer:
        """The layer of a map, of which the causes (H, W) may be known."""
        if self.layer == CAUSES:
            return causes(evident_causes(found.status) if cause is None else cause, self.colours)
        return OF_RESULTS[self.layer](found, self.colours)


def pixels(layer: Layer) -> NDArray[np.uint32]:
    """Red, green, blue and opacity of each pixel (H, W) in one number; what is not trained is transparent."""
    table = np.full((len(layer.colours), 4), 255, np.uint8)
    table[:, :3] = layer.colours
    table[0, 3] = 0
    return table.view(np.uint32)[:, 0][layer.codes]


def as_address(layer: Layer) -> str:
    """A layer as an image that a page has within itself."""
    image, file = Image.fromarray(np.ascontiguousarray(layer.codes[::-1])), BytesIO()
    image.putpalette(layer.colours.tobytes())
    image.save(file, "png", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def legend(layer: Layer, with_counts: bool) -> list[dict[str, Any]]:
    """The lines of the legend for the page: text (with how many runs, or without), colours, numbers along them, their unit."""
    return [
        {
            "text": entry.text if with_counts else entry.text.partition(":")[0],
            "colours": stops(layer, entry),
            "along": [text for _, text in entry.along],
            "unit": entry.unit,
        }
        for entry in layer.legend
        if entry.first > 0
    ]


def stops(layer: Layer, entry: Entry) -> list[str]:
    """Some of the colours of a line, from first to last."""
    places = np.unique(np.linspace(entry.first, entry.last, STOPS).round().astype(int))
    return ["#" + bytes(layer.colours[place]).hex() for place in places]
