"""A table of the machine and of what it can reach."""

from bench.records import Ceiling, GpuState, Report, Skipped
from bench.render.table import Table
from bench.timing.speed import all_ceilings

GIB = 2**30


def machine(report: Report) -> Table:
    """Everything that was asked of it at the start."""
    it = report.machine
    told = {
        "CPU": it.cpu,
        "cores": str(it.cores),
        "CPU features": ", ".join(it.features),
        "CPU quota": f"{it.quota:g} cores" if it.quota else "",
        "governor": it.governor,
        "load": f"{it.load:.1f}",
        "memory": f"{it.memory_bytes / GIB:.1f} GiB",
        "system": it.system,
        **_gpu(it.gpu),
        **{f"ceiling {n}": _ceiling(c) for n, c in enumerate(all_ceilings(report), 1)},
        "commit": it.commit,
        **dict(sorted(it.versions.items())),
    }
    rows = tuple((name, value) for name, value in told.items() if value)
    return Table("Machine", ("what", "found"), rows)


def _gpu(found: GpuState | Skipped) -> dict[str, str]:
    if isinstance(found, Skipped):
        return {"GPU": found.reason}
    used = f"{found.used_bytes / GIB:.1f} of {found.memory_bytes / GIB:.1f} GiB used"
    return {
        "GPU": f"{found.name}, compute capability {found.compute_capability}",
        "GPU driver": f"{found.driver}, CUDA up to {found.cuda}",
        "GPU memory": f"{used}, ECC {_on(found.ecc)}, MIG {_on(found.mig)}",
        "GPU clocks": f"{found.sm_mhz} MHz, memory {found.memory_mhz} MHz",
        "GPU throttled": ", ".join(found.throttle_reasons) or "no",
        "GPU power": f"{found.watts:.0f} W, {found.celsius} °C",
        "GPU shared with": f"{found.other_processes} other processes",
    }


def _ceiling(found: Ceiling) -> str:
    where = f"{found.threads} threads" if found.threads else "the GPU"
    copy = f", copy {found.gb_per_second:.0f} GB/s" if found.gb_per_second else ""
    return f"{found.precision} on {where}: {found.gflop_per_second:.0f} GFLOP/s{copy}"


def _on(flag: bool) -> str:
    return "on" if flag else "off"
