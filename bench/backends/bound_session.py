"""Inputs and outputs that a runtime is given by address, on the host or on a GPU."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.backend import UNSET


class BoundSession:
    """What sessions with tensors at fixed addresses have in common.

    Args:
        inputs: waveforms by name.
        device: of the tensors.
        stream: that the runtime works on, or None on the host.
    """

    def __init__(
        self,
        inputs: Mapping[str, NDArray[np.float32]],
        device: str,
        stream: torch.cuda.Stream | None,
    ) -> None:
        self._stream = stream
        with torch.cuda.stream(stream):  # which does nothing for None
            self._inputs = {
                name: torch.tensor(array, device=device) for name, array in inputs.items()
            }
        self._outputs: dict[str, Tensor] = {}

    @property
    def stream(self) -> int | None:
        """Raw ``cudaStream_t``, None on the host."""
        return None if self._stream is None else int(self._stream.cuda_stream)

    def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        """Copy waveforms into the inputs."""
        with torch.cuda.stream(self._stream):
            for name, array in inputs.items():
                self._inputs[name].copy_(torch.from_numpy(array))

    def poison(self) -> None:
        """Fill the outputs with NaN."""
        with torch.cuda.stream(self._stream):
            for tensor in self._outputs.values():
                tensor.fill_(torch.nan if tensor.is_floating_point() else UNSET)

    def wait(self) -> None:
        """Return when the stream is empty; on a CPU nothing is left to wait for."""
        if self._stream is not None:
            self._stream.synchronize()

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """What the last pass computed, by name; on the host the next pass writes over it."""
        with torch.cuda.stream(self._stream):
            return {name: _told(each).numpy() for name, each in self._outputs.items()}


def _told(tensor: Tensor) -> Tensor:
    """On the host, in a type that NumPy has."""
    return (tensor.float() if tensor.is_floating_point() else tensor).cpu()
