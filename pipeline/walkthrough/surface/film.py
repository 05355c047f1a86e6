"""The surface on its way as a small film: an animated WebP, with the error curve beside it."""

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from pipeline.report.figures.drawing import BLUE, ORANGE, epochs_axis, log_axis, plain
from pipeline.report.figures.style import styled
from pipeline.report.figures.trajectories import FAR_ABOVE, positive
from pipeline.walkthrough.layout import short
from pipeline.walkthrough.surface.course import Course
from pipeline.walkthrough.surface.panels import draw
from pipeline.walkthrough.surface.plane import Plane

FRAMES, SECONDS = 50, 8.0
FIRST_FOR, LAST_FOR = 800, 2500  # more milliseconds that the first and the last frame stay
SIZE, QUALITY = 120, 75


def film(way: Course, shown: Course, plane: Plane, setting: str) -> bytes:
    """The film, a frame for each epoch of `shown`, which is a part of the way."""
    images = [frame(way, shown, plane, setting, at) for at in range(len(shown.epochs))]
    each = round(1000 * SECONDS / len(images))
    durations = [each] * len(images)
    durations[0] += FIRST_FOR
    durations[-1] += LAST_FOR
    file = io.BytesIO()
    first, *others = images
    first.save(file, "WEBP", save_all=True, append_images=others, duration=durations, loop=0, quality=QUALITY, method=4)
    return file.getvalue()


@styled
def frame(way: Course, shown: Course, plane: Plane, setting: str, at: int) -> Image.Image:
    """One picture: the surface, and the error so far."""
    figure = Figure(figsize=(7.6, 4.0), dpi=90)
    left, right = figure.add_axes((0.08, 0.13, 0.42, 0.72)), figure.add_axes((0.62, 0.13, 0.35, 0.72))
    draw(left, plane, plane.surface(shown.batch.network, shown.parameters[:, at], SIZE))
    left.set(xlabel=plain(plane.names[0]), ylabel=plain(plane.names[1]))
    left.set_title(f"epoch {shown.epochs[at]:,}, E = {short(shown.errors[at])}")
    errors, epoch = positive(way.errors), shown.epochs[at]
    past = way.epochs <= epoch
    right.plot(way.epochs, errors, color="0.8", linewidth=1.5)
    right.plot(way.epochs[past], errors[past], color=BLUE, linewidth=1.8)
    right.plot(epoch, positive(shown.errors[at : at + 1])[0], "o", color=ORANGE, markersize=7, clip_on=False)
    limits = max(float(errors.min()) / 1.5, 1 / FAR_ABOVE), min(float(errors.max()) * 1.5, FAR_ABOVE)
    epochs_axis(right, float(way.epochs[-1]))
    right.set(ylim=limits, yscale="log", ylabel="total error E")
    log_axis(right.yaxis, *limits, 5)
    figure.suptitle(plain(setting, 90), fontsize=10)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3].copy())
