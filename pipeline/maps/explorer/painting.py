"""What is seen of a map that is being trained: a picture of one of its layers."""

from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.status import Status
from pipeline.maps.training import MapResult

LAYERS = ("epochs", "status")
STATUS_COLOURS = {
    Status.CONVERGED: "#0072b2",
    Status.STATIONARY: "#f0e442",
    Status.EXHAUSTED: "#e69f00",
    Status.DIVERGED: "#7a1f1f",
}


def painted(found: MapResult, layer: str) -> NDArray[np.uint32]:
    """A layer as pixels (H, W) of red, green, blue and opacity; what is not trained is transparent."""
    image = np.zeros((*found.status.shape, 4), np.uint8)
    if layer == "status":
        for status, colour in STATUS_COLOURS.items():
            image[found.status == status, :3] = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    else:
        table = (matplotlib.colormaps["RdYlBu"](np.linspace(0, 1, 256))[:, :3] * 255).astype(np.uint8)
        image[..., :3] = table[np.clip(127.5 * (1 + ranks(found)), 0, 255).astype(int)]
    image[found.status >= 0, 3] = 255
    return np.ascontiguousarray(image).view(np.uint32)[..., 0]


def ranks(found: MapResult) -> NDArray[np.float64]:
    """Ranks from 1 (quickest) to −1."""
    converged, exhausted = found.status == Status.CONVERGED, found.status == Status.EXHAUSTED
    signed: Any = np.where(converged, -1.0 - found.epochs, 1e13 - found.epochs)
    signed[exhausted] = np.maximum(found.final_error[exhausted], 1e-300)
    values = np.sort(signed[found.status >= 0])
    below = int(np.searchsorted(values, 0.0))
    targets = np.concatenate([np.linspace(1, 0.25, below), np.linspace(-0.25, -1, len(values) - below)])
    return np.asarray(np.interp(signed, values, targets) if len(values) else signed)
