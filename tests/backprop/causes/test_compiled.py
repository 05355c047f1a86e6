"""Compiled code finds the endings and curve shapes that NumPy finds, bit for bit, of anything; and it is used where it pays."""

import ctypes
import os
import re
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest

from pipeline.backprop.causes import looking
from pipeline.backprop.causes.compiled import eigenvalues, eigenvectors, elementary, tridiagonal
from pipeline.backprop.causes.compiled.look import aligned, look, look_code
from pipeline.backprop.causes.compiled.routine import Routine
from pipeline.backprop.causes.curve_shape import parts
from pipeline.backprop.causes.logarithm import log
from pipeline.backprop.causes.matrices.eigenvalues import of_tridiagonal, scaled
from pipeline.backprop.causes.matrices.eigenvectors import NEGATIVE, first_component
from pipeline.backprop.causes.matrices.tridiagonal import reduced
from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.engines import engine
from pipeline.backprop.engines.compiled import machine_code
from pipeline.backprop.engines.compiled.vectors import Rows
from pipeline.backprop.network import Network
from pipeline.trials.fingerprint import cause_digests
from tests.backprop.causes.matrices import matrices
from tests.backprop.engines.assembly import assembly
from tests.backprop.engines.trainings import xor
from tests.strategies import BIAS_MODES, same_bits

LANES = 8
SPECIAL = np.array([0.0, -0.0, 5e-324, -1e-310, 1e-160, 1.0, -1.0, 1e160, -1e308, np.inf, -np.inf, np.nan])
PARTS = parts(np.unique(np.geomspace(1, 1000, 40).round()))
XOR = Network((2, 2, 1), train_bias=True)
NETWORKS = {
    **{
        f"xor, {bias}, trained: {trained}": (Network((2, 2, 1), "sigmoid", "sigmoid", bias, trained), 4)
        for bias, trained in BIAS_MODES
    },
    "parity 4-4-1": (Network((4, 4, 1), train_bias=True), 16),
    "tanh, several outputs": (Network((3, 2, 2), "tanh", "tanh", "per_unit", True), 3),
    "relu": (Network((2, 3, 1), "relu", "sigmoid", "per_unit", True), 4),
    "relu alone": (Network((2, 3, 2), "relu", "relu"), 5),
    "linear output": (Network((2, 3, 2), "sigmoid", "identity", "shared", True), 30),
    "no hidden units": (Network((5, 1), bias="none"), 7),
    "one weight": (Network((1, 1), bias="none"), 2),
    "two hidden layers": (Network((2, 3, 2, 1), "tanh", "sigmoid", "per_unit", True), 4),
    "more than 30 parameters": (Network((8, 3, 8), train_bias=True, bias="per_unit"), 8),
    **{
        f"one product, {bias}, trained: {trained}": (Network((11, 9, 2), "sigmoid", "sigmoid", bias, trained), 5)
        for bias, trained in BIAS_MODES
    },
    "one product, tanh, two hidden layers": (Network((5, 9, 7, 2), "tanh", "tanh", "per_unit", True), 4),
    "one product, relu": (Network((6, 13, 3), "relu", "relu", "shared", True), 3),
    "one product, linear output": (Network((3, 21, 2), "tanh", "identity", "per_unit", True), 6),
    "one product, no hidden units": (Network((60, 2), bias="none"), 7),
}


def differences(network, patterns, runs, seed=0, special=0):
    """The names of the numbers that compiled code finds otherwise; `special`: of how many runs all are from SPECIAL."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=(network.size, runs)) * 10.0 ** random.integers(-3, 3, size=runs)
    weights[:, runs // 2] = 0.0
    rates, momentum = 10.0 ** random.uniform(-3, 5, (network.layers, runs)), random.choice([0.0, 0.5, 0.9], runs)
    errors = np.sort(random.random((len(PARTS.spans) + 1, runs)), axis=0)[::-1] * random.choice([1e-300, 1e-3, 1.0], runs)
    errors[random.random(errors.shape) < 0.05] *= 1.5
    inputs, targets = random.normal(size=(patterns, network.units[0])), random.random((patterns, network.units[-1]))
    inputs[0] = 0.0
    for numbers in (weights, errors):
        numbers[:, :special] = random.choice(SPECIAL, numbers[:, :special].shape)
    code = look_code(network, patterns)
    with np.errstate(all="ignore"):
        expected = looking.look_by_numpy(network, inputs, targets, PARTS, weights, rates, momentum, errors)
    found = look(code, inputs, targets, PARTS, weights, rates, momentum, errors)
    return [
        f"{type(one).__name__}.{field.name}"
        for one, other in zip(found, expected, strict=True)
        for field in fields(one)
        if not same_bits(getattr(one, field.name), getattr(other, field.name))
    ]


@pytest.mark.parametrize("runs", [1, 3, 16, 37])
def test_any_number_of_runs(runs):
    assert differences(XOR, 4, runs) == []


def test_a_network_of_which_one_product_with_the_hessian_is_computed():
    assert differences(*NETWORKS["one product, per_unit, trained: True"], 21, special=7) == []


def test_what_is_zero_subnormal_or_not_finite():
    for seed in range(3):
        assert differences(XOR, 4, 200, seed, special=150) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_any_network(name):
    assert differences(*NETWORKS[name], 150) == []
    assert differences(*NETWORKS[name], 60, seed=1, special=30) == []


class Emitted:
    """A function `run` of arrays (N, LANES) and whole numbers, compiled."""

    def __init__(self, emit):
        module = machine_code.new_module()
        emit(module)
        self.owner, [self.address] = machine_code.link(
            machine_code.machine_code(module, machine_code.Passes(unrolling=False)), ("run",)
        )

    def __call__(self, arrays, *integers):
        """The arrays afterwards."""
        memory = [aligned(len(array), LANES)[: array.size].reshape(array.shape) for array in arrays]
        for own, array in zip(memory, arrays, strict=True):
            own[:] = array
        kinds = [ctypes.c_void_p] * len(memory) + [ctypes.c_int64] * len(integers)
        ctypes.CFUNCTYPE(None, *kinds)(self.address)(*(own.ctypes.data for own in memory), *integers)
        return memory


def emit_matrices(module):
    """`run(a, diagonal, beside, values, shares, room, more_room, size)`: the three routines in turn."""
    reduce, find, share = (part.emit(module, LANES) for part in (tridiagonal, eigenvalues, eigenvectors))
    code = Routine(module, "run", LANES, pointers=7, integers=1)
    a, diagonal, beside, values, shares, *room = (Rows(code, pointer) for pointer in code.pointers)
    [size] = code.integers
    code.call(reduce, a, diagonal, beside, *room, size)
    code.call(find, diagonal, beside, values, room[0], size)
    code.call(share, diagonal, beside, values, shares, *room, size)
    code.builder.ret_void()


def test_matrices_of_any_kind():
    run = Emitted(emit_matrices)
    for size in (1, 2, 3, 9, 14):
        many, _, _ = scaled(matrices(size))
        some = np.concatenate([many, many[..., : -many.shape[-1] % LANES]], axis=-1)
        for first in range(0, some.shape[-1], LANES):
            own = some[..., first : first + LANES]
            diagonal, beside = reduced(own.copy())
            values = of_tridiagonal(diagonal, beside)
            shares = np.zeros(values.shape)
            which, lane = np.nonzero(values < -NEGATIVE * np.abs(values).max(axis=0))
            with np.errstate(all="ignore"):
                shares[which, lane] = first_component(diagonal[:, lane], beside[:, lane], values[which, lane])
            rows = [np.zeros((size, LANES)) for _ in range(6)]
            found = run([own.reshape(-1, LANES), *rows], size)
            assert same_bits(found[3], values)
            assert same_bits(found[4], shares)


def emit_elementary(module):
    """`run(x, n, logarithms, mantissas, exponents, products, rows)`."""
    code = Routine(module, "run", LANES, pointers=6, integers=1)
    x, n, logarithms, mantissas, exponents, products = (Rows(code, pointer) for pointer in code.pointers)
    with code.turns(code.integers[0]) as row:
        logarithms[row] = elementary.log(x[row])
        mantissas[row], exponents[row] = elementary.frexp(abs(x[row]))
        products[row] = elementary.ldexp(mantissas[row], n[row])
    code.builder.ret_void()


def test_elementary_functions():
    random = np.random.default_rng(0)
    numbers = np.concatenate(
        [SPECIAL, 10.0 ** random.uniform(-323, 308, 500), -random.random(10), 1 + random.normal(size=502) / 9]
    )
    x = numbers.reshape(-1, LANES)
    n = random.integers(-1100, 1101, x.shape).astype(float)
    _, _, logarithms, mantissas, exponents, products = Emitted(emit_elementary)([x, n, x, x, x, x], len(x))
    with np.errstate(all="ignore"):
        assert same_bits(logarithms, log(x))
        finite = np.isfinite(x)
        expected = np.frexp(np.abs(x[finite]))
        assert same_bits(mantissas[finite], expected[0])
        assert same_bits(exponents[finite], expected[1])
        assert same_bits(products[finite], np.ldexp(expected[0], n[finite].astype(int)))


def test_numpy_looks_at_few_runs_and_compiled_code_at_many(monkeypatch):
    """And those of the engine `numpy` are always looked at by NumPy."""
    result = engine("compiled")(xor(60, 50))
    monkeypatch.setattr(looking, "waiting", looking.Waiting())
    looked = []
    by_numpy = looking.look_by_numpy
    monkeypatch.setattr(looking, "look_by_numpy", lambda *given: looked.append(given) or by_numpy(*given))
    found = cause_digests(causes(result))
    assert len(looked) == 1
    monkeypatch.setattr(looking, "SECONDS_TO_LOAD", 0.0)
    monkeypatch.setattr(looking, "SECONDS_TO_COMPILE", 0.0)
    assert cause_digests(causes(result)) == found
    assert len(looked) == 1
    assert cause_digests(causes(result, "numpy")) == found
    assert len(looked) == 2


def test_a_network_whose_activations_have_no_slopes_there_is_left_to_numpy(monkeypatch):
    assert look_code(Network((2, 2, 1), "softplus"), 4) is None
    assert look_code(Network((2000, 500, 1)), 400) is None


PROCESSORS = [("x86_64-unknown-linux-gnu", "znver4"), ("aarch64-unknown-linux-gnu", "neoverse-v1")]


@pytest.mark.slow
@pytest.mark.parametrize(("triple", "cpu"), PROCESSORS)
@pytest.mark.parametrize("name", ["xor, per_unit, trained: True", "one product, per_unit, trained: True"])
def test_no_product_is_fused_with_a_sum(name, triple, cpu):
    code = assembly(look_code(*NETWORKS[name]), triple, cpu)
    assert re.search(r"\bv?f?mul", code)
    assert not re.search(r"\b(fml[as]|fn?m(add|sub)|vfn?m(add|sub)\w*)\b", code)


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["generic", "haswell"])
def test_bits_do_not_depend_on_the_processor(cpu):
    if cpu != "generic" and machine_code.processor().width < 4:
        pytest.skip("not a processor that has these instructions")
    names = "relu", "one product, relu"
    found = f"differences(XOR, 4, 50, special=9), *(differences(*NETWORKS[name], 50) for name in {names})"
    script = f"from {__name__} import *\nprint({found})"
    environment = {**os.environ, "BACKPROP_CPU_NAME": cpu, "BACKPROP_CPU_FEATURES": ""}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[] [] []\n"
