"""The compiled engine: for every processor, with a damaged cache, and not at all where NumPy is faster."""

import ctypes
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from llvmlite import ir

from pipeline.backprop import cache_folder, trainer
from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.engines import compiled as engine
from pipeline.backprop.engines.compiled import machine_code as compiled
from pipeline.backprop.engines.compiled import schedule
from pipeline.backprop.engines.compiled.activations import EMITTERS, Emitter
from pipeline.backprop.engines.compiled.vectors import INTEGER, POINTER, Code, Count, Index, Rows, Vector
from pipeline.backprop.network import Network
from pipeline.backprop.trainer import UPDATES
from tests.backprop.engines.assembly import assembly
from tests.backprop.engines.trainings import assert_same, make, xor
from tests.strategies import same_bits


@pytest.mark.parametrize("name", sorted({*ACTIVATIONS, *EMITTERS}))
def test_an_activation_has_an_emitter_that_gives_its_bits(name: str) -> None:
    random, special = np.random.default_rng(0), [0.0, -0.0, 5e-324, 1.0, -1.0, 20.5, -709.0, 800.0, np.inf, -np.inf, np.nan]
    net = np.array([*special, *random.uniform(-5.0, 5.0, 500), *random.uniform(-800.0, 800.0, 513)])
    error = random.permutation(net)
    with np.errstate(all="ignore"):
        output = ACTIVATIONS[name].function(net)
        slope = ACTIVATIONS[name].times_slope(error, output)
    emitted = run_emitter(EMITTERS[name], net, error)
    assert same_bits(emitted[0], output)
    assert same_bits(emitted[1], slope)


def run_emitter(emitter: Emitter, net: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(output, error × slope) by compiled code, eight numbers at a time."""
    module = compiled.new_module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER, INTEGER]), "run")
    code = Code(function, 8)
    nets, errors = (Rows(code, pointer) for pointer in function.args[:2])

    def row(r: Count, _: list[Vector]) -> list[Vector]:
        nets[r] = emitter.function(nets[r])
        errors[r] = emitter.times_slope(errors[r], nets[r])
        return []

    code.loop(Index(code, function.args[2]), row)
    code.builder.ret_void()
    owner, [address] = compiled.link(compiled.machine_code(module), ("run",))
    rows = len(net) // 8
    arrays = [schedule.aligned(rows, 8) for _ in range(2)]
    for array, numbers in zip(arrays, (net, error), strict=True):
        array[:] = numbers.reshape(rows, 8)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)(*(a.ctypes.data for a in arrays), rows)
    del owner
    return arrays[0].ravel(), arrays[1].ravel()


GENERIC = """
import numpy as np
from tests.backprop.engines.trainings import make, check
from pipeline.backprop.engines.compiled.machine_code import processor
from pipeline.backprop.network import Network
print(processor().width)
for units, patterns in ((2, 2, 1), 4), ((2, 3, 7, 2), 13), ((9, 5), 40):
    for activation in "sigmoid", "tanh":
        network = Network(units, activation, "sigmoid", "per_unit", True)
        check(make(network, patterns, 30, 7, momentum=0.5, max_epochs=60), "compiled")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("cpu", "width"), [("generic", 2), ("haswell", 4)])
def test_bits_do_not_depend_on_the_processor(cpu: str, width: int) -> None:
    if cpu != "generic" and compiled.processor().width < width:
        pytest.skip("not a processor that has these instructions")
    environment = {**os.environ, "BACKPROP_CPU_NAME": cpu, "BACKPROP_CPU_FEATURES": ""}
    done = subprocess.run([sys.executable, "-c", GENERIC], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert cpu != "generic" or int(done.stdout) in (2, width)


@pytest.mark.parametrize("network", [Network((2, 2, 1), "tanh"), Network((9, 8, 3), "sigmoid", "tanh", "per_unit", True)])
@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize(
    ("triple", "cpu"),
    [
        ("x86_64-unknown-linux-gnu", ""),
        ("x86_64-unknown-linux-gnu", "znver4"),
        ("aarch64-unknown-linux-gnu", ""),
        ("aarch64-unknown-linux-gnu", "neoverse-v1"),
    ],
)
def test_no_product_is_fused_with_a_sum_on_any_processor(triple: str, cpu: str, network: Network, update: str) -> None:
    batch = make(network, 4, 2, 0, momentum=0.5, update=update)
    processor = compiled.Processor(cpu, "", 2, 16)
    kernel = schedule.choose_kernel(batch, processor)
    code = assembly(kernel, triple, cpu)
    assert re.search(r"\bv?f?mul", code)
    assert not re.search(r"\b(fml[as]|fn?m(add|sub)|vfn?m(add|sub)\w*)\b", code)


def test_numbers_put_away_never_lie_across_two_cache_lines() -> None:
    kernel = schedule.choose_kernel(make(Network((2, 2, 2)), 1, 2, 0), compiled.Processor("znver4", "", 8, 32))
    code = assembly(kernel, "x86_64-unknown-linux-gnu", "znver4")
    moves = [line for line in code.splitlines() if "zmm" in line and re.search(r"vmov.*\(%r[sb]p\)", line)]
    assert moves
    assert not [line for line in moves if "vmovup" in line]


def test_staggered_chains_begin_one_behind_the_other() -> None:
    function = ir.Function(compiled.new_module(), ir.FunctionType(ir.VoidType(), [POINTER]), "run")
    code = Code(function, 8)
    vector = Rows(code, function.args[0])[0]
    begin = len(code.builder.block.instructions)
    chains = code.staggered([lambda: [vector + 1.0, vector + 2.0, vector + 3.0] for _ in range(3)], 1)
    order = [id(instruction) for instruction in code.builder.block.instructions[begin:]]
    places = [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0), (1, 2), (2, 1), (2, 2)]
    assert order == [id(chains[chain][instruction].value) for chain, instruction in places]


def test_damaged_and_missing_caches_are_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = schedule.choose_kernel(make(Network((3, 2, 1)), 2, 1, 0), compiled.processor())
    monkeypatch.setenv("BACKPROP_CACHE_DIR", str(tmp_path))
    compiled.load(shape)
    file = compiled.cached_file(shape)
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    compiled.load(shape)
    assert file.read_bytes() == whole
    (tmp_path / "a file").touch()
    monkeypatch.setenv("BACKPROP_CACHE_DIR", str(tmp_path / "a file" / "no folder"))
    compiled.load(shape)
    compiled.load(compiled.SHARED)


@pytest.mark.parametrize("set_to", [{"BACKPROP_CACHE_DIR": "ours", "NUMBA_CACHE_DIR": "other"}, {"NUMBA_CACHE_DIR": "ours"}])
def test_the_cache_folder_is_named_by_the_environment(set_to: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKPROP_CACHE_DIR", raising=False)
    for name, folder in set_to.items():
        monkeypatch.setenv(name, folder)
    assert cache_folder.cache_folder() == Path("ours") / cache_folder.NAME


def test_short_work_is_left_to_numpy_and_long_work_is_compiled(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "pipeline.engine")
    monkeypatch.setattr(schedule, "is_ready", lambda shape: False)
    short = make(Network((2, 2, 1)), 4, 2, 0, max_epochs=10)
    assert_same(engine.train(short), trainer.train(short))
    assert "NumPy" in caplog.text
    caplog.clear()
    engine.train(xor(2000, 20000, thresholds=(1.0,)))
    assert "compiled:" in caplog.text
