"""The colours of maps: ramps whose steps look equally large.

A ramp goes in straight lines through some colours in Oklab, in equal steps of its distance: Björn Ottosson, "A perceptual color
space for image processing" (2020). `pretty` and `safe` mean the same; `safe` is told apart without red and green, too.

Letters: C colours of a ramp, as bytes of red, green and blue (C, 3).
"""

from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.status import Status

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)  # of linear sRGB
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

UNTRAINED = "#ffffff"
STATUS_COLOURS = {
    Status.CONVERGED: "#0072B2",
    Status.STATIONARY: "#CC79A7",
    Status.EXHAUSTED: "#F2C14E",
    Status.DIVERGED: "#3A1F1F",
}
CAUSE_COLOURS = {  # chosen so that any two are far apart with all three kinds of colour vision
    Cause.NONE: "#d3e0ec",
    Cause.DIVERGED: "#101010",
    Cause.UNREACHABLE: "#cc6677",
    Cause.SYMMETRIC: "#aa4499",
    Cause.FROZEN: "#332288",
    Cause.SATURATED: "#6d3b00",
    Cause.OSCILLATING: "#d55e00",
    Cause.DESCENDING: "#33bbee",
    Cause.PLATEAU: "#ffdd57",
    Cause.MINIMUM: "#882255",
    Cause.UNDECIDED: "#f4a582",
}


@dataclass(frozen=True)
class Scale:
    """Two ramps away from each other, with a gap between, and one of what is apart from both.

    `inside` (120, 3) from the best to the edge, `outside` (90, 3) from the edge on, `diverged` (40, 3) from late to early;
    `epochs` names matplotlib's colours for numbers alone.
    """

    inside: Bytes
    outside: Bytes
    diverged: Bytes
    epochs: str


def oklab(colours: Floats) -> Floats:
    """Colours of sRGB (C, 3), from 0 to 1, in Oklab."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    lab: Floats = np.cbrt(linear @ TO_CONES.T) @ TO_LAB.T
    return lab


def srgb(lab: Floats) -> Floats:
    """Colours of Oklab (C, 3) in sRGB, cut to 0 to 1."""
    linear = (np.linalg.solve(TO_LAB, lab.T) ** 3).T
    linear = np.clip(np.linalg.solve(TO_CONES, linear.T).T, 0.0, 1.0)
    colours: Floats = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return colours


def ramp(number: int, *through: str) -> Bytes:
    """So many colours (C, 3) from the first to the last, in equal steps."""
    stops = oklab(np.array([to_rgb(colour) for colour in through]))
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(stops, axis=0), axis=1))])
    along = np.linspace(0.0, length[-1], number)
    return as_bytes(srgb(np.stack([np.interp(along, length, stops[:, part]) for part in range(3)], axis=1)))


def as_bytes(colours: Floats) -> Bytes:
    """From 0 to 1 as bytes."""
    return np.rint(255 * colours).astype(np.uint8)


def colour(name: str) -> Bytes:
    """One colour, (1, 3)."""
    return as_bytes(np.array([to_rgb(name)]))


def numbers(name: str, size: int) -> Bytes:
    """Colours of matplotlib's for numbers, (size, 3)."""
    return as_bytes(matplotlib.colormaps[name](np.linspace(0.0, 1.0, size))[:, :3])


SCALES = {
    "pretty": Scale(
        inside=ramp(120, "#2a1a5e", "#2f5fb3", "#2ea7a6", "#86d2a0", "#c9ecb3"),
        outside=ramp(90, "#ffdf8e", "#fbad5c", "#ea6a45", "#a81e46"),
        diverged=ramp(40, "#5e1140", "#1a0a1c"),
        epochs="viridis",
    ),
    "safe": Scale(
        inside=ramp(120, "#08204f", "#1f6cb4", "#72b2e0", "#b9dcf4"),
        outside=ramp(90, "#ffe08f", "#e3a43a", "#a8650f", "#643500"),
        diverged=ramp(40, "#4a4a4a", "#0c0c0c"),
        epochs="cividis",
    ),
}
