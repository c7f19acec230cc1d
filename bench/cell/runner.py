"""One cell from the first import to the last number, in whatever process it is."""

import gc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from bench import judge, pool
from bench.backend import Case, Session, find, lacking
from bench.cell.job import Finished, Job, Prepared, Sampled, WarmedUp
from bench.machine.gpu_state import gpu_at_work
from bench.machine.usage import (
    ENERGY_SECONDS,
    device_memory_bytes,
    joules_per_item,
    peak_memory_bytes,
)
from bench.peer import name_of
from bench.records import Clock, ColdStart, GpuMoment, Layer, OutputParity, Parity, Skipped
from bench.stopping import BESIDE
from bench.timing.measure import HostClock, Timer, no_collection, passes_ahead
from bench.timing.profiler import profile, with_times
from export import artifact
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Trained

CHECKED_TURN = 0  # the input whose reference is known
ON_HOST = Skipped("runs on the host")


class Runner:
    """Prepares a session, times it, and compares the outputs of timed passes.

    Args:
        job: what to run.
        build: draws or reads the network, for the backends that need it.
        clock: seconds, monotonic.
    """

    def __init__(
        self, job: Job, build: Callable[[], Trained], clock: HostClock = perf_counter
    ) -> None:
        self._job = job
        self._build = build
        self._clock = clock
        self._inputs = pool.load_inputs(job.folder)
        self._expected = pool.load_reference(job.folder, name_of(job.asked))
        self._checks: list[Parity] = []

    def prepare(self) -> Prepared:
        """Import, load or build, and run once.

        Raises:
            HifiError: the backend cannot run here, or ran something else than it was asked.
        """
        start = self._clock()
        self._backend, options = find(self._job.backend)
        missing = lacking(self._backend)
        if missing is not None:
            raise HifiError(missing)
        self._case = Case(
            self._job.workload,
            self._job.request,
            self._build,
            _load_artifact(self._job.artifact),
            self._inputs[CHECKED_TURN],
            self._job.flops,
            options,
            self._job.runtime,
        )
        imported = self._clock()
        self._session: Session = self._backend.prepare(self._case)
        prepared = self._clock()
        self._timer = Timer(self._session, self._inputs, self._clock)
        self._session.run()
        self._session.wait()
        cold = ColdStart(imported - start, prepared - imported, self._clock() - prepared)
        proof = self._session.proof()
        found = self._compare()
        return Prepared(cold, self._session.settings(), proof, found)

    def warm_up(self) -> WarmedUp:
        """Calls until they are stable, on a heap without garbage."""
        gc.collect()
        with no_collection():
            seconds, warm = self._timer.warm_up(self._job.limits)
        return WarmedUp(sum(seconds), len(seconds), warm)

    def sample(self, seconds: float) -> Sampled:
        """A round by the call clock; its first and its last pass are compared with PyTorch."""
        with no_collection():
            taken = [self._checked_call()]
            taken += self._timer.sample(self._timer.call, seconds)
            taken.append(self._checked_call())
        return Sampled(tuple(taken), self._gpu())

    def finish(self) -> Finished:
        """The other clocks, memory, and the layers if they were asked for."""
        seconds = self._job.limits.least / BESIDE
        timer = self._timer
        gpu: dict[Clock, GpuMoment | Skipped] = {}
        with no_collection():
            device: list[float] = []
            throughput: list[float] = []
            end_to_end = timer.sample(timer.end_to_end, seconds)
            gpu["end-to-end"] = self._gpu()
            if self._session.stream is not None:
                device = timer.sample(timer.device, seconds)
                gpu["device"] = self._gpu()
                passes = passes_ahead(min(device))
                throughput = timer.sample(lambda: timer.throughput(passes), seconds)
                gpu["throughput"] = self._gpu()
            repeated = timer.sample(timer.again, seconds)
        return Finished(
            parity=worst_of(self._checks),
            checked=len(self._checks) - 1,  # the first was not timed
            device=tuple(device),
            end_to_end=tuple(end_to_end),
            throughput=tuple(throughput),
            repeated=tuple(repeated),
            peak_memory_bytes=peak_memory_bytes(),
            device_memory_bytes=device_memory_bytes(),
            joules_per_item=self._energy(),
            layers=self._layers(),
            gpu=gpu,
        )

    def close(self) -> None:
        """Give the session back, if there is one."""
        session = getattr(self, "_session", None)
        if session is not None:
            del self._session, self._timer
            session.close()

    def _checked_call(self) -> float:
        """A timed pass into poisoned buffers, whose outputs are compared."""
        while self._timer.rotate() != CHECKED_TURN:
            pass
        self._session.poison()
        self._session.wait()
        seconds = self._timer.again()
        self._compare()
        return seconds

    def _compare(self) -> Parity:
        job, outputs = self._job, self._session.outputs()
        found = judge.compare(self._expected, outputs, job.budget_db, job.request.signature.audio)
        self._checks.append(found)
        return found

    def _gpu(self) -> GpuMoment | Skipped:
        """Its state while it works: with nothing to do it would hide why it was slow."""
        if self._session.stream is None:
            return ON_HOST
        found = gpu_at_work(self._enqueue)
        self._session.wait()
        return found

    def _enqueue(self) -> None:
        for _ in range(passes_ahead(self._timer.again())):
            self._session.run()

    def _energy(self) -> float | Skipped:
        if self._session.stream is None:
            return Skipped("runs on the host, whose energy nothing counts")
        items = self._job.workload.items

        def call() -> None:
            self._timer.again()

        return joules_per_item(call, items, min(ENERGY_SECONDS, self._job.limits.most))

    def _layers(self) -> tuple[Layer, ...]:
        if not self._job.layers:
            return self._job.graph
        return with_times(self._job.graph, profile(self._backend, self._case))


def worst_of(checks: list[Parity]) -> Parity:
    """Each output as it was when it was worst."""
    worst: dict[str, OutputParity] = {}
    for check in checks:
        for output in check.outputs:
            known = worst.get(output.name)
            if known is None or not output.snr_db >= known.snr_db:
                worst[output.name] = output
    return Parity(checks[0].budget_db, tuple(worst.values()))


def _load_artifact(path: Path) -> artifact.Artifact:
    """Of the cache: its sidecar tells, and the parent checked the digest."""
    found = artifact.told(path)
    if found is None:
        raise HifiError(f"{path} has no manifest: run the command again")
    return found
