"""An engine with its inputs and outputs in place on a GPU."""

from typing import Any

import torch
from torch import Tensor

from bench import gpu
from bench.backend import Case
from bench.backends.bound_session import BoundSession
from bench.backends.trt_context import Context, open_context
from bench.backends.trt_precision import precision_claims, told
from bench.file_precisions import ALL_FLOAT, convolutions_of
from bench.proof import equal
from bench.records import Claim
from export.engine.file import EngineFile, why_not_here
from export.engine.layers import layer_precisions
from export.engine.library import Library
from export.engine.runtime import deserialize, inspect
from export.gpu import find_gpu
from export.precision.plan import FP32
from hifigan_ref.errors import HifiError

TYPES = {"FLOAT": torch.float32, "HALF": torch.float16, "BF16": torch.bfloat16}


class TrtSession(BoundSession):
    """Runs an execution context on a stream of its own.

    Args:
        library: that built the engine.
        file: the engine.
        case: inputs, and whether passes are one CUDA graph.

    Raises:
        HifiError: the engine cannot run on this GPU.
    """

    def __init__(self, library: Library, file: EngineFile, case: Case) -> None:
        here = find_gpu()
        reason = why_not_here(file.manifest, library, here)
        if reason is not None:
            raise HifiError(reason)
        self._own = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        super().__init__(case.inputs, gpu.DEVICE, self._own)
        self._library = library
        self._file = file
        self._artifact = case.artifact.path
        self._lessened = case.request.precision != FP32
        self._graph = case.options["cuda_graph"] == "on"
        self._tf32 = case.runtime == "tf32"
        self._engine = deserialize(library, file.path.read_bytes())
        self._information = inspect(library, self._engine)
        self._context: Context = open_context(library, self._engine, file, here, self._graph)
        self._context.take_inputs(self._inputs)
        self._outputs = {name: self._output(name) for name in self._output_names()}
        self._context.take_outputs(self._outputs)
        self._context.start(self._own)
        self.wait()

    def run(self) -> None:
        """Enqueue one pass."""
        self._context.enqueue(self._own)

    def watch(self, profiler: Any) -> None:
        """Have an ``IProfiler`` told the time of each layer of every later pass."""
        self._context.watch(profiler)

    def information(self) -> str:
        """What the engine says of its layers, as JSON."""
        return self._information

    def settings(self) -> dict[str, str]:
        """Library, engine, profile and what its layers are."""
        manifest = self._file.manifest
        return {
            "library": str(self._library),
            "engine": self._file.sha256[:12],
            "engine_mb": f"{self._file.bytes / 1e6:.1f}",
            "profile": str(manifest.profile),
            "tf32": str(manifest.tf32),
            "cuda_graph": str(self._graph),
            "layers": told(layer_precisions(self._information)),
            "device_memory_mb": f"{self._engine.device_memory_size_v2 / 1e6:.1f}",
            **self._context.settings(),
        }

    def proof(self) -> tuple[Claim, ...]:
        """Precisions of layers and outputs, TF32, and that a GPU's memory is used."""
        asked = convolutions_of(self._artifact) if self._lessened else ALL_FLOAT
        types = {str(tensor.dtype).removeprefix("torch.") for tensor in self._outputs.values()}
        return (
            equal("tf32", self._tf32, self._file.manifest.tf32),
            *precision_claims(asked, self._information),
            equal("output types", "float32", ", ".join(sorted(types))),
            gpu.memory_claim(),
        )

    def close(self) -> None:
        """Drop the context, the engine and the tensors."""
        self._context.close()
        del self._context, self._engine
        self._inputs, self._outputs = {}, {}
        gpu.release()

    def _output_names(self) -> list[str]:
        trt, engine = self._library.module, self._engine
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        return [n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.OUTPUT]

    def _output(self, name: str) -> Tensor:
        kind: Any = self._engine.get_tensor_dtype(name)
        shape = self._context.shape_of(name)
        with torch.cuda.stream(self._stream):
            return torch.full(shape, torch.nan, dtype=TYPES[kind.name], device=gpu.DEVICE)
