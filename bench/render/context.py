"""The lines around a report's table, as text: what a reader must know to read it."""

from collections.abc import Callable, Iterable

from bench.machine.hardware import crowd
from bench.records import Ceiling, GpuState, Machine, Others, Report, Skipped, Workload
from bench.render.names import outputs_name
from hifigan_ref.network import in_words

SWITCH = {True: "on", False: "off"}
BOUND = (
    "GB/s: of what layers must move; % bound: the least time that the peaks allow, of the median"
)
NAMES = {"fp32": "float32", "tf32": "TF32", "fp16": "float16", "bf16": "bfloat16", "int8": "int8"}


def warnings(found: Iterable[Others | Skipped]) -> tuple[str, ...]:
    """What a reader must know before any number: a line, or none."""
    others = crowd(found)
    if others is None:
        return ()
    return (f"this machine was busy: {others}; times and ratios are not to be trusted",)


def of_report(report: Report) -> tuple[str, ...]:
    """The same of every row."""
    return warnings(result.others for result in report.results)


def context(report: Report) -> tuple[str, ...]:
    """Machine, ceiling, workload and notes, a line each."""
    return (
        *machine_lines(report.machine),
        *map(_ceiling, _ceilings(report)),
        _workload(report),
        "median ms: latency by the host clock, one call after the other; ± %: its 95 % interval",
        *([BOUND] if any(result.bytes_moved for result in report.results) else []),
        "SNR dB: of the worst output against float64; torch dB: PyTorch's own in that precision",
        *report.notes,
    )


def machine_lines(machine: Machine) -> tuple[str, ...]:
    """CPU, GPU and versions."""
    return (_machine(machine), *_gpu(machine), _versions(machine))


def _machine(machine: Machine) -> str:
    memory = f"{machine.memory_bytes / 2**30:.0f} GiB"
    told = [machine.cpu, f"{machine.cores} cores", memory, machine.system]
    told.append(f"load {machine.load:.1f}")
    told += [f"quota {machine.quota:g} cores"] if machine.quota else []
    told += [f"governor {machine.governor}"] if machine.governor else []
    told += [" ".join(machine.features)] if machine.features else []
    return ", ".join(told)


def _gpu(machine: Machine) -> tuple[str, ...]:
    """A line, or none: what was skipped says elsewhere why there is no GPU."""
    gpu = machine.gpu
    if not isinstance(gpu, GpuState):
        return ()
    memory = f"{gpu.used_bytes / 2**30:.1f} of {gpu.memory_bytes / 2**30:.0f} GiB used"
    clocks = f"{gpu.sm_mhz} MHz, memory {gpu.memory_mhz} MHz, {gpu.watts:.0f} W, {gpu.celsius} °C"
    told = [f"{gpu.name} ({gpu.compute_capability})", f"driver {gpu.driver}", memory, clocks]
    told.append(f"ECC {SWITCH[gpu.ecc]}, MIG {SWITCH[gpu.mig]}")
    told.append(f"{gpu.other_processes} other processes")
    told += [f"slowed by {', '.join(gpu.throttle_reasons)}"] if gpu.throttle_reasons else []
    return (", ".join(told),)


def _versions(machine: Machine) -> str:
    told = [f"{name} {version}" for name, version in sorted(machine.versions.items())]
    commit, dash, dirty = machine.commit.partition("-")
    told += [f"commit {commit[:12]}{dash}{dirty}"] if commit else []
    return ", ".join(told)


def _ceilings(report: Report) -> tuple[Ceiling, ...]:
    """Every one that was measured; in an older report, those of float32."""
    older = (report.ceiling, report.gpu_ceiling)
    return report.ceilings or tuple(each for each in older if isinstance(each, Ceiling))


def _ceiling(ceiling: Ceiling) -> str:
    kind = NAMES.get(ceiling.precision, ceiling.precision)
    product = f"{kind} product of {ceiling.size} x {ceiling.size} matrices"
    speed = f"{ceiling.gflop_per_second:.0f} GFLOP/s"
    place = f"{ceiling.threads} threads" if ceiling.threads else "the GPU"
    copy = f"; copy {ceiling.gb_per_second:.1f} GB/s" if ceiling.gb_per_second else ""
    return f"peak: {speed}, {product} on {place}{copy}"


def _workload(report: Report) -> str:
    loads = [result.workload for result in report.results]

    def every(tell: Callable[[Workload], object]) -> str:
        return ", ".join(sorted({str(tell(load)) for load in loads}))

    lengths, source = every(lambda load: in_words(load.sizes)), every(lambda load: load.source)
    outputs = every(lambda load: outputs_name(load.views))
    weights, threads = every(lambda load: load.weights), every(lambda load: load.threads)
    signal = f"{lengths} at {report.sample_rate} Hz from {source}"
    return f"{signal}; outputs: {outputs}; weights: {weights}; threads: {threads}"
