"""Where runs stand at their end: what is falling, how fast, and how the error bends there. Letters as in `network.py`.

D^½ scales a parameter by the root of its learning rate: in these scales every run descends along −g with rate 1. Portable bits:
ordered sums, and no operation but + − × ÷ √ and `logarithm.log`.
"""

from dataclasses import dataclass, fields

import numpy as np

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.curvature import hessian, moved_gradient
from pipeline.backprop.causes.eigenvalues import eigen
from pipeline.backprop.causes.limits import is_moderate, is_small
from pipeline.backprop.causes.logarithm import log
from pipeline.backprop.causes.ordered_sum import added
from pipeline.backprop.causes.tangent_kernel import k_star_of, scaled_jacobian
from pipeline.backprop.network import Network, backward, forward, total_error

FLAT = 1e-10  # of the largest eigenvalue: a smaller one is 0
SLOPE, WRONG = 0.01, {"sigmoid": 0.5, "tanh": 1.0}  # an output that is off by more, with a smaller slope, is saturated
NEVER = 30.0  # e-folds from a distance of 0 along a direction


@dataclass(frozen=True, slots=True)
class Ending:
    """Of R runs, each (R,).

    error; rate: how much it falls per epoch, Σ D g² ÷ (1 − α); rho = 2E · gᵀDHDg ÷ (Σ D g²)²: 1 is an exponential decay, 2 is
    1/k, below 0 it accelerates; frozen: no parameter changes in any bit; saturated_error: of outputs that are wrong and flat;
    awakening: epochs until the first of these moves, by itself; k_star: above 1 the learning rate is too high there;
    lambda_min, lambda_max: of the Hessian in these scales; negative_share of Σ D g² along negative directions; escape: epochs
    until the most negative direction takes over, infinite where there is none.
    """

    error: Array
    rate: Array
    rho: Array
    frozen: Array
    saturated_error: Array
    awakening: Array
    k_star: Array
    lambda_min: Array
    lambda_max: Array
    negative_share: Array
    escape: Array


@np.errstate(all="ignore")
def ending(network: Network, parameters: Array, inputs: Array, targets: Array, learning_rate: Array, momentum: Array) -> Ending:
    """The ending of runs with these parameters (N, R), learning rates (L, R) and momentum (R,)."""
    outputs = forward(network, parameters, inputs)
    gradient = backward(network, parameters, outputs, targets)
    rates = network.rates(learning_rate)
    root = np.sqrt(rates)
    scaled = root * gradient
    squares = added(scaled * scaled)
    error = total_error(outputs[-1], targets)
    bending = added(gradient * rates * product(network, parameters, outputs, targets, rates * gradient))
    trained = parameters[: network.trained]
    found = {
        "error": error,
        "rate": squares / (1.0 - momentum),
        "rho": 2.0 * error * bending / (squares * squares),
        "frozen": (trained - rates * gradient == trained).all(axis=0).astype(float),
        **saturation(network, parameters, outputs, targets, root, momentum),
    }
    found |= directions(network, parameters, outputs, targets, root, scaled, momentum)
    return Ending(**{field.name: found[field.name] for field in fields(Ending)})


def product(network: Network, parameters: Array, outputs: list[Array], targets: Array, direction: Array) -> Array:
    """The Hessian times a direction (trained, R), (trained, R); NaN where that would take seconds."""
    if not is_moderate(network, len(targets)):
        return np.full(direction.shape, np.nan)
    whole = np.zeros((network.size, 1, parameters.shape[1]))
    whole[: network.trained, 0] = direction
    return moved_gradient(network, parameters, outputs, targets, whole)[:, 0]


def saturation(
    network: Network, parameters: Array, outputs: list[Array], targets: Array, root: Array, momentum: Array
) -> dict[str, Array]:
    """saturated_error, awakening and k_star; of networks and tasks that are not small the first alone."""
    difference = outputs[-1] - targets[:, :, None]
    activation = ACTIVATIONS[network.output_activation]
    slope = activation.slope_of(outputs[-1])
    wrong = (np.abs(difference) > WRONG.get(network.output_activation, np.inf)) & (slope < SLOPE)
    saturated = added(added(np.where(wrong, 0.5 * (difference * difference), 0.0)))
    runs = parameters.shape[1]
    if not is_small(network, len(targets)):
        return {"saturated_error": saturated, "awakening": np.full(runs, np.inf), "k_star": np.full(runs, np.nan)}
    speed = np.zeros(runs)
    jacobian = scaled_jacobian(network, parameters, outputs, root)
    for pattern in range(len(targets)):
        for output, row in enumerate(jacobian[pattern]):
            own = added(row * row) * np.abs(difference[pattern, output] * slope[pattern, output])
            speed = np.where(wrong[pattern, output], np.maximum(speed, own), speed)
    return {
        "saturated_error": saturated,
        "awakening": np.where(speed > 0.0, (1.0 - momentum) / speed, np.inf),
        "k_star": k_star_of(network, jacobian, momentum),
    }


def directions(
    network: Network, parameters: Array, outputs: list[Array], targets: Array, root: Array, scaled: Array, momentum: Array
) -> dict[str, Array]:
    """lambda_min, lambda_max, negative_share and escape; NaN where the network or the task is not small."""
    names = ("lambda_min", "lambda_max", "negative_share", "escape")
    if not is_small(network, len(targets)):
        return dict.fromkeys(names, np.full(parameters.shape[1], np.nan))
    values, vectors = eigen(root[:, None] * hessian(network, parameters, outputs, targets) * root[None])
    along = added(scaled[:, None] * vectors)  # the gradient in the eigenvectors, (N, R)
    squares = along * along
    lowest, negative = values[0], values < -1e-12 * np.maximum(np.abs(values[0]), np.abs(values[-1]))
    folds = np.maximum(np.where(along[0] == 0.0, NEVER, log(np.abs(lowest) / np.abs(along[0]))), 1.0)
    escape = np.where(lowest < 0.0, folds * (1.0 - momentum) / np.abs(lowest), np.inf)
    share = added(np.where(negative, squares, 0.0)) / added(squares)
    return dict(zip(names, (lowest, values[-1], share, escape), strict=True))
