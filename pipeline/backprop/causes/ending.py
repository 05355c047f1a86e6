"""Where runs stand at their end: what is falling, how fast, and how the error bends there. Letters as in `network.py`.

D^½ scales a parameter by the root of its learning rate: in these scales every run descends along −g with rate 1. Portable bits:
ordered sums, and no operation but + − × ÷ √ and `logarithm.log`.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.curvature import hessian, moved_gradient
from pipeline.backprop.causes.limits import is_moderate, is_small
from pipeline.backprop.causes.logarithm import log
from pipeline.backprop.causes.matrices.eigenvectors import downward
from pipeline.backprop.causes.ordered_sum import added
from pipeline.backprop.causes.tangent_kernel import TangentKernel, k_star_of
from pipeline.backprop.network import Network, backward, forward, total_error

FLAT = 1e-10  # of the largest eigenvalue: a smaller one is 0
SLOPE, WRONG = 0.01, {"sigmoid": 0.5, "tanh": 1.0}  # an output that is off by more, with a smaller slope, is saturated
STRAIGHT = 1e-3  # a net input that moves by less changes slopes in proportion
NEVER = 30.0  # e-folds from a distance of 0 along a direction


@dataclass(frozen=True, slots=True)
class Ending:
    """Of R runs, each (R,).

    error; rate: how much it falls per epoch, Σ D g² ÷ (1 − α); rho = 2E · gᵀDHDg ÷ (Σ D g²)²: 1 is an exponential decay, 2 is
    1/k, below 0 it accelerates; frozen: no parameter changes in any bit; saturated_error: of outputs that are wrong and flat;
    awakening: epochs until the first of these moves, by itself; k_star: above 1 the learning rate is too high there;
    lambda_min, lambda_max: of the Hessian in these scales; negative_share of Σ D g² along negative directions; escape: epochs
    until the most negative direction takes over, infinite where there is none; above_lowest: at most how far the error is above
    that of the lowest point of the bowl, infinite where there is none or it is not near.
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
    above_lowest: Array


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
    trained = parameters[: network.trained]
    step = rates * gradient
    found = {
        "error": error,
        "rate": squares / (1.0 - momentum),
        "frozen": (trained - step == trained).all(axis=0).astype(float),
    }
    if is_small(network, len(targets)):
        kernel = TangentKernel(network, len(targets), root)
        curvature = hessian(network, parameters, outputs, targets, kernel.add)
        curvature *= root
        curvature *= root[:, None]
        bending = added(scaled * times(curvature, scaled))
        found |= saturation(network, outputs, targets, kernel.squares, momentum)
        largest = kernel.largest()
        found |= directions(curvature, scaled, momentum, largest) | {"k_star": k_star_of(network, largest, momentum)}
    else:
        bending = added(step * product(network, parameters, outputs, targets, step))
        found |= saturation(network, outputs, targets, None, momentum)
        names = ("lambda_min", "lambda_max", "negative_share", "escape", "above_lowest", "k_star")
        found |= dict.fromkeys(names, np.full(len(error), np.nan))
    return Ending(rho=2.0 * error * bending / (squares * squares), **found)


def times(matrices: Array, vector: Array) -> Array:
    """Matrices (N, N, R) times a vector of each run (N, R), (N, R)."""
    result = np.zeros(vector.shape)
    for column, factor in zip(matrices.swapaxes(0, 1), vector, strict=True):
        result += column * factor
    return result


def product(network: Network, parameters: Array, outputs: list[Array], targets: Array, direction: Array) -> Array:
    """The Hessian times a direction (trained, R), (trained, R); NaN where that would take seconds."""
    if not is_moderate(network, len(targets)):
        return np.full(direction.shape, np.nan)
    whole = np.zeros((network.size, 1, parameters.shape[1]))
    whole[: network.trained, 0] = direction
    return moved_gradient(network, parameters, outputs, targets, whole)[:, 0]


def saturation(
    network: Network, outputs: list[Array], targets: Array, squares: Array | None, momentum: Array
) -> dict[str, Array]:
    """saturated_error and awakening; squares: Σ D (∂net/∂w)² of each output, (P, O, R), without which awakening is infinite."""
    difference = outputs[-1] - targets[:, :, None]
    slope = ACTIVATIONS[network.output_activation].slope_of(outputs[-1])
    distance = np.abs(difference)
    wrong = (distance > WRONG.get(network.output_activation, np.inf)) & (slope < SLOPE)
    saturated = added(added(np.where(wrong, 0.5 * (difference * difference), 0.0)))
    speed = np.zeros(len(momentum))
    if squares is not None:
        speed = np.where(wrong, squares * (distance * slope), 0.0).max(axis=(0, 1))
    return {"saturated_error": saturated, "awakening": np.where(speed > 0.0, (1.0 - momentum) / speed, np.inf)}


def directions(curvature: Array, scaled: Array, momentum: Array, steepest: Array) -> dict[str, Array]:
    """lambda_min, lambda_max, negative_share, escape, above_lowest, of D^½ H D^½ (N, N, R), D^½ g (N, R), λmax(K) (R,)."""
    values, shares = downward(curvature, scaled)
    first = values.argmin(axis=0)
    lowest, highest = np.take_along_axis(values, first[None], 0)[0], values.max(axis=0)
    share = np.take_along_axis(shares, first[None], 0)[0]
    squares = added(scaled * scaled)
    along = np.sqrt(share * squares)
    folds = np.maximum(np.where(along == 0.0, NEVER, log(np.abs(lowest) / along)), 1.0)
    escape = np.where(lowest < 0.0, folds * (1.0 - momentum) / np.abs(lowest), np.inf)
    way = np.sqrt(steepest * squares) / lowest  # that net inputs of outputs move by, at most, to the lowest point
    in_bowl = (lowest > FLAT * np.abs(highest)) & (way < STRAIGHT)
    return {
        "lambda_min": lowest,
        "lambda_max": highest,
        "negative_share": np.minimum(added(shares), 1.0),
        "escape": escape,
        "above_lowest": np.where(in_bowl, 0.5 * squares / lowest, np.inf),
    }
