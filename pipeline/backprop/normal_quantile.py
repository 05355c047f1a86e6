"""Standard normal deviates from uniform numbers, every bit the same on every machine.

The inverse of the normal distribution function by rational approximation: M. J. Wichura, "Algorithm AS 241: The Percentage
Points of the Normal Distribution", Applied Statistics 37 (1988), PPND16. It takes + − × ÷ √, and in the tails a logarithm,
which is this project's. NumPy's normal deviates need `exp` and `log`, whose last bits differ between machines.
"""

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.logarithm import log

CENTRE, CENTRE_SQUARE, SHIFT, FAR, FAR_SHIFT = 0.425, 0.180625, 1.6, 5.0, 5.0
HALF_STEP = 2.0**-54  # of the numbers that `pcg64.uniform` gives
# Coefficients of numerators and denominators, the highest power first.
CENTRAL = (
    (
        2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
        1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
        5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
    ),
)  # fmt: skip
TAIL = (
    (
        7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
        3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
        6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0,
    ),
)  # fmt: skip
FAR_TAIL = (
    (
        2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
        2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
        1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0,
    ),
)  # fmt: skip


def normal(uniform: Array) -> Array:
    """Standard normal deviates of numbers from 0 to below 1, multiples of 2⁻⁵³, elementwise; all lie within ±8.3.

    Each number stands for the middle of its step, u + 2⁻⁵⁴, so that the deviates are symmetric and none is infinite.
    """
    return quantile((uniform - 0.5) + HALF_STEP)  # both exact


def quantile(centred: Array) -> Array:
    """The x for which the standard normal distribution function is ½ + centred, elementwise, for centred within ±½."""
    square = CENTRE_SQUARE - centred * centred
    result = centred * ratio(CENTRAL, square)
    tail = np.abs(centred) > CENTRE
    if tail.any():
        result[tail] = np.where(centred[tail] < 0.0, -1.0, 1.0) * upper_quantile(0.5 - np.abs(centred[tail]))
    return result


def upper_quantile(beyond: Array) -> Array:
    """The x that is exceeded with this probability, of at most 0.075."""
    root = np.sqrt(-log(beyond))
    result: Array = np.where(root <= FAR, ratio(TAIL, root - SHIFT), ratio(FAR_TAIL, root - FAR_SHIFT))
    return result


def ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    """A rational function by Horner's rule."""
    numerator, denominator = (np.full(np.shape(x), one[0]) for one in coefficients)
    for above, below in zip(*(one[1:] for one in coefficients), strict=True):
        numerator = numerator * x + above
        denominator = denominator * x + below
    result: Array = numerator / denominator
    return result
