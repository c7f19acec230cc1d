"""Under which conditions something was measured: lines, and a table of the same."""

from collections.abc import Iterable

from bench.hardware import crowd
from bench.records import Ceiling, GpuState, Machine, Others, Report, Skipped
from bench.render.document import Table, plain
from bench.timing.speed import all_ceilings

GIB = 2**30
SWITCH = {True: "on", False: "off"}
NAMES = {"fp32": "float32", "tf32": "TF32", "fp16": "float16", "bf16": "bfloat16"}


def warnings(found: Iterable[Others | Skipped]) -> tuple[str, ...]:
    """What a reader must know before any number: a line, or none."""
    others = crowd(found)
    if others is None:
        return ()
    return (f"this machine was busy: {others}; times and ratios are not to be trusted",)


def lines(machine: Machine) -> tuple[str, ...]:
    """CPU, GPU and versions."""
    gpu = [", ".join(_gpu(machine.gpu).values())] if isinstance(machine.gpu, GpuState) else []
    commit, dash, dirty = machine.commit.partition("-")
    versions = [f"{name} {version}" for name, version in sorted(machine.versions.items())]
    versions += [f"commit {commit[:12]}{dash}{dirty}"] if commit else []
    return (", ".join(_cpu(machine).values()), *gpu, ", ".join(versions))


def peaks(report: Report) -> tuple[str, ...]:
    """Every ceiling, a line each; in an older report, those of float32."""
    return tuple(f"peak: {_peak(each)}" for each in report.ceilings or all_ceilings(report))


def table(report: Report) -> Table:
    """Everything that was asked of it at the start."""
    it = report.machine
    gpu = {"GPU": it.gpu.reason} if isinstance(it.gpu, Skipped) else _gpu(it.gpu)
    told = {
        **_cpu(it),
        **gpu,
        **({"newest CUDA": it.gpu.cuda} if isinstance(it.gpu, GpuState) else {}),
        **{f"peak {n}": _peak(each) for n, each in enumerate(all_ceilings(report), 1)},
        **({"commit": it.commit} if it.commit else {}),
        **dict(sorted(it.versions.items())),
    }
    rows = ((name, text.removeprefix(f"{name} ")) for name, text in told.items())
    return plain("Machine", ("what", "found"), rows)


def _cpu(it: Machine) -> dict[str, str]:
    """By name; a text makes sense without it."""
    told = {
        "CPU": it.cpu,
        "cores": f"{it.cores} cores",
        "memory": f"{it.memory_bytes / GIB:.0f} GiB",
        "system": it.system,
        "load": f"load {it.load:.1f}",
        "quota": f"quota {it.quota:g} cores" if it.quota else "",
        "governor": f"governor {it.governor}" if it.governor else "",
        "features": " ".join(it.features),
    }
    return {name: text for name, text in told.items() if text}


def _gpu(it: GpuState) -> dict[str, str]:
    why = ", ".join(it.throttle_reasons)
    return {
        "GPU": f"{it.name} ({it.compute_capability})",
        "driver": f"driver {it.driver}",
        "GPU memory": f"{it.used_bytes / GIB:.1f} of {it.memory_bytes / GIB:.0f} GiB used",
        "SM clock": f"{it.sm_mhz} MHz",
        "memory clock": f"memory {it.memory_mhz} MHz",
        "power": f"{it.watts:.0f} W",
        "temperature": f"{it.celsius} °C",
        "modes": f"ECC {SWITCH[it.ecc]}, MIG {SWITCH[it.mig]}",
        "shared with": f"{it.other_processes} other processes",
        **({"slowed by": f"slowed by {why}"} if why else {}),
    }


def _peak(ceiling: Ceiling) -> str:
    kind = NAMES.get(ceiling.precision, ceiling.precision)
    place = f"{ceiling.threads} threads" if ceiling.threads else "the GPU"
    copy = f"; copy {ceiling.gb_per_second:.1f} GB/s" if ceiling.gb_per_second else ""
    product = f"{kind} product of {ceiling.size} x {ceiling.size} matrices on {place}"
    return f"{ceiling.gflop_per_second:.0f} GFLOP/s, {product}{copy}"
