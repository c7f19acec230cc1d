"""What a workload is called in every view."""

from bench.records import Workload


def workload_name(load: Workload) -> str:
    """Network, N x T, and whether two waveforms pass at once."""
    pair = " real and generated" if load.pair else ""
    return f"{load.variant}, {load.batch} x {load.samples}{pair}"


def full_name(load: Workload) -> str:
    """What two workloads of one name may differ in, too."""
    rest = f"outputs {load.outputs}, {load.source}, {load.weights}, {load.threads} threads"
    return f"{workload_name(load)}, {rest}"
