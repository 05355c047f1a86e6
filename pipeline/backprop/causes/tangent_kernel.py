"""K*: whether the learning rate is too high for where the weights are, by the tangent kernel of the outputs' net inputs."""

import numpy as np

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.curvature import net_jacobian
from pipeline.backprop.causes.limits import is_small
from pipeline.backprop.causes.matrices.eigenvalues import eigenvalues
from pipeline.backprop.network import Network, forward


@np.errstate(all="ignore")
def k_star(network: Network, parameters: Array, inputs: Array, targets: Array, learning_rate: Array, momentum: Array) -> Array:
    """K* (R,) at weights (N, R), learning rates (L, R), momentum (R,); NaN where the network or the task is not small.

    Above 1, a step along the steepest output's net input overshoots as far as it went, or further.
    """
    if not is_small(network, len(targets)):
        return np.full(parameters.shape[1], np.nan)
    outputs = forward(network, parameters, inputs)
    kernel = TangentKernel(network, len(targets), np.sqrt(network.rates(learning_rate)))
    for pattern in range(len(targets)):
        kernel.add(net_jacobian(network, parameters, outputs, pattern))
    return k_star_of(network, kernel.largest(), momentum)


def k_star_of(network: Network, largest: Array, momentum: Array) -> Array:
    """λmax(K) · m ÷ (2(1 + α)), m the largest slope² of an output."""
    return largest * ACTIVATIONS[network.output_activation].steepest / (2.0 * (1.0 + momentum))


class TangentKernel:
    """K = Σ D ∂net/∂w ∂net'/∂w over patterns and outputs, to which patterns are added one by one, and each term, (P, O, R).

    K has the eigenvalues of the matrix of the products of all rows ∂net/∂w, and zeros: the smaller of the two is taken.
    """

    def __init__(self, network: Network, patterns: int, root: Array) -> None:
        """root: D^½, (trained, R)."""
        self.root, self.pattern = root, 0
        outputs, (trained, runs) = network.units[-1], root.shape
        rows = patterns * outputs
        self.of_rows = rows <= trained
        self.rows = np.empty((rows if self.of_rows else 0, trained, runs))
        self.whole = np.zeros((min(rows, trained), min(rows, trained), runs))
        self.squares = np.zeros((patterns, outputs, runs))

    def add(self, jacobian: Array) -> None:
        """The next pattern's ∂net/∂w, (O, trained, R)."""
        first = self.pattern * len(jacobian)
        for output, unscaled in enumerate(jacobian):
            row = unscaled * self.root
            terms = row * row
            for term in terms:
                self.squares[self.pattern, output] += term
            if self.of_rows:
                self.rows[first + output] = row
            else:
                for index, line in enumerate(self.whole):
                    line[: index + 1] += row[index] * row[: index + 1]
        self.pattern += 1

    def largest(self) -> Array:
        """λmax(K), (R,)."""
        for index, own in enumerate(self.rows):
            for parameter in range(len(self.root)):
                self.whole[index, : index + 1] += own[parameter] * self.rows[: index + 1, parameter]
        for index, line in enumerate(self.whole):
            self.whole[:index, index] = line[:index]
        largest: Array = eigenvalues(self.whole).max(axis=0)
        return largest
