"""The lines around a report's table, as text: what a reader must know to read it."""

from bench.records import Ceiling, Machine, Report


def context(report: Report) -> tuple[str, ...]:
    """Machine, ceiling, workload and notes, a line each."""
    return (
        _machine(report.machine),
        ", ".join(f"{name} {version}" for name, version in sorted(report.machine.versions.items())),
        _ceiling(report.ceiling),
        *([_ceiling(report.gpu_ceiling)] if isinstance(report.gpu_ceiling, Ceiling) else []),
        _workload(report),
        "median ms: latency by the host clock, one call after the other; ± %: its 95 % interval",
        "SNR dB: of the worst output against PyTorch in float64; torch dB: float32 PyTorch's own",
        *report.notes,
    )


def _machine(machine: Machine) -> str:
    memory = f"{machine.memory_bytes / 2**30:.0f} GiB"
    place = f"{machine.cpu}, {machine.cores} cores, {memory}, {machine.system}"
    return f"{place}, load {machine.load:.1f}"


def _ceiling(ceiling: Ceiling) -> str:
    product = f"float32 product of {ceiling.size} x {ceiling.size} matrices"
    speed = f"{ceiling.gflop_per_second:.0f} GFLOP/s"
    place = f"{ceiling.threads} threads" if ceiling.threads else "the GPU"
    return f"peak: {speed}, {product} on {place}"


def _workload(report: Report) -> str:
    loads = [result.workload for result in report.results]

    def every(attribute: str) -> str:
        return ", ".join(sorted({str(getattr(load, attribute)) for load in loads}))

    signal = f"{every('samples')} samples at {report.sample_rate} Hz from {every('source')}"
    rest = f"outputs: {every('outputs')}; weights: {every('weights')}; threads: {every('threads')}"
    return f"{signal}; {rest}"
