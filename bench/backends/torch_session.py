"""A PyTorch function with its inputs in place."""

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.backend import Case
from bench.proof import equal
from bench.records import Claim
from export.fold import fold
from export.interface import Interface, interface
from export.precision.budget import PRECISIONS

Function = Callable[..., dict[str, Tensor]]


class Network(nn.Module):
    """The workload's function in a type of its own; float32 in and out, as every runtime's.

    Args:
        function: of that type already.
        dtype: of its weights and of all that it computes.
    """

    def __init__(self, function: Interface, dtype: torch.dtype) -> None:
        super().__init__()
        self.function = function
        self.dtype = dtype
        self.computed = "nothing"

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Outputs by name for waveforms by name."""
        outputs = self.function(**{name: each.to(self.dtype) for name, each in inputs.items()})
        self.computed = " and ".join(sorted({_told(each.dtype) for each in outputs.values()}))
        return {name: each.float() for name, each in outputs.items()}

    def claims(self) -> tuple[Claim, ...]:
        """Types of the weights, and of what the last pass computed."""
        held = sorted({_told(each.dtype) for each in self.parameters()})
        asked = _told(self.dtype)
        return (
            equal("type of the weights", asked, " and ".join(held)),
            equal("type of what was computed", asked, self.computed),
        )


def network(case: Case, folded: bool, device: str = "cpu") -> Network:
    """A copy of the network in the precision that was asked for, its norms as asked."""
    dtype = PRECISIONS[case.runtime].dtype
    with torch.no_grad():
        module = copy.deepcopy(case.trained.module)
        if folded:
            fold(module, case.trained.variant)
        return Network(interface(module.to(device, dtype), case.request), dtype)


def _told(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


class TorchSession:
    """Calls a function that computes the outputs by name.

    Args:
        function: the network, eager or compiled.
        network: that it runs.
        case: inputs and threads.
        extra: more settings to report.
        device: of the inputs.
    """

    stream: int | None = None

    def __init__(
        self,
        function: Function,
        network: Network,
        case: Case,
        extra: Mapping[str, str],
        device: str = "cpu",
    ) -> None:
        torch.set_num_threads(case.workload.threads)
        self._function = function
        self._network: Network | None = network
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
        """Types of the weights and of what was computed."""
        return () if self._network is None else self._network.claims()

    def close(self) -> None:
        """Drop the network and its tensors."""
        self._function = _closed
        self._network = None
        self._inputs = {}
        self._outputs = {}


def _closed(**inputs: Tensor) -> dict[str, Tensor]:
    del inputs
    message = "this session is closed"
    raise RuntimeError(message)
