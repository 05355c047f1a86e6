"""What a processor would be told: the assembly of compiled parts."""

import llvmlite.binding as llvm
import pytest

from pipeline.backprop.engines.compiled import machine_code


def assembly(part: machine_code.Part, triple: str, cpu: str) -> str:
    """The assembly of a part for this kind of processor; skips the test where this llvmlite makes no code for it."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip(f"this llvmlite makes no code for {triple}")
    module = machine_code.emit(part)
    module.triple = triple
    machine = target.create_target_machine(cpu=cpu, opt=3)
    return machine.emit_assembly(machine_code.optimised(module, machine, machine_code.passes_of(part)))
