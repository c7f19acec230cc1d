"""An execution context of either library: how it starts, enqueues and replays itself."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from export import atomic, store
from export.engine.file import EngineFile
from export.engine.library import Library
from export.engine.log import logger
from export.gpu import Gpu

CACHE_FILE = "runtime.cache"


class Context(Protocol):
    """What a session needs of a context."""

    def take_inputs(self, tensors: Mapping[str, Tensor]) -> None:
        """Shapes and addresses of the inputs."""

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Of an output, once the inputs are known."""

    def take_outputs(self, tensors: Mapping[str, Tensor]) -> None:
        """Addresses of the outputs."""

    def start(self, stream: torch.cuda.Stream) -> None:
        """The first pass, and whatever makes the later ones fast."""

    def enqueue(self, stream: torch.cuda.Stream) -> None:
        """One pass."""

    def watch(self, profiler: Any) -> None:
        """Have an ``IProfiler`` told the time of each layer of every later pass."""

    def settings(self) -> dict[str, str]:
        """As read back."""

    def close(self) -> None:
        """Give it back."""


def open_context(library: Library, engine: Any, file: EngineFile, gpu: Gpu, graph: bool) -> Context:
    """The context of an engine.

    Args:
        library: that loaded it.
        engine: ``ICudaEngine``.
        file: where it came from.
        gpu: that it runs on.
        graph: whether a pass is captured once and replayed.
    """
    kind = RtxContext if library.runtime == "rtx" else PlainContext
    return kind(library, engine, file, gpu, graph)


class PlainContext:
    """TensorRT: a graph is captured around ``execute_async_v3``."""

    def __init__(
        self, library: Library, engine: Any, file: EngineFile, gpu: Gpu, graph: bool
    ) -> None:
        del file, gpu
        self._library = library
        self._wants_graph = graph
        self._graph: torch.cuda.CUDAGraph | None = None
        self._context = self._make(engine)

    def _make(self, engine: Any) -> Any:
        return engine.create_execution_context()

    def take_inputs(self, tensors: Mapping[str, Tensor]) -> None:
        """Shapes and addresses of the inputs."""
        for name, tensor in tensors.items():
            if not self._context.set_input_shape(name, tuple(tensor.shape)):
                raise RuntimeError(f"{name} {tuple(tensor.shape)}: {self._reason()}")
        self.take_outputs(tensors)

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Of an output, once the inputs are known."""
        return tuple(self._context.get_tensor_shape(name))

    def take_outputs(self, tensors: Mapping[str, Tensor]) -> None:
        """Addresses of the outputs."""
        for name, tensor in tensors.items():
            if not self._context.set_tensor_address(name, tensor.data_ptr()):
                raise RuntimeError(f"{name} has no address: {self._reason()}")

    def start(self, stream: torch.cuda.Stream) -> None:
        """The first pass; then, if asked, the capture."""
        self._execute(stream)
        stream.synchronize()
        if self._wants_graph:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=stream):
                self._execute(stream)

    def enqueue(self, stream: torch.cuda.Stream) -> None:
        """One pass, as a replay where it was captured."""
        if self._graph is None:
            self._execute(stream)
        else:
            with torch.cuda.stream(stream):
                self._graph.replay()

    def watch(self, profiler: Any) -> None:
        """Have an ``IProfiler`` told the time of each layer of every later pass."""
        self._context.profiler = profiler

    def settings(self) -> dict[str, str]:
        """Whether a graph is replayed."""
        return {"captured": str(self._graph is not None)}

    def close(self) -> None:
        """Drop the graph before the context that it replays."""
        self._graph = None
        del self._context

    def _execute(self, stream: torch.cuda.Stream) -> None:
        if not self._context.execute_async_v3(stream.cuda_stream):
            raise RuntimeError(f"the pass was not enqueued: {self._reason()}")

    def _reason(self) -> str:
        return str(logger(self._library).reason())


class RtxContext(PlainContext):
    """TensorRT for RTX: kernels are compiled on the GPU and kept, and it captures graphs itself."""

    def __init__(
        self, library: Library, engine: Any, file: EngineFile, gpu: Gpu, graph: bool
    ) -> None:
        self._key = store.key_of(file.sha256, library.version, gpu)
        self._strategy = "WHOLE_GRAPH_CAPTURE" if graph else "DISABLED"
        super().__init__(library, engine, file, gpu, graph=False)

    def _make(self, engine: Any) -> Any:
        trt = self._library.module
        self._config = engine.create_runtime_config()
        self._config.cuda_graph_strategy = trt.CudaGraphStrategy.__members__[self._strategy]
        # compiled before the first pass, so that no timed pass meets a kernel that is replaced
        kinds = trt.DynamicShapesKernelSpecializationStrategy
        self._config.dynamic_shapes_kernel_specialization_strategy = kinds.EAGER
        self._cache = self._config.create_runtime_cache()
        with store.claim("runtime", self._key) as place:
            path = place / CACHE_FILE
            self._warm = path.exists() and bool(self._cache.deserialize(path.read_bytes()))
        self._config.set_runtime_cache(self._cache)
        return engine.create_execution_context(self._config)

    def start(self, stream: torch.cuda.Stream) -> None:
        """The first pass compiles; what it compiled is kept for the next process."""
        super().start(stream)
        if not self._warm:
            content = bytes(self._cache.serialize())
            with store.claim("runtime", self._key) as place:
                atomic.write_all({place / CACHE_FILE: content}, durable=False)

    def settings(self) -> dict[str, str]:
        """Strategies as the context tells them, and whether kernels were already compiled."""
        config = self._context.get_runtime_config()
        strategy = config.dynamic_shapes_kernel_specialization_strategy
        return {
            "cuda_graph_strategy": config.cuda_graph_strategy.name,
            "kernel_specialization": strategy.name,
            "runtime_cache": "warm" if self._warm else "cold",
        }

    def close(self) -> None:
        """Drop the context before its configuration."""
        super().close()
        del self._config, self._cache
