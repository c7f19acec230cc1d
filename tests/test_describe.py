"""What is said of a file: of ours, of another tool's, of a checkpoint, and of garbage."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import golden
from export import artifact, as_text
from export.describe import (
    CheckpointDescription,
    OnnxDescription,
    as_record,
    describe,
    told_calibration,
)
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.to_onnx import to_onnx
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant
from hifigan_ref.version import VERSION


def _count(layers: tuple[golden.Layer, ...]) -> int:
    """Weights and biases."""
    return sum(c.outputs * (c.inputs // c.groups * c.kernel + 1) for c in layers)


CLIP = "the shipped clip's second half"
PERIOD_PARAMETERS = _count(golden.PERIOD_LAYERS)
SCALE_PARAMETERS = _count(golden.SCALE_LAYERS)


@pytest.fixture(scope="module")
def ours(mpd_11: Trained, p11: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    request = ExportRequest(Variant("mpd", "11"), opset=17)
    path = tmp_path_factory.mktemp("ours") / "mpd-11.onnx"
    artifact.save(path, *artifact.seal(artifact.bare(to_onnx(p11, request)), request, mpd_11))
    return path


def _onnx(path: Path) -> OnnxDescription:
    found = describe(path)
    assert isinstance(found, OnnxDescription)
    return found


def _refusal(path: Path) -> str:
    with pytest.raises(HifiError) as caught:
        describe(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (PrecisionPlan("bf16"), CLIP),
        (PrecisionPlan("bf16", {"mpd_2.convs.1": "fp32"}), CLIP),  # which stayed of itself
        (PrecisionPlan("bf16", {"mpd_2.convs.1": "fp32"}, "by hand"), ""),
        (PrecisionPlan("bf16", io="same"), ""),
        (PrecisionPlan("fp32", {"mpd_2.convs.1": "bf16"}), ""),
        (PrecisionPlan("fp16", io="same"), CLIP),
        (PrecisionPlan("fp32", {"mpd_2.convs.1": "int8"}, "by hand"), CLIP),
        (PrecisionPlan(), ""),
    ],
)
def test_audio_is_told_where_it_decided_something(plan: PrecisionPlan, told: str) -> None:
    assert told_calibration(plan) == told


# ------------------------------------------------------------------------------------- our files


def test_a_file_of_ours(ours: Path) -> None:
    found = _onnx(ours)
    assert (found.file, found.intact, found.variant) == ("mpd-11.onnx", True, "mpd-11")
    assert (found.weights, found.opset, found.ir_version) == ("seed 0", {"ai.onnx": 17}, 8)
    assert found.producer == f"hifi-export {VERSION}"
    assert found.inputs == (artifact.Port("y", ("batch", 1, "samples")),)
    assert [port.name for port in found.outputs] == ["score", *(f"fmap_{i}" for i in range(6))]
    assert found.outputs[1].shape == ("batch", 32, "fmap_0_frames", 11)
    assert dict(found.operators) == {
        "Concat": 1, "Conv": 6, "Gather": 1, "LeakyRelu": 5, "Mod": 1, "Neg": 1, "Pad": 1,
        "Reshape": 2, "Shape": 1,
    }  # fmt: skip
    assert found.parameters == PERIOD_PARAMETERS
    length, flops = -(-8192 // 11), 0
    for layer in golden.PERIOD_LAYERS:
        length = (length + 2 * layer.padding - layer.kernel) // layer.stride + 1
        flops += 2 * 11 * length * layer.outputs * layer.inputs * layer.kernel
    assert found.flops_per_element == flops / 8192


def test_a_pair_counts_its_flops_per_element_of_each_wave(
    mpd_11: Trained, p11: nn.Module, ours: Path, tmp_path: Path
) -> None:
    request = ExportRequest(
        Variant("mpd", "11"), sizes={"batch": 3, "samples": 8192}, views=("pair",)
    )
    path = tmp_path / "pair.onnx"
    artifact.save(path, *artifact.seal(artifact.bare(to_onnx(p11, request)), request, mpd_11))
    found = _onnx(path)
    assert [port.name for port in found.inputs] == ["y", "y_hat"]
    assert found.flops_per_element == _onnx(ours).flops_per_element


def test_a_changed_file_is_described_as_changed(ours: Path, tmp_path: Path) -> None:
    proto = onnx.load(ours)
    weights = next(t for t in proto.graph.initializer if t.name == "convs.2.weight")
    array = onnx.numpy_helper.to_array(weights).copy()
    array[0, 0, 0, 0] += 1
    weights.raw_data = array.tobytes()
    path = tmp_path / "mpd-11.onnx"
    path.write_bytes(proto.SerializeToString())
    found = _onnx(path)
    assert found.intact is False
    assert dataclasses.replace(found, intact=True) == _onnx(ours)


def test_one_changed_bit_is_seen(ours: Path, tmp_path: Path) -> None:
    content = bytearray(ours.read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "mpd-11.onnx"
    path.write_bytes(content)
    assert _onnx(path).intact is False


def test_a_damaged_manifest_is_refused(ours: Path, tmp_path: Path) -> None:
    proto = onnx.load(ours)
    proto.metadata_props[0].value = "{}"
    path = tmp_path / "mpd-11.onnx"
    path.write_bytes(proto.SerializeToString())
    assert "damaged or of another version" in _refusal(path)


# ----------------------------------------------------------------------------------- other files


def _foreign(dtype: int = onnx.TensorProto.FLOAT) -> onnx.ModelProto:
    helper = onnx.helper
    values = {name: helper.make_tensor_value_info(name, dtype, ["n", 3]) for name in ("x", "z")}
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    weight = onnx.numpy_helper.from_array(np.ones((3, 3), kind), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Gelu", ["m"], ["g"], domain="com.microsoft"),
        helper.make_node("MatMul", ["g", "w"], ["z"]),
    ]
    graph = helper.make_graph(nodes, "g", [values["x"]], [values["z"]], [weight])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, producer_name="other", ir_version=10)


def test_a_file_of_another_tool(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    onnx.save(_foreign(), path)
    assert _onnx(path) == OnnxDescription(
        file="other.onnx",
        intact=None,
        variant="",
        weights="",
        opset={"ai.onnx": 21, "com.microsoft": 1},
        ir_version=10,
        producer="other",
        inputs=(artifact.Port("x", ("n", 3)),),
        outputs=(artifact.Port("z", ("n", 3)),),
        operators={"Gelu": 1, "MatMul": 2},
        parameters=9,
        flops_per_element=None,
        precision="",
        budget_db=None,
        calibration="",
        convolutions={},
    )


@pytest.mark.parametrize("dtype", [onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16])
def test_parameters_of_any_floating_point_type_are_counted(tmp_path: Path, dtype: int) -> None:
    path = tmp_path / "other.onnx"
    onnx.save(_foreign(dtype), path)
    assert _onnx(path).parameters == 9


@pytest.mark.parametrize("content", [b"", b"\n", b"not an ONNX file", b"\xff" * 50, b"PK\x03\x04"])
@pytest.mark.parametrize("name", ["x.onnx", "do_00000001", "x.pth"])
def test_garbage_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    _refusal(path)


def test_a_truncated_file_is_refused(ours: Path, tmp_path: Path) -> None:
    content = ours.read_bytes()
    path = tmp_path / "mpd-11.onnx"
    lengths = [1, 5, 50, 4096, len(content) // 2, *range(len(content) - 3000, len(content), 71)]
    for length in lengths:
        path.write_bytes(content[:length])
        _refusal(path)


def test_a_file_without_its_metadata_is_described(ours: Path, tmp_path: Path) -> None:
    """As simplifiers leave it: the graph is whole, and nothing vouches for it."""
    proto = onnx.load(ours)
    del proto.metadata_props[:]
    path = tmp_path / "simple.onnx"
    onnx.save(proto, path)
    found, whole = _onnx(path), _onnx(ours)
    assert (found.intact, found.variant, found.precision) == (None, "", "")
    same = {each: getattr(whole, each) for each in ("inputs", "outputs", "operators", "parameters")}
    assert {each: getattr(found, each) for each in same} == same
    assert as_text.lines(found)[0] == "file: simple.onnx, has no manifest"
    with pytest.raises(HifiError, match="has no manifest: give a file that hifi-export wrote"):
        artifact.load(path)


def _ends(content: bytes) -> list[int]:
    """Where the entries of a file end, by the format of protobuf; cut there, it still parses."""
    ends, at = [], 0
    while at < len(content):
        tag, at = _varint(content, at)
        length, at = _varint(content, at)  # or the value itself
        at += length if tag & 7 == 2 else 0
        ends.append(at)
    return ends


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = content[at], at + 1
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, at


def test_a_file_cut_between_two_entries_is_refused(ours: Path, tmp_path: Path) -> None:
    content = ours.read_bytes()
    ends = _ends(content)
    assert ends[-1] == len(content) and len(ends) >= 7
    *inside, metadata, manifest, _ = ends
    path = tmp_path / "cut.onnx"
    for length in inside:
        path.write_bytes(content[:length])
        assert "truncated" in _refusal(path) or "no ONNX graph" in _refusal(path)
    path.write_bytes(content[:metadata])  # the graph is whole, and all that is missing is metadata
    assert _onnx(path).intact is None
    path.write_bytes(content[:manifest])
    assert _onnx(path).intact is False
    for length in ends[:-1]:
        path.write_bytes(content[:length])
        with pytest.raises(HifiError):
            artifact.load(path)


def test_a_file_that_lacks_one_of_its_opsets_is_cut(ours: Path, tmp_path: Path) -> None:
    proto = onnx.load(ours)
    del proto.metadata_props[:]
    node = proto.graph.node.add(op_type="Gelu", domain="com.microsoft")
    node.input.append("score")
    node.output.append("more")
    path = tmp_path / "cut.onnx"
    onnx.save(proto, path)
    assert "is truncated: export it again" in _refusal(path)
    proto.opset_import.add(domain="com.microsoft", version=1)
    onnx.save(proto, path)
    assert _onnx(path).intact is None


@pytest.mark.parametrize("name", ["none.onnx", "do_00000001"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    _refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["folder.onnx", "folder"])
def test_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    _refusal(tmp_path / name)


def test_the_content_decides_where_the_ending_says_nothing(ours: Path, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(ours.read_bytes())
    assert _onnx(path).variant == "mpd-11"


# ----------------------------------------------------------------------------------- checkpoints


def _old_keys(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """As jik876/hifi-gan writes them."""
    old = {
        "parametrizations.weight.original0": "weight_g",
        "parametrizations.weight.original1": "weight_v",
        "parametrizations.weight.original": "weight_orig",
        "parametrizations.weight.0._u": "weight_u",
        "parametrizations.weight.0._v": "weight_v",
    }
    renamed = {}
    for key, tensor in state.items():
        new = next((key.removesuffix(k) + v for k, v in old.items() if key.endswith(k)), key)
        renamed[prefix + new] = tensor
    return renamed


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("container", ["zip", "legacy"])
def test_a_checkpoint(msd: Trained, tmp_path: Path, prefix: str, container: str) -> None:
    path = tmp_path / "do_02500000"
    content = {"msd": _old_keys(msd.module.state_dict(), prefix), "steps": 2_500_000, "epoch": 3000}
    torch.save(content, path, _use_new_zipfile_serialization=container == "zip")
    found = describe(path)
    assert isinstance(found, CheckpointDescription)
    assert (found.file, found.layout, found.container) == ("do_02500000", "jik876", container)
    assert (found.prefixed, found.steps) == (bool(prefix), 2_500_000)
    assert [member.name for member in found.members] == ["msd-0", "msd-1", "msd-2"]
    assert [dict(member.norms) for member in found.members] == [
        {"spectral_norm": 8},
        {"weight_norm": 8},
        {"weight_norm": 8},
    ]
    for member in found.members:  # a norm's g is a parameter, its u and v are not
        normed = "weight_norm" in member.norms
        gains = sum(layer.outputs for layer in golden.SCALE_LAYERS) if normed else 0
        assert member.parameters == SCALE_PARAMETERS + gains


@pytest.mark.parametrize(
    ("mpd", "msd", "told"),
    [
        ("", "", "keys without module."),
        ("module.", "module.", "keys with module."),
        ("module.", "", "keys: mpd with module., msd without module."),
        ("", "_orig_mod.", "keys: mpd without module., msd with _orig_mod."),
        ("module._orig_mod.", "module._orig_mod.", "keys with module._orig_mod."),
    ],
)
def test_the_wrappers_of_each_family_are_told(mpd: str, msd: str, told: str) -> None:
    prefixes = {"mpd": mpd, "msd": msd}
    found = CheckpointDescription("do_1", "jik876", "zip", bool(mpd), prefixes, 7, (), ("a", "b"))
    lines = as_text.lines(found)
    assert lines[0] == f"file: do_1, zip container, {told}"
    assert lines[-2:] == ["note: a", "note: b"]
    record = as_record(found)
    assert record["prefixes"] == prefixes and record["notes"] == ("a", "b")


def test_what_is_beside_the_weights_of_a_checkpoint_is_told(msd: Trained, tmp_path: Path) -> None:
    path = tmp_path / "do_1"
    state = msd.module.state_dict()
    torch.save({"msd": state, "msd_ema": {"x": torch.ones(3)}}, path)
    found = describe(path)
    assert isinstance(found, CheckpointDescription)
    assert found.prefixes == {"msd": ""}
    assert found.notes and found.notes[0].startswith("msd_ema: averaged weights")


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g_02500000"
    torch.save({"generator": {"conv.weight": torch.zeros(1)}}, path)
    assert "generator" in _refusal(path)


# ---------------------------------------------------------------------------------------- texts


def test_lines_for_a_terminal(ours: Path, tmp_path: Path) -> None:
    lines = as_text.lines(_onnx(ours))
    assert lines[0] == "file: mpd-11.onnx, fits its manifest"
    assert "network: mpd-11" in lines
    assert "opset: ai.onnx 17 (file format 8)" in lines
    assert f"parameters: {PERIOD_PARAMETERS:,}" in lines
    assert "input: y (batch, 1, samples)" in lines
    assert lines[-1] == "output: fmap_5 (batch, 1, fmap_5_frames, 11)"
    path = tmp_path / "other.onnx"
    onnx.save(_foreign(), path)
    lines = as_text.lines(_onnx(path))
    assert lines[0] == "file: other.onnx, has no manifest"
    assert "network: -" in lines and "FLOPs per element of the inputs: -" in lines
    changed = dataclasses.replace(_onnx(ours), intact=False)
    assert as_text.lines(changed)[0] == "file: mpd-11.onnx, DOES NOT FIT its manifest"


def test_a_graph_that_cannot_be_read_is_an_error_in_one_line(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["y"], ["x"])
    graph = onnx.helper.make_graph([node], "g", [value], [value])
    graph.initializer.add(name="w", data_type=999, dims=[1])
    path = tmp_path / "odd.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with pytest.raises(HifiError, match="holds no valid ONNX graph") as caught:
        describe(path)
    assert "\n" not in str(caught.value)
