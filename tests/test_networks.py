"""The contract of every network that is declared, whoever adds one: it does what it says."""

import copy
from functools import cache
from math import prod

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
from torch import nn

from export.fold import fold
from export.interface import function_of
from export.request import ExportRequest
from export.to_onnx import to_onnx
from hifigan_ref.audio import speech
from hifigan_ref.examples import example
from hifigan_ref.layout import layouts
from hifigan_ref.network import BATCH, Port, Sizes, length_of, together
from hifigan_ref.trained import convolutions
from hifigan_ref.variant import Variant, all_variants, networks

NAMES = list(networks())
VARIANTS = all_variants(NAMES)
LONG = 6 * 3**4
SHORT_S = 0.035  # of audio


@cache
def module(variant: Variant) -> nn.Module:
    """With weights as the classes draw them: what counts here is shape and order."""
    torch.manual_seed(0)
    return variant.network.build(variant.members()).eval()


def outputs(variant: Variant, sizes: Sizes) -> dict[str, torch.Tensor]:
    inputs = example(variant.signature.inputs, sizes, speech())
    given = {name: torch.from_numpy(array) for name, array in inputs.items()}
    with torch.inference_mode():
        found: dict[str, torch.Tensor] = function_of(module(variant), variant)(**given)
    return found


def brief(variant: Variant, seconds: float = SHORT_S) -> Sizes:
    """One item, at most so long."""
    axes = variant.signature.axes.items()
    most = {name: int(seconds / axis.unit_s) for name, axis in axes if axis.unit_s is not None}
    typical = variant.signature.typical
    return {n: max(axis.smallest, min(typical[n], most.get(n, 1))) for n, axis in axes}


def fits(port: Port, shape: tuple[int, ...], sizes: Sizes) -> bool:
    wanted = [length_of(each, sizes) for each in port.shape]
    return len(wanted) == len(shape) and all(
        each in (None, there) for each, there in zip(wanted, shape, strict=True)
    )


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_outputs_are_those_of_the_signature(variant: Variant) -> None:
    signature = variant.signature
    for sizes in ({**brief(variant), BATCH: 2}, {**signature.smallest, BATCH: 2}):
        found = outputs(variant, sizes)
        assert list(found) == [port.name for port in signature.outputs]
        for port in signature.outputs:
            assert fits(port, tuple(found[port.name].shape), sizes), port


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_no_shorter_length_is_legal(variant: Variant) -> None:
    smallest = {**variant.signature.smallest, BATCH: 1}
    for name, length in smallest.items():
        if length > 1:
            with pytest.raises((RuntimeError, ValueError)):
                outputs(variant, {**smallest, name: length - 1})


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_it_takes_the_memory_that_it_says(variant: Variant) -> None:
    layers = convolutions(module(variant)).values()
    biases = [each.bias.numel() for each in layers if each.bias is not None]
    held = sum(each.weight.numel() for each in layers) + sum(biases)
    assert variant.footprint.parameters == pytest.approx(held, rel=0.01)
    each = sum(part.footprint.floats for part in variant.apart())
    assert variant.footprint.floats == pytest.approx(each)
    if not variant.network.parts:
        sizes = brief(variant)
        taken = sum(prod(port.sized(sizes)) for port in variant.signature.inputs)
        given = sum(tensor.numel() for tensor in outputs(variant, sizes).values())
        assert variant.footprint.floats * taken > 0.9 * given
    if variant.member is None:
        return
    samples = LONG * max(variant.folds or (16,))  # of which every stride leaves a whole number
    maps = {p.name for p in variant.signature.outputs if p.role == "feature_map"}
    made = outputs(variant, {BATCH: 1, "samples": samples})
    floats = sum(made[name].numel() for name in maps)
    assert variant.footprint.floats * samples == pytest.approx(floats, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_each_layer_lies_in_one_part(name: str) -> None:
    variant = Variant(name)
    places = variant.network.scopes(variant.members()) or {"": ""}
    if not variant.network.parts:
        assert places == {"": ""}
        return
    assert list(places) == list(variant.network.parts)
    for path in convolutions(module(variant)):
        assert sum(path.startswith(f"{place}.") for place in places.values()) == 1, path


@pytest.mark.parametrize("name", NAMES)
def test_a_part_alone_computes_what_it_does_in_the_whole(name: str) -> None:
    whole = Variant(name)
    sizes = brief(whole)
    expected = outputs(whole, sizes)
    state = module(whole).state_dict()
    for part in whole.apart():
        alone = copy.deepcopy(module(part))
        own = {key: state[part.in_family(key)] for key in alone.state_dict()}
        alone.load_state_dict(own)
        inputs = example(part.signature.inputs, sizes, speech())
        given = {key: torch.from_numpy(array) for key, array in inputs.items()}
        with torch.inference_mode():
            found = function_of(alone, part)(**given)
        named = [port.name for port in whole.signature.outputs if port.member == part.member]
        for there, (_, tensor) in zip(named, found.items(), strict=True):
            assert torch.equal(expected[there], tensor), there


@pytest.mark.parametrize("opset", [11, 17, 26])
@pytest.mark.parametrize("name", NAMES)
def test_its_graph_computes_the_same_at_every_remainder(name: str, opset: int) -> None:
    whole = Variant(name)
    variant = whole.apart()[-1] if opset == 17 else whole
    folded = copy.deepcopy(module(variant))
    fold(folded)
    content = to_onnx(folded, ExportRequest(variant, opset))
    session = ort.InferenceSession(serialized(content), providers=["CPUExecutionProvider"])
    near = brief(variant, SHORT_S / 2)
    axes = {name: axis for name, axis in variant.signature.axes.items() if name != BATCH}
    lengths = {n: (axis.smallest, *axis.every_remainder(near[n])) for n, axis in axes.items()}
    for lengths_of in together(lengths):
        sizes = {BATCH: 1, **lengths_of}
        inputs = example(variant.signature.inputs, sizes, speech().loudest_first())
        found = session.run(None, inputs)
        given = {key: torch.from_numpy(array) for key, array in inputs.items()}
        with torch.inference_mode():
            made = function_of(folded, variant)(**given)
        assert [each.name for each in session.get_outputs()] == list(made)
        for array, tensor in zip(found, made.values(), strict=True):
            error = np.square(array - tensor.numpy()).sum()
            assert error <= 1e-9 * max(np.square(tensor.numpy()).sum(), 1e-9 * prod(array.shape))


def serialized(model: ir.Model) -> bytes:

    content: bytes = ir.to_proto(model).SerializeToString()
    return content


def test_layouts_name_networks_that_there_are() -> None:
    named = {name for layout in layouts() for name in layout.keys}
    assert named <= set(NAMES)
    assert len({layout.name for layout in layouts()}) == len(layouts())
