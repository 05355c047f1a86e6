"""The tasks that need no file: patterns by name."""

from itertools import product
from math import sqrt

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.trials.tasks.held_out import ClassOutputs, HeldOut, split
from pipeline.trials.tasks.scaling import coded, one_hot, scaled


def parity(bits: int, coding: str) -> tuple[Array, Array]:
    """Is the number of ones odd? Of two bits: exclusive or. (Rumelhart, Hinton & Williams 1986.)"""
    words = list(product((0, 1), repeat=bits))
    return coded(words, coding), coded([[sum(word) % 2] for word in words], coding)


def encoder(size: int, coding: str) -> tuple[Array, Array]:
    """Reproduce one of `size` unit vectors through a narrow hidden layer (Ackley, Hinton & Sejnowski 1985)."""
    words = coded(np.eye(size), coding)
    return words, words


def symmetry(bits: int, coding: str) -> tuple[Array, Array]:
    """Does the word read the same from both ends? (Rumelhart, Hinton & Williams 1986.)"""
    words = list(product((0, 1), repeat=bits))
    return coded(words, coding), coded([[int(word == word[::-1])] for word in words], coding)


def spirals(turns: int, coding: str) -> tuple[Array, Array]:
    """Which of two spirals, one in the other, is a point on? (Lang & Witbrock 1988; 3 turns are theirs, 97 points each.)

    Point i is at the radius 6.5 (104 − i) ÷ 104 and the angle iπ ÷ 16; fewer turns are the inner ones.
    """
    points, targets = [], []
    for i in range(32 * (3 - turns), 97):
        radius = 6.5 * (104 - i) / 104
        x, y = radius * sine(i), radius * sine(i + 8)
        points += [(x, y), (-x, -y)]
        targets += [[1], [0]]
    return np.array(points), coded(targets, coding)


def sine(sixteenths: int) -> float:
    """The sine of so many sixteenths of π, by square roots alone, so that its bits are the same on every machine."""
    turn, step = divmod(sixteenths, 16)
    step, sign = min(step, 16 - step), (-1.0) ** turn
    two = sqrt(2.0)
    halves = {0: 0.0, 1: sqrt(2.0 - sqrt(2.0 + two)), 2: sqrt(2.0 - two), 3: sqrt(2.0 - sqrt(2.0 - two)), 4: two}
    halves |= {5: sqrt(2.0 + sqrt(2.0 - two)), 6: sqrt(2.0 + two), 7: sqrt(2.0 + sqrt(2.0 + two)), 8: 2.0}
    return sign * halves[step] / 2.0


def classified(
    name: str, scaling: str, test: float = 0.0, test_seed: int = 0
) -> tuple[Array, Array] | tuple[Array, Array, None, HeldOut]:
    """Fisher's iris (150 patterns, 4 inputs, 3 classes) or handwritten digits (1,797, 64, 10): the copies in scikit-learn."""
    from sklearn import datasets

    inputs, classes = getattr(datasets, f"load_{name}")(return_X_y=True)
    targets = one_hot(classes)
    if not test:
        return scaled(inputs, scaling), targets
    out = split(classes, test, test_seed)
    trained = inputs[~out]
    single = ClassOutputs(0, targets.shape[1], 0.5)
    return scaled(trained, scaling), targets[~out], None, HeldOut(scaled(inputs[out], scaling, trained), targets[out], [single])
