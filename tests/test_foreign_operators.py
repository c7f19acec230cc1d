"""Every operation of the table, written to a file and read back: the same function again."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
import pytest
import torch
from numpy.typing import NDArray
from onnx_ir.passes.common import LiftConstantsToInitializersPass
from operator_cases import Shape, cases

from export.evaluate import evaluate
from export.foreign.graph_module import GraphModule
from export.foreign.part import whole
from export.frontend.tracing import trace
from export.verify import snr_db

CASES = cases()
LENGTHS = (8, 13)


def given(shape: Shape, samples: int) -> Mapping[str, NDArray[np.float32]]:
    named = {"batch": 2, "samples": samples, "long": samples + 3}
    sizes = [axis if isinstance(axis, int) else named[axis] for axis in shape]
    return {"x": np.random.default_rng(samples).standard_normal(sizes).astype(np.float32)}


def read_back(model: ir.Model) -> GraphModule:
    LiftConstantsToInitializersPass(lift_all_constants=True)(model)
    return GraphModule(model, whole(model)).float().eval()


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("opset", [11, 18, 26])
@pytest.mark.parametrize("name", CASES)
def test_an_operation_survives_a_file(name: str, opset: int) -> None:
    module, shape, _ = CASES[name]
    with torch.no_grad():
        made = module(torch.from_numpy(given(shape, LENGTHS[0])["x"]))
    count = len(made) if isinstance(made, tuple) else 1
    names = [f"out_{i}" for i in range(count)]
    model = trace(module, {"x": shape}, opset, "g", outputs=names)
    again = trace(read_back(model), {"x": shape}, 37 - opset, "g")
    for samples in LENGTHS:
        inputs = given(shape, samples)
        expected, found = evaluate(model, inputs), evaluate(again, inputs)
        for key, truth in expected.items():
            assert snr_db(truth, found[key]) >= 140, key
