"""An onnxruntime session with its inputs and outputs in place, on the host or on a GPU."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor

from bench import gpu
from bench.backend import Case
from bench.backends.bound_session import BoundSession
from bench.backends.ort_placement import claim, remember, seen
from bench.file_precisions import convolutions_of, counts_claim
from bench.proof import demand, equal
from bench.records import Claim
from export.precision.plan import FP32
from hifigan_ref.errors import HifiError

STREAM = "user_compute_stream"
HAS_STREAM = "has_user_compute_stream"  # told of it: its address is of no use in a report
TYPES = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(int64)": torch.int64,
}
NUMPY = {torch.float32: np.float32, torch.float16: np.float16, torch.int64: np.int64}
SWITCHES = {"true": "1", "false": "0"}


@dataclass(frozen=True)
class Asked:
    """The providers of a session.

    Attributes:
        options: what is set for each, by its name; the first is to run every node.
        beside: claims about what no provider tells.
        shows_nodes: whether convolutions can be seen in a trace.
    """

    options: Mapping[str, Mapping[str, str]]
    beside: tuple[Claim, ...] = ()
    shows_nodes: bool = True

    @property
    def first(self) -> str:
        """The one that is meant."""
        return next(iter(self.options))

    def claims(self, session: ort.InferenceSession) -> tuple[Claim, ...]:
        """The providers, then each of their options as read back."""
        found = self.read_back(session)
        return (
            equal("providers", ", ".join(self.options), ", ".join(session.get_providers())),
            *(equal(key, value, found[key]) for key, value in self.values().items()),
            *self.beside,
        )

    def values(self) -> dict[str, str]:
        """``provider option: value`` of all that is set, as the provider will tell it."""
        told = {
            provider: {k: _switch(v) for k, v in options.items() if k != STREAM}
            | ({HAS_STREAM: "1"} if STREAM in options else {})
            for provider, options in self.options.items()
        }
        return _flat(told)

    def read_back(self, session: ort.InferenceSession) -> dict[str, str]:
        """The same of a session, ``not told`` where it does not say."""
        found = _flat(session.get_provider_options())
        return {key: _switch(found.get(key, "not told")) for key in self.values()}


def open_session(case: Case, asked: Asked, profile: Path | None = None) -> ort.InferenceSession:
    """Load and optimise the file for the shapes of the workload.

    Args:
        case: what to run.
        asked: on which providers.
        profile: beginning of the name of the trace that it is to write.

    Raises:
        NotAsAskedError: onnxruntime fell back to another provider, as it does with a warning.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = case.workload.threads
    options.inter_op_num_threads = 1
    for axis, length in case.workload.sizes.items():
        options.add_free_dimension_override_by_name(axis, length)
    remember(options, ort.InferenceSession, types=profile is None and is_typed(case, asked))
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    providers = [(name, dict(values)) for name, values in asked.options.items()]
    # a provider that fails to start is an error, not another attempt with another provider
    session = ort.InferenceSession(case.artifact.path, options, providers, enable_fallback=0)
    claims = asked.claims(session)
    demand(claims[0])  # what is not there tells nothing of its options
    demand(*claims)
    return session


class OrtSession(BoundSession):
    """Bound to tensors at fixed addresses.

    Args:
        session: of static shapes.
        asked: its providers.
        case: inputs.
        stream: that it was told to run on, or None on the host.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        asked: Asked,
        case: Case,
        stream: torch.cuda.Stream | None = None,
    ) -> None:
        self._device = "cpu" if stream is None else gpu.DEVICE
        super().__init__(case.inputs, self._device, stream)
        self._session = session
        self._asked = asked
        self._run_options = ort.RunOptions()
        if stream is not None:
            self._run_options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        with torch.cuda.stream(stream):
            self._outputs = {
                output.name: torch.zeros(_fixed(output), dtype=_type(output), device=self._device)
                for output in session.get_outputs()
            }
            self.poison()
        self._binding = session.io_binding()
        for name, tensor in self._inputs.items():
            self._binding.bind_input(name, *self._place(tensor))
        for name, tensor in self._outputs.items():
            self._binding.bind_output(name, *self._place(tensor))
        self.run()
        self.wait()
        self._types = is_typed(case, asked)
        self._seen = seen(session, self._types)
        self._file = case.artifact.path

    def run(self) -> None:
        """Compute on the host, or enqueue on the stream."""
        self._session.run_with_iobinding(self._binding, self._run_options)

    def settings(self) -> dict[str, str]:
        """Threads, optimisation level, providers and their options, as read back."""
        options = self._session.get_session_options()
        shapes = [f"{x.name} {'x'.join(map(str, x.shape))}" for x in self._session.get_inputs()]
        return {
            "threads": str(options.intra_op_num_threads),
            "inter_op_threads": str(options.inter_op_num_threads),
            "execution_mode": options.execution_mode.name,
            "graph_optimization_level": options.graph_optimization_level.name,
            "providers": ", ".join(self._session.get_providers()),
            "shapes": ", ".join(shapes),
            **self._asked.read_back(self._session),
        }

    def proof(self) -> tuple[Claim, ...]:
        """Providers, their options, who runs each node, in which type, and a GPU's memory."""
        memory = () if self._stream is None else (gpu.memory_claim(),)
        placed = claim(self._asked.first, self._seen.placement)
        found = (*self._asked.claims(self._session), placed, *memory)
        if not self._types:
            return found
        return (*found, counts_claim(convolutions_of(self._file), self._seen.convolutions))

    def close(self) -> None:
        """Drop the session, then the buffers that it is bound to."""
        del self._binding, self._session
        self._inputs, self._outputs = {}, {}
        if self._stream is not None:
            gpu.release()

    def _place(self, tensor: Tensor) -> tuple[str, int, type, tuple[int, ...], int]:
        kind = NUMPY[tensor.dtype]
        return self._device, 0, kind, tuple(tensor.shape), tensor.data_ptr()


def is_typed(case: Case, asked: Asked) -> bool:
    """Whether a trace proves types: of a file below float32, where a provider shows its nodes."""
    return case.request.precision != FP32 and asked.shows_nodes


def _flat(options: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {f"{p} {key}": value for p, values in options.items() for key, value in values.items()}


def _switch(value: str) -> str:
    """One spelling of on and off: providers take ``True`` and tell ``1``."""
    return SWITCHES.get(value.lower(), value)


def _type(output: ort.NodeArg) -> torch.dtype:
    """Raises HifiError for one that NumPy has not, which nobody could be told."""
    if output.type not in TYPES:
        raise HifiError(f"{output.name} is a {output.type}: choose from {', '.join(TYPES)}")
    return TYPES[output.type]


def _fixed(output: ort.NodeArg) -> tuple[int, ...]:
    assert all(isinstance(size, int) for size in output.shape), f"{output.name} has no fixed shape"
    return tuple(output.shape)
