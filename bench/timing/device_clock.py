"""A GPU's own clock: events on the stream that a session runs on."""

from bench.backend import Session


class DeviceClock:
    """Seconds between an event before a pass and one after it.

    Args:
        stream: raw ``cudaStream_t`` of the session.
    """

    def __init__(self, stream: int) -> None:
        import torch

        self._stream = torch.cuda.ExternalStream(stream)  # type: ignore[no-untyped-call]
        self._start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        self._end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]

    def __call__(self, session: Session) -> float:
        """Seconds of one pass, idle times between its kernels included."""
        self._start.record(self._stream)
        session.run()
        self._end.record(self._stream)
        session.wait()
        self._end.synchronize()
        return float(self._start.elapsed_time(self._end)) / 1e3
