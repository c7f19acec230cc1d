"""The TensorRT backends as far as no GPU is needed: reasons, claims, and how a context is led."""

import json
import sys
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.backend import backends
from bench.backends import trt_context
from bench.backends.trt_context import PlainContext, RtxContext, open_context
from bench.backends.trt_precision import precision_claims, told
from bench.file_precisions import ALL_FLOAT
from export import store
from export.engine.file import EngineFile
from export.engine.library import PRODUCTS, Library
from export.gpu import Gpu

H200 = Gpu("NVIDIA H200", "9.0", "580.1", "13.0", 2**37)
FILE = EngineFile(Path("a.engine"), "1" * 64, 1, None)  # type: ignore[arg-type]
Graphs = Enum("Graphs", ["DISABLED", "WHOLE_GRAPH_CAPTURE"])
BY_WEIGHTS = "precision of the convolutions"
Kernels = Enum("Kernels", ["LAZY", "EAGER", "NONE"])


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path))


class FakeContext:
    """An ``IExecutionContext`` that remembers what it was told.

    Attributes:
        refuses: name of the method that returns False.
        log: every call.
        config: that it was made with.
    """

    def __init__(self, refuses: str, config: Any) -> None:
        self.refuses = refuses
        self.config = config
        self.log: list[tuple[Any, ...]] = []

    def _answer(self, *call: Any) -> bool:
        self.log.append(call)
        return bool(call[0] != self.refuses)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        return self._answer("set_input_shape", name, shape)

    def set_tensor_address(self, name: str, address: int) -> bool:
        return self._answer("set_tensor_address", name, address)

    def get_tensor_shape(self, name: str) -> list[int]:
        return [2, 5] if name == "score" else []

    def execute_async_v3(self, stream: int) -> bool:
        return self._answer("execute_async_v3", stream)

    def get_runtime_config(self) -> Any:
        return self.config


class FakeEngine:
    """An ``ICudaEngine`` whose runtime cache holds what its first pass compiled."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.contexts: list[FakeContext] = []
        self.deserialized: list[bytes] = []

    def create_execution_context(self, config: Any = None) -> FakeContext:
        self.contexts.append(FakeContext(self.refuses, config))
        return self.contexts[-1]

    def create_runtime_config(self) -> Any:
        def deserialize(content: bytes) -> bool:
            self.deserialized.append(content)
            return content == b"compiled"

        cache = SimpleNamespace(deserialize=deserialize, serialize=lambda: b"compiled")
        config = SimpleNamespace(create_runtime_cache=lambda: cache)
        config.set_runtime_cache = lambda given: given is cache
        return config


class Stream:
    """A ``torch.cuda.Stream`` that remembers when it was waited for."""

    cuda_stream = 77

    def __init__(self) -> None:
        self.waited = 0

    def synchronize(self) -> None:
        self.waited += 1


MODULE = SimpleNamespace(
    CudaGraphStrategy=Graphs, DynamicShapesKernelSpecializationStrategy=Kernels
)
TENSORRT = Library(PRODUCTS[0], MODULE, "11.1")
RTX = Library(PRODUCTS[1], MODULE, "1.7")
TENSORS = {"y": torch.zeros(2, 1, 5)}


@pytest.fixture(autouse=True)
def no_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = SimpleNamespace(reason=lambda: "the library's own words")
    monkeypatch.setattr(trt_context, "logger", lambda _: reason)


def test_each_library_has_its_context() -> None:
    assert type(open_context(TENSORRT, FakeEngine(), FILE, H200, graph=False)) is PlainContext
    assert type(open_context(RTX, FakeEngine(), FILE, H200, graph=False)) is RtxContext


@pytest.mark.parametrize("library", [TENSORRT, RTX], ids=str)
def test_a_pass_is_enqueued_on_the_stream_with_the_tensors(library: Library) -> None:
    engine, stream = FakeEngine(), Stream()
    context = open_context(library, engine, FILE, H200, graph=False)
    context.take_inputs(TENSORS)
    assert context.shape_of("score") == (2, 5)
    context.take_outputs({"score": torch.zeros(2, 5)})
    context.start(stream)  # type: ignore[arg-type]
    context.enqueue(stream)  # type: ignore[arg-type]
    (made,) = engine.contexts
    assert [call[0] for call in made.log] == [
        "set_input_shape",
        "set_tensor_address",
        "set_tensor_address",
        "execute_async_v3",
        "execute_async_v3",
    ]
    assert made.log[0] == ("set_input_shape", "y", (2, 1, 5))
    assert made.log[1] == ("set_tensor_address", "y", TENSORS["y"].data_ptr())
    assert made.log[-1] == ("execute_async_v3", 77)
    assert stream.waited == 1, "the first pass is over before the clock starts"
    context.close()


@pytest.mark.parametrize("method", ["set_input_shape", "set_tensor_address", "execute_async_v3"])
def test_a_refusal_is_told_in_the_librarys_words(method: str) -> None:
    context = open_context(TENSORRT, FakeEngine(refuses=method), FILE, H200, graph=False)

    def lead() -> None:
        context.take_inputs(TENSORS)
        context.start(Stream())  # type: ignore[arg-type]

    with pytest.raises(RuntimeError, match="the library's own words"):
        lead()


@pytest.mark.parametrize("graph", [False, True])
def test_rtx_captures_graphs_itself_and_compiles_before_the_first_pass(graph: bool) -> None:
    engine = FakeEngine()
    context = open_context(RTX, engine, FILE, H200, graph)
    context.start(Stream())  # type: ignore[arg-type]
    assert context.settings() == {
        "cuda_graph_strategy": "WHOLE_GRAPH_CAPTURE" if graph else "DISABLED",
        "kernel_specialization": "EAGER",
        "runtime_cache": "cold",
    }


def test_rtx_keeps_what_it_compiled_for_the_next_process() -> None:
    first = open_context(RTX, FakeEngine(), FILE, H200, graph=False)
    first.start(Stream())  # type: ignore[arg-type]
    first.close()
    engine = FakeEngine()
    second = open_context(RTX, engine, FILE, H200, graph=False)
    assert engine.deserialized == [b"compiled"]
    assert second.settings()["runtime_cache"] == "warm"
    (entry,) = store.entries()
    assert (entry.kind, entry.files) == ("runtime", (trt_context.CACHE_FILE,))
    other = FakeEngine()
    open_context(RTX, other, FILE, Gpu("NVIDIA L4", "8.9", "580.1", "13.0", 1), graph=False)
    assert other.deserialized == [], "another GPU compiles anew"


def test_a_kept_file_that_no_longer_fits_is_replaced() -> None:
    context = open_context(RTX, FakeEngine(), FILE, H200, graph=False)
    context.start(Stream())  # type: ignore[arg-type]
    (path,) = store.folder().glob(f"runtime/*/{trt_context.CACHE_FILE}")
    path.write_bytes(b"of another driver")
    again = open_context(RTX, FakeEngine(), FILE, H200, graph=False)
    assert again.settings()["runtime_cache"] == "cold"
    again.start(Stream())  # type: ignore[arg-type]
    assert path.read_bytes() == b"compiled"


@pytest.mark.parametrize(
    ("layers", "holds"),
    [
        ({"a": "fp32", "b": "fp32"}, True),
        ({"a": "fp32", "b": "int64"}, True),
        ({"a": "fp32", "b": "untold"}, True),
        ({"a": "fp32", "b": "fp16"}, False),
        ({"a": "bf16"}, False),
        ({"a": "int8", "b": "fp32"}, False),
    ],
)
def test_a_layer_of_another_precision_breaks_the_claim(layers: dict[str, str], holds: bool) -> None:
    (claim,) = precision_claims(ALL_FLOAT, inspected(layers))
    assert claim.holds == holds
    assert claim.found == told(layers)


def inspected(layers: dict[str, str], convolutions: dict[str, str] | None = None) -> str:
    """What TensorRT's inspector says: outputs of layers, and weights of convolutions."""
    spelled = {"fp32": "Float", "fp16": "Half", "bf16": "BFloat16", "int8": "Int8"}
    found = [
        {"Name": name, "LayerType": "kgen", "Outputs": [{"DataType": spelled.get(kind, kind)}]}
        for name, kind in layers.items()
    ] + [
        {
            "Name": name,
            "LayerType": "CaskConvolution",
            "Weights": {"Type": spelled.get(kind, kind)},
            "Outputs": [{"DataType": "Float"}],
        }
        for name, kind in (convolutions or {}).items()
    ]
    return json.dumps({"Layers": found})


@pytest.mark.parametrize(
    ("asked", "layers", "convolutions", "broken"),
    [
        ({"fp16": 6}, {"cast": "fp32", "pad": "fp16"}, {"a": "fp16", "b": "fp16"}, []),
        ({"fp16": 6}, {"cast": "fp32"}, {"a": "fp32"}, ["precision of the convolutions"]),
        ({"fp16": 6}, {"cast": "fp32"}, {"a": "fp16", "b": "fp32"}, [BY_WEIGHTS]),
        ({"fp16": 6}, {"pad": "bf16"}, {"a": "fp16"}, ["layer precisions"]),
        ({"int8": 4, "fp32": 2}, {}, {"a": "int8", "b": "fp32"}, []),
        ({"int8": 4, "fp32": 2}, {}, {"a": "fp32", "b": "fp32"}, [BY_WEIGHTS]),
        ({"fp16": 6}, {"all": "fp16"}, {}, []),
        ({"fp16": 6}, {"all": "fp32"}, {}, [BY_WEIGHTS]),
        ({"fp16": 6}, {"all": "untold"}, {}, [BY_WEIGHTS]),
    ],
)
def test_an_engine_holds_what_its_file_says(
    asked: dict[str, int],
    layers: dict[str, str],
    convolutions: dict[str, str],
    broken: list[str],
) -> None:
    claims = precision_claims(asked, inspected(layers, convolutions))
    assert [claim.what for claim in claims if not claim.holds] == broken


def test_layers_are_counted() -> None:
    assert told({"a": "fp32", "b": "fp16", "c": "fp32"}) == "2 fp32, 1 fp16"
    assert told({}) == "none told"


def test_what_is_missing_here_is_told() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    for name in ("trt", "trt-rtx"):
        reason = backends()[name].missing()
        assert reason is not None and "\n" not in reason


def test_a_missing_library_is_told_before_a_missing_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    reason = backends()["trt-rtx"].missing()
    assert reason is not None and reason.endswith("pip install tensorrt-rtx-cu13")
