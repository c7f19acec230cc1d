"""What a time depends on besides what was run: the machine, its libraries, and this code."""

from bench.hardware import GpuState, Machine
from export import store


def conditions(machine: Machine) -> tuple[object, ...]:
    """Parts of a key: what was measured under others is not comparable."""
    gpu = machine.gpu
    card = (gpu.name, gpu.driver) if isinstance(gpu, GpuState) else ()
    code = store.source_digest("bench", "export", "hifigan_ref")
    cpu = (machine.cpu, machine.features, machine.cores, machine.quota)
    return (cpu, card, sorted(machine.versions.items()), code)
