"""A file in its runtime, called chunk by chunk."""

from collections.abc import Mapping
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bench.backend import Case, Session
from bench.records import Workload
from bench.stream.feed import Feed, elements, feed_of
from bench.stream.files import File
from bench.stream.whole_signal import Arrays, Signal
from bench.timing.measure import HostClock
from export.stream_record import NEXT
from hifigan_ref.network import BATCH

Outputs = Mapping[str, NDArray[np.floating]]


class Caller:
    """Calls a session with one part of a signal after the other.

    Args:
        session: that is ready.
        feed: what goes in.
        states: zeros of each state that a signal begins with, by name.
        clock: seconds, monotonic.
    """

    def __init__(
        self, session: Session, feed: Feed, states: Arrays, clock: HostClock = perf_counter
    ) -> None:
        self.session = session
        self.feed = feed
        self._zeros = states
        self._states = states
        self._clock = clock
        self.found: Outputs = {}

    def take(self, call: int) -> float:
        """Seconds of a call, from inputs in the host's memory to outputs there.

        The first one begins a signal; each other one follows the one before it.
        """
        if call == 0:
            self._states = self._zeros
        part = self.feed.part(call)
        start = self._clock()
        self.session.load({**part, **self._states})
        self.session.run()
        self.session.wait()
        found = self.session.outputs()
        seconds = self._clock() - start
        left = {name: f"{NEXT}{name}" for name in self._zeros}  # by those that do not keep it
        self._states = {name: found[new] for name, new in left.items() if new in found}
        self.found = found
        return seconds


def open_caller(signal: Signal, file: File, items: int = 1) -> Caller:
    """A file in its backend, for so many signals at once. Raises whatever the runtime does."""
    choice, wish = file.choice, signal.wish
    feed = feed_of(signal.inputs, signal.field.axes, file.pace, file.left, file.ends, items)
    states = {name: np.repeat(zeros, items, 0) for name, zeros in file.states.items()}
    sizes = {**({BATCH: items} if BATCH in file.request.signature.axes else {}), **file.lengths}
    load = Workload(
        str(wish.variant),
        sizes,
        (),
        choice.precision(wish.variant),
        signal.source,
        wish.weights.origin,
        wish.threads,
    )
    session = choice.backend.prepare(
        Case(
            load,
            file.request,
            lambda: wish.weights.build(wish.variant),
            file.artifact,
            {**feed.part(0), **states},
            file.flops,
            choice.options,
            wish.split(choice).runtime,
        )
    )
    return Caller(session, feed, states)


def heard(signal: Signal, file: File, outputs: list[Outputs]) -> dict[str, NDArray[np.floating]]:
    """Outputs of the first calls as parts of the whole's, from where the signal begins.

    Args:
        signal: that was computed.
        file: by this.
        outputs: of each call, from the first.
    """
    stream = file.artifact.manifest.stream
    delays = stream.delays if stream is not None else None
    found: dict[str, NDArray[np.floating]] = {}
    for name, axis in signal.field.axes.items():
        if name not in signal.exact:
            continue
        rate = signal.field.rates[name]
        parts = [each[name] for each in outputs]
        if file.way == "window":
            begin, size = (elements(rate, n) for n in (file.left, file.pace.chunk))
            parts = [each.take(range(begin, begin + size), axis) for each in parts]
        whole = np.concatenate(parts, axis)
        late = delays[name] if delays is not None else 0
        found[name] = whole.take(range(late, whole.shape[axis]), axis)
    return found
