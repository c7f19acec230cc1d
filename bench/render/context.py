"""The lines around a report's table, as text: what a reader must know to read it."""

from bench.records import Report


def context(report: Report) -> tuple[str, ...]:
    """Machine, ceiling, workload and notes, a line each."""
    machine, ceiling = report.machine, report.ceiling
    loads = [result.workload for result in report.results]
    samples = sorted({load.samples for load in loads})
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_bytes / 2**30:.0f} GiB, "
        f"{machine.system}, load {machine.load:.1f}",
        ", ".join(f"{name} {version}" for name, version in sorted(machine.versions.items())),
        f"ceiling: {ceiling.gflop_per_second:.0f} GFLOP/s, float32 product of {ceiling.size} x "
        f"{ceiling.size} matrices on {ceiling.threads} threads",
        f"{', '.join(map(str, samples))} samples at {report.sample_rate} Hz from "
        f"{', '.join(sorted({load.source for load in loads}))}; "
        f"outputs: {', '.join(sorted({load.outputs for load in loads}))}; "
        f"weights: {', '.join(sorted({load.weights for load in loads}))}; "
        f"threads: {', '.join(sorted({str(load.threads) for load in loads}))}",
        "latency, host clock, one call after the other; SNR against PyTorch in float64, worst output",
        *report.notes,
    )
