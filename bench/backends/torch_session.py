"""A PyTorch function with its inputs in place."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.backend import Case
from bench.records import Claim

Function = Callable[..., dict[str, Tensor]]


class TorchSession:
    """Calls a function that computes the outputs by name.

    Args:
        function: eager or compiled.
        case: inputs and threads.
        extra: more settings to report.
        device: of the inputs.
    """

    stream: int | None = None

    def __init__(
        self, function: Function, case: Case, extra: Mapping[str, str], device: str = "cpu"
    ) -> None:
        torch.set_num_threads(case.workload.threads)
        self._function = function
        self._inputs = {
            name: torch.tensor(array, device=device) for name, array in case.inputs.items()
        }
        self._extra = dict(extra)
        self._outputs: dict[str, Tensor] = {}

    def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        """Copy waveforms into the resident inputs."""
        for name, array in inputs.items():
            self._inputs[name].copy_(torch.from_numpy(array))

    def poison(self) -> None:
        """Every pass makes outputs of its own: drop the old ones."""
        self._outputs = {}

    def run(self) -> None:
        """Compute; on a CPU the call returns when it is done."""
        with torch.inference_mode():
            self._outputs = self._function(**self._inputs)

    def wait(self) -> None:
        """Nothing is left to wait for."""

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """What the last pass computed, by name."""
        return {name: tensor.numpy() for name, tensor in self._outputs.items()}

    def settings(self) -> dict[str, str]:
        """Threads and what may change the arithmetic, as read back."""
        return {
            "threads": str(torch.get_num_threads()),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "mkldnn": str(torch.backends.mkldnn.enabled),
            "deterministic": str(torch.are_deterministic_algorithms_enabled()),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            **self._extra,
        }

    def proof(self) -> tuple[Claim, ...]:
        """Nothing else could run."""
        return ()

    def close(self) -> None:
        """Drop the network and its tensors."""
        self._function = _closed
        self._inputs = {}
        self._outputs = {}


def _closed(**inputs: Tensor) -> dict[str, Tensor]:
    del inputs
    message = "this session is closed"
    raise RuntimeError(message)
