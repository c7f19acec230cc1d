"""A layer written as a matrix product is a layer still: its type, its work and what it refuses."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import openvino
import pytest
from numpy.typing import NDArray

from bench.backends.openvino_proof import convolutions
from bench.backends.ort_placement import remember, seen
from export.builder import Builder, shape_of
from export.engine.library import find_library
from export.engine.log import logger
from export.engine.precision import check_precision
from export.layers import shaped_layers
from export.lowering.convolution import Convolution, write
from export.lowering.lower import lower
from export.lowering.rule import rules
from export.precision.budget import GraphPrecision
from export.precision.emulate import emulate
from export.precision.held import held
from export.precision.layers import in_nodes
from export.precision.material import suiting
from export.precision.narrow import narrow
from export.precision.quantize import quantize
from export.precision.ranges import Range
from export.verify import snr_db
from hifigan_ref.errors import HifiError

LAYERS = ("one", "two")
NODES = ("one.matmul-4", "two.matmul-2")
FORMS = {"one": ("matmul-4",), "two": ("matmul-2",)}
X = np.random.default_rng(1).standard_normal((2, 8, 40)).astype(np.float32)


def two_layers(shape: Sequence[int | str]) -> ir.Model:
    """Grouped convolutions with an activation behind each."""
    builder = Builder()
    value = x = ir.val("x", ir.DataType.FLOAT, shape)
    for name in LAYERS:
        weight = np.random.default_rng(0).standard_normal((8, 4, 5)) / np.sqrt(20)
        conv = Convolution(name, weight, np.ones(8), (1,), (1,), (2,), (2,), 2)
        value = write(builder, conv, value)
        value = builder.op(f"{name}_act", "LeakyRelu", [value], shape_of(value), {"alpha": 0.1})
    graph = ir.Graph(
        [x],
        [value],
        nodes=builder.nodes,
        initializers=builder.initializers,
        opset_imports={"": 18},
        name="two layers",
    )
    return ir.Model(graph, ir_version=10)


@pytest.fixture(scope="module")
def plain() -> ir.Model:
    return two_layers(("batch", 8, "samples"))


@pytest.fixture(scope="module")
def products(plain: ir.Model) -> ir.Model:
    return lower(plain, FORMS)


def run(model: ir.Model) -> NDArray[np.float32]:
    content = ir.to_proto(model).SerializeToString()
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(None, {"x": X})[0]
    return found


def test_numbers_pass_from_one_to_the_next_as_they_are(plain: ir.Model, products: ir.Model) -> None:
    kinds = [node.op_type for node in products.graph]
    assert kinds.count("MatMul") == 2 and "Conv" not in kinds
    assert kinds.count("Transpose") == 2, "into rows once, and out of them once"
    assert snr_db(run(plain), run(products)) > 110


def test_it_holds_the_type_of_its_layer(plain: ir.Model, products: ir.Model) -> None:
    nodes = in_nodes(products, {"one": "fp16", "two": "fp32"})
    assert nodes == {"one.matmul-4": "fp16", "two.matmul-2": "fp32"}
    model = narrow(products, nodes)
    assert held(model) == nodes
    ratio = snr_db(run(plain), run(emulate(model)))
    assert 50 < ratio < 90, "one layer is rounded"


def test_its_work_is_counted() -> None:
    model = two_layers(X.shape)
    alone = [layer for layer in shaped_layers(model) if layer.flops]
    found = [layer for layer in shaped_layers(lower(model, FORMS)) if layer.flops]
    # five taps: four outputs see two rows of four, two outputs three rows of two
    assert [layer.flops for layer in found] == [
        alone[0].flops * 8 // 5,
        alone[1].flops * 6 // 5,
    ]
    assert [layer.kind for layer in found] == ["MatMul + Add", "MatMul + Add"]


def test_int8_has_none(products: ir.Model) -> None:
    with pytest.raises(HifiError, match=r"layer one\.matmul-4 is written as a matrix product"):
        quantize(products, ["one.matmul-4"], {"x": Range(-4, 4, "int8")}, "int8")


def test_a_trace_shows_their_type(products: ir.Model) -> None:
    options = ort.SessionOptions()
    remember(options, ort.InferenceSession, types=True)
    content = ir.to_proto(products).SerializeToString()
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    session.run(None, {"x": X})
    assert seen(session, types=True).convolutions == {"fp32": 2}


def test_a_plan_leaves_them_out_where_a_layer_is_int8() -> None:
    forms = suiting({"one": ("merge-2", "matmul-4"), "two": ("fir-2-2",)})
    assert forms["fp32"] == {"one": ("merge-2", "matmul-4"), "two": ("fir-2-2",)}
    assert forms["fp16"] == forms["bf16"] == {"one": ("merge-2", "matmul-4"), "two": ()}
    assert forms["int8"] == {"one": ("merge-2",), "two": ()}


def test_a_matrix_that_would_fill_a_file_is_refused() -> None:
    weight = np.broadcast_to(0.0, (4096, 512, 5))
    conv = Convolution("c", weight, None, (1,), (1,), (2,), (2,), 2)
    assert rules()["matmul-2"].refuses(conv, (1, 1024, 64)) is None
    reason = rules()["matmul-8"].refuses(conv, (1, 1024, 64))
    assert reason == "its matrix would have 268435456 values, more than 33554432"


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_tensorrt_reads_their_type(products: ir.Model, precision: GraphPrecision) -> None:
    library = find_library("rtx")
    trt, log = library.module, logger(library)
    contents = {
        each: ir.to_proto(narrow(products, dict.fromkeys(NODES, each))).SerializeToString()
        for each in ("fp32", "fp16")
    }
    network = trt.Builder(log).create_network(0)
    parser = trt.OnnxParser(network, log)
    assert parser.parse(contents[precision])
    check_precision(contents.pop(precision), network, library)
    (other,) = contents.values()
    with pytest.raises(HifiError, match=r"another precision than the graph has: one\.matmul-4 in"):
        check_precision(other, network, library)


def test_openvino_tells_of_them() -> None:
    content = ir.to_proto(lower(two_layers(X.shape), FORMS)).SerializeToString()
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(content), "CPU")
    assert len(convolutions(compiled)) == 2
