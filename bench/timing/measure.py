"""The timing core: one call after the other on a session, by each clock in turn."""

import gc
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

from bench.backend import Session
from bench.pool import Inputs
from bench.stopping import Limits, is_warm
from bench.timing.device_clock import DeviceClock

HostClock = Callable[[], float]
Take = Callable[[], float]

BLOCK_SECONDS = 0.05  # of passes that are enqueued ahead, for throughput


class Timer:
    """Times the passes of a session, each on the next input of a pool.

    Args:
        session: ready to run.
        pool: inputs that rotate; copied outside of the clock.
        clock: seconds, monotonic.
    """

    def __init__(
        self, session: Session, pool: Sequence[Inputs], clock: HostClock = perf_counter
    ) -> None:
        self._session = session
        self._pool = pool
        self._clock = clock
        self._turn = 0
        self._device = None if session.stream is None else DeviceClock(session.stream)

    def rotate(self) -> int:
        """Put the next input in place; which it is."""
        turn = self._turn
        self._session.load(self._pool[turn])
        self._session.wait()
        self._turn = (turn + 1) % len(self._pool)
        return turn

    def again(self) -> float:
        """Seconds of a call on whatever input is in place."""
        start = self._clock()
        self._session.run()
        self._session.wait()
        return self._clock() - start

    def call(self) -> float:
        """Seconds of a call on the next input."""
        self.rotate()
        return self.again()

    def device(self) -> float:
        """Seconds of a pass on the next input, by the device's clock."""
        assert self._device is not None, "a session on the host has no device clock"
        self.rotate()
        return self._device(self._session)

    def end_to_end(self) -> float:
        """Seconds from a waveform in the host's memory to outputs in the host's memory."""
        inputs = self._pool[self._turn]
        self._turn = (self._turn + 1) % len(self._pool)
        start = self._clock()
        self._session.load(inputs)
        self._session.run()
        self._session.wait()
        self._session.outputs()
        return self._clock() - start

    def throughput(self, passes: int) -> float:
        """Seconds of a pass when so many are enqueued on a stream before they are waited for."""
        self.rotate()
        start = self._clock()
        for _ in range(passes):
            self._session.run()
        self._session.wait()
        return (self._clock() - start) / passes

    def warm_up(self, limits: Limits) -> tuple[list[float], bool]:
        """Calls until they are stable or the limit passes; and whether they became stable."""
        seconds: list[float] = []
        start = self._clock()
        while True:
            seconds.append(self.call())
            if is_warm(seconds):
                return seconds, True
            if self._clock() - start >= limits.warmup:
                return seconds, False

    def sample(self, take: Take, seconds: float) -> list[float]:
        """Takes for so long, at least one."""
        taken: list[float] = []
        start = self._clock()
        while True:
            taken.append(take())
            if self._clock() - start >= seconds:
                return taken


def passes_ahead(seconds: float) -> int:
    """How many passes of so many seconds are enqueued together."""
    return max(1, math.ceil(BLOCK_SECONDS / seconds))


@contextmanager
def no_collection() -> Iterator[None]:
    """The garbage collector stays off within."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
