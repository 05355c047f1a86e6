"""What results are held against: the arithmetic and one run of a network on single numbers, by the book."""

import math
from itertools import pairwise

import mpmath

from pipeline.backprop.arithmetic import EXPM1_COEFFICIENTS

with mpmath.workprec(200):
    LN2 = +mpmath.ln2
    LN2_HIGH = float(mpmath.floor(LN2 * 2**32) / 2**32)
    LN2_LOW = float(LN2 - LN2_HIGH)
TO_INTEGER = 1.5 * 2.0**52 + 1023  # adding it rounds to an integer


def scalar_exp_parts(x):
    """(2ⁿ, expm1 r) as `pipeline.backprop.arithmetic` documents them, on Python's own floats; ln 2 from mpmath."""
    n = (x * float(1 / LN2) + TO_INTEGER) - TO_INTEGER
    r = x - n * LN2_HIGH - n * LN2_LOW
    c = EXPM1_COEFFICIENTS
    r2 = r * r
    c01, c23, c45, c67, c89 = (c[k] + c[k + 1] * r for k in range(0, 10, 2))
    r4 = r2 * r2
    p = (c01 + c23 * r2) + ((c45 + c67 * r2) + c89 * r4) * r4
    return math.ldexp(1.0, int(n)), r + r2 * p


def scalar_exp(x):
    if x != x:
        return x
    scale, q = scalar_exp_parts(max(-708.0, min(708.0, x)))
    return scale + scale * q


def scalar_sigmoid(z):
    return 1.0 / (1.0 + scalar_exp(-z))


def scalar_tanh(z):
    if z != z:
        return z
    scale, q = scalar_exp_parts(2.0 * max(-20.0, min(20.0, z)))
    e = scale * q + (scale - 1.0)
    return e / (e + 2.0)


SCALAR_FUNCTIONS = {"exp": scalar_exp, "sigmoid": scalar_sigmoid, "tanh": scalar_tanh}


class Scalar:
    """One run of a network, number by number: the sums in the order that the project promises, nothing shared with it.

    weight[l][u][v], bias[l][u]; a shared bias is one box that all units of the layer hold.
    """

    def __init__(self, network, parameters):
        numbers = iter(float(number) + 0.0 for number in parameters)
        self.network = network
        self.weight = [[[next(numbers) for _ in range(v)] for _ in range(u)] for v, u in pairwise(network.units)]
        boxes = {"shared": lambda units: 1, "per_unit": lambda units: units, "none": lambda units: 0}[network.bias]
        self.bias = [[next(numbers) for _ in range(boxes(units))] for units in network.units[1:]]
        assert next(numbers, None) is None

    def parameters(self):
        weights = [w for layer in self.weight for unit in layer for w in unit]
        return weights + [b for layer in self.bias for b in layer]

    def activation(self, layer):
        last = layer == len(self.weight) - 1
        return self.network.output_activation if last else self.network.activation

    def forward(self, pattern):
        outputs = [[float(number) for number in pattern]]
        for layer, units in enumerate(self.weight):
            values = []
            for u, weights in enumerate(units):
                net = 0.0
                if self.network.bias == "shared":
                    net = self.bias[layer][0]
                elif self.network.bias == "per_unit":
                    net = self.bias[layer][u]
                for weight, value in zip(weights, outputs[-1], strict=True):
                    net = net + weight * value
                values.append(SCALAR_ACTIVATION[self.activation(layer)](net))
            outputs.append(values)
        return outputs

    def error(self, inputs, targets):
        error = 0.0
        for pattern, wanted in zip(inputs, targets, strict=True):
            for y, t in zip(self.forward(pattern)[-1], wanted, strict=True):
                difference = y - float(t)
                error = error + 0.5 * (difference * difference)
        return error

    def measure(self, criterion, inputs, targets):
        """What a criterion holds against the threshold."""
        if criterion == "worst_output":
            return self.worst(inputs, targets)
        error = self.error(inputs, targets)
        return error / (len(targets) * len(targets[0])) if criterion == "mean_error" else error

    def worst(self, inputs, targets):
        worst = 0.0
        for pattern, wanted in zip(inputs, targets, strict=True):
            for y, t in zip(self.forward(pattern)[-1], wanted, strict=True):
                difference = abs(float(t) - y)
                if difference > worst or difference != difference:
                    worst = difference
                if worst != worst:
                    return worst
        return worst

    def gradient(self, inputs, targets):
        """∂E/∂ every trained parameter, in the parameters' order."""
        by_weight = [[[0.0 for _ in unit] for unit in layer] for layer in self.weight]
        by_bias = [[0.0 for _ in layer] for layer in self.bias]
        for pattern, wanted in zip(inputs, targets, strict=True):
            outputs = self.forward(pattern)
            sums = [y - float(t) for y, t in zip(outputs[-1], wanted, strict=True)]
            for layer in range(len(self.weight) - 1, -1, -1):
                slope = SCALAR_TIMES_DERIVATIVE[self.activation(layer)]
                deltas = [slope(s, h) for s, h in zip(sums, outputs[layer + 1], strict=True)]
                sums = [0.0 for _ in outputs[layer]]
                for u, delta in enumerate(deltas):
                    for v, below in enumerate(outputs[layer]):
                        by_weight[layer][u][v] += delta * below
                        sums[v] += delta * self.weight[layer][u][v]
                    if self.network.bias != "none":
                        by_bias[layer][u if self.network.bias == "per_unit" else 0] += delta
        flat = [g for layer in by_weight for unit in layer for g in unit]
        return flat + [g for layer in by_bias for g in layer] if self.network.train_bias else flat


SCALAR_ACTIVATION = {
    "sigmoid": scalar_sigmoid,
    "tanh": scalar_tanh,
    "relu": lambda net: 0.0 if net <= 0.0 else net,
    "identity": lambda net: net,
}
SCALAR_TIMES_DERIVATIVE = {
    "sigmoid": lambda s, h: s * (h * (1.0 - h)),
    "tanh": lambda s, h: s * (1.0 - h * h),
    "relu": lambda s, h: s if h > 0.0 else 0.0,
    "identity": lambda s, h: s,
}
