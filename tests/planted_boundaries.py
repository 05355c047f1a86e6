"""Regions whose boundary has a known dimension, at random places, sizes and angles, as pixels: True inside."""

from collections.abc import Callable

import numpy as np

KOCH = np.log(4) / np.log(3)
# The side that replaces each side, as complex numbers from 0 to 1: von Koch's, and the quadratic one of eight quarters
TRIANGULAR = np.array([0, 1 / 3, 0.5 + 1j * np.sqrt(3) / 6, 2 / 3])
QUADRATIC = np.array([0, 1, 1 + 1j, 2 + 1j, 2, 2 - 1j, 3 - 1j, 3]) / 4


def filled(corners: np.ndarray, size: int) -> np.ndarray:
    """Which pixel centres of the unit square lie inside a polygon of complex corners (N,), (size, size); even-odd rule.

    Each side crosses some rows of centres; a crossing turns inside and outside for all centres to its right.
    """
    start = corners * size - 0.5 * (1 + 1j)  # the centre of a pixel has whole numbers
    end = np.roll(start, -1)
    low, high = np.minimum(start.imag, end.imag), np.maximum(start.imag, end.imag)
    first, last = np.ceil(low).astype(int), np.ceil(high).astype(int)  # rows low ≤ y < high
    rows = last - first
    side = np.repeat(np.arange(len(start)), rows)
    y = first[side] + np.arange(len(side)) - np.repeat(np.cumsum(rows) - rows, rows)
    along = (y - start.imag[side]) / (end.imag - start.imag)[side]
    x = np.ceil(start.real[side] + along * (end.real - start.real)[side]).astype(int)
    inside = (y >= 0) & (y < size) & (x < size)
    turns = np.zeros((size, size), int)
    np.add.at(turns, (y[inside], np.maximum(x[inside], 0)), 1)
    return np.cumsum(turns, axis=1) % 2 == 1


def curve(corners: np.ndarray, generator: np.ndarray, level: int) -> np.ndarray:
    """The corners of a polygon after each side was replaced `level` times."""
    for _ in range(level):
        side = np.roll(corners, -1) - corners
        corners = (corners[:, None] + side[:, None] * generator).ravel()
    return corners


def placed(random: np.random.Generator, corners: np.ndarray) -> np.ndarray:
    """A polygon about 0 of radius 1 somewhere in the unit square, at any angle, with a radius from 0.25 to 0.4."""
    radius, angle = random.uniform(0.25, 0.4), random.uniform(0, 2 * np.pi)
    centre = random.uniform(0.35, 0.65) + 1j * random.uniform(0.35, 0.65)
    return centre + radius * np.exp(1j * angle) * corners


def line(random: np.random.Generator, size: int) -> np.ndarray:
    """One side of a straight line through a point in the middle."""
    angle, point = random.uniform(0, 2 * np.pi), random.uniform(0.3, 0.7, 2)
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    return (x - point[0]) * np.cos(angle) + (y - point[1]) * np.sin(angle) > 0


def disc(random: np.random.Generator, size: int) -> np.ndarray:
    """A disc of random radius, which may stand over the edge."""
    centre, radius = random.uniform(0.3, 0.7, 2), random.uniform(0.1, 0.4)
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2


def snowflake(random: np.random.Generator, size: int) -> np.ndarray:
    """Von Koch's snowflake; its sides are shorter than a pixel."""
    corners = np.exp(-2j * np.pi * np.arange(3) / 3)
    level = int(np.ceil(np.log(size) / np.log(3))) + 1
    return filled(placed(random, curve(corners, TRIANGULAR, level)), size)


def quadratic(random: np.random.Generator, size: int) -> np.ndarray:
    """The quadratic Koch island; its sides are shorter than a pixel."""
    corners = np.exp(2j * np.pi * np.arange(4) / 4) * 0.8
    level = int(np.ceil(np.log(size) / np.log(4)))
    return filled(placed(random, curve(corners, QUADRATIC, level)), size)


# What draws each, and the dimension of its boundary
PLANTED: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], float]] = {
    "line": (line, 1.0),
    "disc": (disc, 1.0),
    "snowflake": (snowflake, KOCH),
    "quadratic": (quadratic, 1.5),
}
