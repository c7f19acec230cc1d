"""A cell's row, from what its process answered."""

from dataclasses import replace

import numpy as np

from bench.cell.job import Failed, Finished, Job, Prepared, Sampled, WarmedUp
from bench.proof import verdict
from bench.records import (
    NOT_TAKEN,
    Clock,
    GpuMoment,
    Measurement,
    Parity,
    Result,
    Skipped,
)
from bench.stopping import is_settled
from export.sums import short_of

NO_DEVICE = Skipped("runs on the host: the call clock is its clock")
ONE_BY_ONE = Skipped("one call at a time on the host: throughput is one over latency")
Rounds = list[Sampled]


def skipped(job: Job, reason: str) -> Result:
    """A cell that did not run."""
    hole = Skipped(reason)
    result = Result(job.backend, job.workload, hole, hole, hole, {}, job.flops)
    return replace(result, layers=job.graph, bytes_moved=_moved(job))


def failed(job: Job, reply: Failed) -> Result:
    """A cell that ended early, with its last words."""
    return replace(skipped(job, reply.reason), proof=reply.proof)


def refused(job: Job, prepared: Prepared) -> Result | None:
    """A cell that ran something else, or computed something else; None if it may be timed."""
    if not all(claim.holds for claim in prepared.proof):
        return _row(job, prepared, prepared.parity, Skipped(verdict(prepared.proof)))
    return wrong(job, prepared, prepared.parity)


def wrong(job: Job, prepared: Prepared, found: Parity) -> Result | None:
    """A cell whose outputs are outside of the budget; None if they are not."""
    if found.passed:
        return None
    worst = found.worst
    reason = (
        f"parity failed: {worst.name} has an SNR of {short_of(worst.snr_db, found.budget_db)} dB, "
        f"the budget is {found.budget_db:g} dB"
    )
    return _row(job, prepared, found, Skipped(reason))


def partial(job: Job, prepared: Prepared, warmed: WarmedUp, rounds: Rounds) -> Result:
    """A cell that was interrupted while it was sampled."""
    return _row(job, prepared, prepared.parity, _by_call(warmed, rounds, settled=False))


def complete(
    job: Job, prepared: Prepared, warmed: WarmedUp, rounds: Rounds, finished: Finished
) -> Result:
    """A cell that went all the way."""
    rejected = wrong(job, prepared, finished.parity)
    if rejected is not None:
        return rejected
    call = _by_call(warmed, rounds, settled=True)
    on_gpu = bool(finished.device)
    return Result(
        backend=job.backend,
        workload=job.workload,
        prepare_seconds=prepared.cold_start.prepared + prepared.cold_start.first_call,
        parity=finished.parity,
        measurement=call,
        settings=prepared.settings,
        flops=job.flops,
        device=_beside("device", finished.device, finished) if on_gpu else NO_DEVICE,
        end_to_end=_beside("end-to-end", finished.end_to_end, finished),
        proof=prepared.proof,
        cold_start=prepared.cold_start,
        throughput=_beside("throughput", finished.throughput, finished) if on_gpu else ONE_BY_ONE,
        checked=finished.checked,
        repeat_gain=call.median / float(np.median(finished.repeated)),
        layers=finished.layers,
        bytes_moved=_moved(job),
        joules_per_item=finished.joules_per_item,
        peak_memory_bytes=finished.peak_memory_bytes,
        device_memory_bytes=finished.device_memory_bytes,
    )


def _row(job: Job, prepared: Prepared, found: Parity, measured: Measurement | Skipped) -> Result:
    return Result(
        backend=job.backend,
        workload=job.workload,
        prepare_seconds=prepared.cold_start.prepared + prepared.cold_start.first_call,
        parity=found,
        measurement=measured,
        settings=prepared.settings,
        flops=job.flops,
        proof=prepared.proof,
        cold_start=prepared.cold_start,
        layers=job.graph,
        bytes_moved=_moved(job),
    )


def _moved(job: Job) -> int:
    return sum(layer.bytes for layer in job.graph)


def _by_call(warmed: WarmedUp, rounds: Rounds, settled: bool) -> Measurement:
    seconds = tuple(second for taken in rounds for second in taken.seconds)
    return Measurement(
        seconds,
        warmed.seconds,
        warmed.calls,
        warm=warmed.warm,
        converged=settled and is_settled(seconds),
        rounds=tuple(len(taken.seconds) for taken in rounds),
        gpu=_moments([taken.gpu for taken in rounds]),
    )


def _beside(clock: Clock, seconds: tuple[float, ...], finished: Finished) -> Measurement:
    return Measurement(
        seconds,
        0.0,
        0,
        warm=True,
        converged=is_settled(seconds),
        clock=clock,
        gpu=_moments([finished.gpu.get(clock, NOT_TAKEN)]),
    )


def _moments(told: list[GpuMoment | Skipped]) -> tuple[GpuMoment, ...] | Skipped:
    """Those that the driver told; if it told none, why."""
    holes = [each for each in told if isinstance(each, Skipped)]
    return tuple(each for each in told if isinstance(each, GpuMoment)) or holes[0]
