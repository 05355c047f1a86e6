"""The tasks that need no file: patterns by name."""

from itertools import product

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
