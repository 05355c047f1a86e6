"""From a kernel, or the lanes, to machine code in memory, with a cache on disk.

Compiled code is kept as one file for each of them and processor, named by a hash of everything that shaped it; where it
cannot be written, each process compiles anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from pipeline.backprop.cache_folder import cache_folder, read_kept, write_kept
from pipeline.backprop.engines.compiled import blocks, lanes, registers
from pipeline.backprop.engines.compiled.kernel import Kernel
from pipeline.backprop.engines.compiled.vectors import ALIGNMENT

log = logging.getLogger("pipeline.engine")

SHARED = "lanes"  # the code that all kernels share


def setting(name: str) -> str | None:
    """An environment variable of the engine, BACKPROP_<name>; NUMBA_<name>, as it was called first, means the same."""
    return os.environ.get(f"BACKPROP_{name}", os.environ.get(f"NUMBA_{name}"))


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor that code is made for: its number of vector `registers`, each of `width` doubles."""

    name: str
    features: str
    width: int
    registers: int


@cache
def processor() -> Processor:
    """The processor of this machine, or the one in BACKPROP_CPU_NAME and BACKPROP_CPU_FEATURES."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name, features = setting("CPU_NAME"), setting("CPU_FEATURES")
    if name is None and features is None:
        features = llvm.get_host_cpu_features().flatten()
    name, features = name or llvm.get_host_cpu_name(), features or ""
    return Processor(name, features, *vector_registers(target_machine(name, features)))


def target_machine(name: str, features: str) -> Any:
    """LLVM's code generator for a processor."""
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=name, features=features, opt=3, reloc="pic", codemodel="jitdefault", jit=True)


def vector_registers(machine: Any) -> tuple[int, int]:
    """(doubles in a vector register, number of registers), seen from the code that is made for eight doubles."""
    if not machine.triple.startswith(("x86", "i386", "i686")):
        return 2, 32
    assembly = machine.emit_assembly(
        llvm.parse_assembly(
            "define void @f(ptr %p) { %a = load <8 x double>, ptr %p, align 8\n %b = fadd <8 x double> %a, %a\n"
            "store <8 x double> %b, ptr %p, align 8\n ret void }"
        )
    )
    return (8, 32) if "%zmm" in assembly else (4, 16) if "%ymm" in assembly else (2, 16)


class Emitted(Protocol):
    """What else is compiled: all that shapes it, as a frozen dataclass."""

    @property
    def names(self) -> tuple[str, ...]:
        """The functions that are called from outside."""

    @property
    def what(self) -> str:
        """What is compiled, in words."""

    def emit(self, module: ir.Module) -> None:
        """Writes the functions into the module."""


Part = Kernel | str | Emitted


@cache
def source_hash() -> str:
    """SHA-256 of everything that shapes compiled code but a kernel's own shape."""
    digest = hashlib.sha256(repr((llvmlite.__version__, llvm.llvm_version_info, llvm.get_default_triple())).encode())
    for file in sorted(Path(__file__).parents[2].rglob("*.py")):  # of the room `backprop`
        digest.update(file.read_bytes())
    return digest.hexdigest()


def cached_file(part: Part) -> Path:
    """The file that holds the machine code of this kernel, or of SHARED, if it has been compiled before."""
    name = hashlib.sha256(repr((part, processor(), source_hash())).encode()).hexdigest()
    return cache_folder() / f"{name}.kernel"


def new_module() -> ir.Module:
    """An empty module for this machine."""
    module = ir.Module("epochs")
    module.triple = llvm.get_default_triple()
    return module


def emit(part: Part) -> ir.Module:
    """The kernel, or SHARED, in LLVM's intermediate code."""
    module = new_module()
    if isinstance(part, str):
        lanes.emit(module)
    elif isinstance(part, Kernel):
        (registers if part.unrolled else blocks).emit(module, part)
    else:
        part.emit(module)
    return module


def align_stack(emitted: ir.Module) -> None:
    """Puts the registers for which there is no room at multiples of a cache line: LLVM would let them lie across two."""
    for function in emitted.functions:
        if not function.is_declaration:
            function.attributes.alignstack = ALIGNMENT
            function.attributes.add("nounwind")  # llvmlite writes no attributes where there is only an alignment


@dataclass(frozen=True, slots=True)
class Passes:
    """Which of LLVM's passes emitted code goes through; unrolled loops are faster and take longer to compile."""

    level: int = 3
    unrolling: bool = True


EVERY_PASS = Passes()


def optimised(emitted: ir.Module, machine: Any, passes: Passes) -> Any:
    """The emitted code after these passes, for this machine."""
    align_stack(emitted)
    module = llvm.parse_assembly(str(emitted))
    module.data_layout = str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=passes.level)
    # Everything is in vectors already: looking for more only costs time.
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = False
    options.loop_unrolling = passes.unrolling
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def machine_code(emitted: ir.Module, passes: Passes = EVERY_PASS) -> bytes:
    """An object file for this processor."""
    machine = target_machine(processor().name, processor().features)
    return bytes(machine.emit_object(optimised(emitted, machine, passes)))


@dataclass(frozen=True, slots=True)
class Compiled:
    """The addresses of functions, by their names; `owner` keeps the code alive."""

    functions: dict[str, int]
    owner: Any


_loaded: dict[Part, Compiled] = {}
_loading = Lock()


def is_ready(part: Part) -> bool:
    """Whether this needs no compiling."""
    return part in _loaded or cached_file(part).is_file()


def passes_of(part: Part) -> Passes:
    """LLVM's passes find nothing in what is written out, but that an online epoch's first forward pass is done twice.

    With 16 registers, two turns of a loop at once do not find room for their numbers.
    """
    if not isinstance(part, Kernel):
        return Passes(unrolling=isinstance(part, str))
    if part.unrolled:
        return Passes(level=1 if part.update == "online" else 0)
    return EVERY_PASS if processor().registers >= 32 else Passes(level=1, unrolling=False)


def compiled(part: Part) -> Compiled:
    """The machine code of a kernel, or of SHARED: from this process, from the cache, or compiled now."""
    with _loading:
        if part not in _loaded:
            _loaded[part] = load(part)
        return _loaded[part]


def functions_of(part: Part) -> tuple[str, ...]:
    """The functions that are called from outside."""
    if isinstance(part, str):
        return ("work",)
    return ("epochs", "advance") if isinstance(part, Kernel) else part.names


def in_words(part: Part) -> str:
    """What is compiled."""
    if isinstance(part, str):
        return "the lanes"
    return f"the training of {'-'.join(map(str, part.network.units))} networks" if isinstance(part, Kernel) else part.what


def load(part: Part) -> Compiled:
    """The machine code from the cache, or compiled now and put there."""
    file = cached_file(part)
    code = read_kept(file)
    if code is None:
        level = logging.INFO if isinstance(part, Kernel) else logging.DEBUG
        log.log(level, "compiling %s, once for this machine", in_words(part))
        started = time.monotonic()
        code = machine_code(emit(part), passes_of(part))
        log.log(level, "compiled in %.1f s", time.monotonic() - started)
        write_kept(file, code)
    names = functions_of(part)
    owner, addresses = link(code, names)
    return Compiled(dict(zip(names, addresses, strict=True)), owner)


def link(code: bytes, names: tuple[str, ...]) -> tuple[Any, list[int]]:
    """An object file, placed in memory: what keeps it there, and the addresses of these functions."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(processor().name, processor().features))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine, [engine.get_function_address(name) for name in names]
