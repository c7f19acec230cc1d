"""A PyTorch function with its inputs in place on a GPU, on a stream of its own."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack

import numpy as np
import torch
from numpy.typing import NDArray

from bench import gpu
from bench.backend import Case
from bench.backends.torch_session import Function, Network, TorchSession, network
from bench.proof import equal
from bench.records import Claim
from bench.torch_numerics import numerics, told

PASSES_BEFORE_CAPTURE = 3  # algorithms are chosen and workspaces taken by then


class TorchCudaSession(TorchSession):
    """Calls a function, or replays what it once enqueued.

    Args:
        function: the network, eager or compiled, its weights on the GPU.
        network: that it runs.
        case: inputs and options.
        extra: more settings to report.
    """

    def __init__(
        self, function: Function, network: Network, case: Case, extra: Mapping[str, str]
    ) -> None:
        self._own = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self.stream = int(self._own.cuda_stream)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._asked = {"tf32": gpu.WORDS[case.runtime == "tf32"], **case.options}
        self._at_close = ExitStack()
        with torch.cuda.stream(self._own):
            super().__init__(function, network, case, extra, gpu.DEVICE)

    def at_close(self, stack: ExitStack) -> None:
        """What to undo when the session ends."""
        self._at_close = stack

    def capture(self) -> None:
        """Record a pass as a CUDA graph, which each later one replays."""
        for _ in range(PASSES_BEFORE_CAPTURE):
            self.run()
        self.wait()
        self._outputs = {}
        graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.graph(graph, stream=self._own):
            self._outputs = self._function(**self._inputs)
        self._graph = graph

    def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        """Copy waveforms into the resident inputs."""
        with torch.cuda.stream(self._own):
            super().load(inputs)

    def poison(self) -> None:
        """A replay writes into the same outputs: fill them with NaN."""
        if self._graph is None:
            super().poison()
            return
        with torch.inference_mode(), torch.cuda.stream(self._own):
            for tensor in self._outputs.values():
                tensor.fill_(torch.nan)

    def run(self) -> None:
        """Enqueue a pass."""
        with torch.cuda.stream(self._own):
            if self._graph is None:
                super().run()
            else:
                self._graph.replay()

    def wait(self) -> None:
        """Return when the stream is empty."""
        self._own.synchronize()

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """What the last pass computed, by name, copied to the host."""
        with torch.cuda.stream(self._own):
            return {name: tensor.cpu().numpy() for name, tensor in self._outputs.items()}

    def settings(self) -> dict[str, str]:
        """Also of cuDNN, as read back."""
        found = {
            "device": gpu.DEVICE,
            "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
            "cuda_graph": "off" if self._graph is None else "on",
        }
        return super().settings() | told() | found

    def proof(self) -> tuple[Claim, ...]:
        """Where the outputs are, the arithmetic that holds, and that a GPU's memory is used."""
        devices = sorted({tensor.device.type for tensor in self._outputs.values()})
        found = told()
        return (
            equal("device of the outputs", gpu.DEVICE, ", ".join(devices) or "none"),
            *(equal(name, self._asked[name], found[name]) for name in ("tf32", "cudnn_benchmark")),
            gpu.tf32_claim(self._asked["tf32"]),
            gpu.memory_claim(),
            *super().proof(),
        )

    def close(self) -> None:
        """Drop the graph, the network and its tensors; put the process's arithmetic back."""
        self._graph = None
        super().close()
        self._at_close.close()
        gpu.release()


def open_session(
    case: Case,
    make: Callable[[Function], Function],
    extra: Mapping[str, str],
    undo: Callable[[], object] | None = None,
) -> TorchCudaSession:
    """A session that has run once.

    Args:
        case: inputs and options.
        make: eager or compiled from the network on the GPU.
        extra: more settings to report.
        undo: called when the session ends.
    """
    with gpu.freed_on_failure():
        return _open(case, make, {"norms": case.options["norms"], **extra}, undo)


def _open(
    case: Case,
    make: Callable[[Function], Function],
    extra: Mapping[str, str],
    undo: Callable[[], object] | None,
) -> TorchCudaSession:
    asked = case.options
    with ExitStack() as stack:
        stack.enter_context(numerics(case.runtime == "tf32", asked["cudnn_benchmark"] == "on"))
        if undo is not None:
            stack.callback(undo)
        made = network(case, asked["norms"] == "folded", gpu.DEVICE)
        session = TorchCudaSession(make(made), made, case, extra)
        session.run()
        session.wait()
        if asked.get("cuda_graph") == "on":
            session.capture()
        session.at_close(stack.pop_all())
        return session
