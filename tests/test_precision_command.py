"""``--precision`` and its kin as a user types them: what they make, and what they refuse."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile

import cli
from export.choice import Choice, Wish, choose
from export.precision.plan import PrecisionPlan, write_plan
from fakes import Ran, run_main
from hifigan_ref.errors import HifiError

export = partial(run_main, cli.export_main)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noise(name: str, samples: int = 50_000) -> None:
    wave = 0.1 * np.random.default_rng(0).standard_normal(samples)
    soundfile.write(name, wave, 22050, subtype="FLOAT")


def wish(**changes: object) -> Wish:
    given: dict[str, object] = {
        "lowering": "none", "precision": "int8", "io_types": "float32", "calibration": (),
        "backend": None,
    }  # fmt: skip
    return Wish(**(given | changes))  # type: ignore[arg-type]


def test_the_line_tells_precision_error_and_budget() -> None:
    ran = export("onnx", "--period", 2, "--precision", "fp16")
    assert (ran.code, ran.err) == (0, "")
    assert "; fp16; 6 norms folded" in ran.out
    kept = "budget 50 dB, kept on the calibration speech at -36 to -11 dBFS;"
    assert f" dB from PyTorch in float64; {kept}" in ran.out
    assert "; verified in onnxruntime " in ran.out and " from 8192 samples up" in ran.out
    plain = export("onnx", "--period", 2, "--for", "trt").out
    assert " dB from PyTorch; verified in onnxruntime " in plain
    assert plain.endswith(" from 2 samples up; trt was not asked: it needs a GPU\n")


def test_inputs_and_outputs_may_have_the_same_type(folder: Path) -> None:
    given = ("--precision", "bf16", "--opset", 22, "--io-types", "same")
    assert export("onnx", "--period", 2, *given).code == 0
    graph = onnx.load(folder / "artifacts/mpd-2.onnx").graph
    kinds = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    assert kinds == {onnx.TensorProto.BFLOAT16}


def test_int8_by_one_s_own_audio_and_inspected(folder: Path) -> None:
    noise("mine.wav")
    given = ("--precision", "int8", "--calibration", "mine.wav", "--min-snr", 5)
    ran = export("onnx", "--period", 11, *given, "--json")
    assert (ran.code, ran.err) == (0, "")
    manifest = json.loads(ran.out)
    assert manifest["precision"]["calibration"]["files"] == ["mine.wav"]
    assert (manifest["precision"]["activations"], manifest["budget_db"]) == ("int8", 5)
    told = export("inspect", folder / "artifacts/mpd-11.onnx").out
    assert "precision: int8, budget 5 dB, kept on the calibration speech at " in told
    assert "dBFS, calibration: mine.wav" in told
    assert "layers in int8: convs.1" in told and "layers in fp32: convs.0" in told
    assert "FLOPs per element of the inputs: 240,594" in told
    found = json.loads(export("inspect", folder / "artifacts/mpd-11.onnx", "--json").out)
    assert 8_218_433 <= found["parameters"] < 8_230_000, "int8 weights are counted, scales are not"


def test_a_plan_of_other_networks_leaves_a_file_in_float32(folder: Path) -> None:
    plan = PrecisionPlan("fp32", {"mpd_11.convs.4": "int8"}, "by hand")
    Path("plan.json").write_text(write_plan(plan))
    ran = export("onnx", "--period", 2, "--precision", "plan.json", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["precision"]["layers"] == {}
    told = export("inspect", folder / "artifacts/mpd-2.onnx").out
    assert "mixed" not in told and "int8" not in told


def test_a_file_tells_the_layers_of_its_own_network() -> None:
    layers = {"mpd_11.convs.4": "fp32", "msd_0.convs.1": "bf16"}
    Path("plan.json").write_text(write_plan(PrecisionPlan("fp16", layers, "by hand")))  # type: ignore[arg-type]
    ran = export("onnx", "--period", 11, "--precision", "plan.json", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["precision"]["layers"] == {"mpd_11.convs.4": "fp32"}


def test_a_layer_that_a_plan_names_is_what_it_says(folder: Path) -> None:
    named = {"mpd_11.convs.1": "int8", "mpd_11.convs.2": "int8"}
    Path("plan.json").write_text(write_plan(PrecisionPlan("int8", named, "by hand")))  # type: ignore[arg-type]
    ran = export("onnx", "--period", 11, "--precision", "plan.json", "--min-snr", 15)
    assert (ran.code, ran.err) == (0, "")
    told = export("inspect", folder / "artifacts/mpd-11.onnx").out
    assert "layers in int8: convs.1, convs.2" in told, told


def test_a_plan_names_layers(folder: Path) -> None:
    plan = PrecisionPlan("fp32", {"mpd_11.convs.4": "fp16"}, "by hand")
    Path("plan.json").write_text(write_plan(plan))
    ran = export("onnx", "--period", 11, "--precision", "plan.json")
    assert (ran.code, ran.err) == (0, "") and "; mixed; " in ran.out
    told = export("inspect", folder / "artifacts/mpd-11.onnx").out
    assert "precision: mixed, budget 50 dB" in told and "layers in fp16: convs.4" in told


def test_an_engine_and_what_it_tells(folder: Path) -> None:
    ran = export("trt", "--period", 2, "--precision", "fp16", "--max-samples", 8192)
    assert (ran.code, ran.err) == (0, "") and "; fp16; " in ran.out
    path = folder / "artifacts/mpd-2.engine"
    told = export("inspect", path).out
    assert "file: mpd-2.engine, fits its manifest" in told
    assert "precision: fp16, budget 50 dB" in told and "built again by: hifi-export trt" in told
    record = json.loads(export("inspect", path, "--json").out)
    assert record == json.loads((folder / "artifacts/mpd-2.engine.json").read_text())
    path.write_bytes(path.read_bytes()[:-1])
    assert "is not the file that its manifest tells of" in export("inspect", path).err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--precision", "none.json"), "cannot read the precision plan none.json"),
        (("--precision", "bf16"), "opset 18 has no bf16 for these layers: choose 22 or more"),
        (
            ("--precision", "int8", "--opset", 12),
            "opset 12 has no int8 for these layers: choose 13",
        ),
        (("--io-types", "same"), "io types same as fp32: only a graph of fp16 or bf16 alone"),
        (("--precision", "int8", "--io-types", "same"), "io types same as int8"),
        (("--calibration", "a.wav"), "--calibration with --precision fp32: no audio decides"),
        (("--precision", "fp32", "--calibration", "a.wav"), "--calibration with --precision fp32"),
        (
            ("--precision", "bf16", "--io-types", "same", "--calibration", "a.wav"),
            "--calibration with --precision bf16 --io-types same: no audio decides",
        ),
        (("--precision", "int8", "--calibration", "a.wav"), "cannot read calibration audio a.wav"),
        (("--min-snr", 2), "a least SNR of 2 dB: choose 3 or more"),
        (("--min-snr", "nan"), "a least SNR of nan dB"),
        (("--precision", "fp16", "--min-snr", 99), "99 dB leaves every layer in float32"),
        (("--precision", "int8", "--min-snr", 70), "70 dB leaves every layer in float32"),
    ],
    ids=str,
)
@pytest.mark.parametrize("command", ["onnx", "trt"])
def test_bad_input_is_one_line_and_leaves_no_file(
    folder: Path, command: str, arguments: tuple[object, ...], told: str
) -> None:
    ran: Ran = export(command, "--period", 2, "--outputs", "scores", *arguments)
    assert ran.code == 1 and ran.out == ""
    assert ran.err.startswith("error: ") and ran.err.count("\n") == 1
    assert told in ran.err
    assert not list(folder.rglob("*.onnx"))


def test_an_engine_of_a_search_is_refused_with_what_to_do_first() -> None:
    ran = export("trt", "--period", 2, "--precision", "mixed")
    assert ran.code == 1 and ran.out == "" and ran.err.count("\n") == 1
    assert "search with hifi-export onnx --precision mixed --for BACKEND --min-snr DB" in ran.err
    assert "then give its precision.json" in ran.err
    assert "|mixed|" not in export("trt", "--help").out
    assert "|mixed|" in export("onnx", "--help").out


def test_audio_for_a_plan_that_leaves_nothing_to_decide_is_refused() -> None:
    Path("plan.json").write_text(write_plan(PrecisionPlan("bf16", {"mpd_2.convs.1": "fp32"})))
    with pytest.raises(HifiError, match="--calibration with --precision plan.json: no audio dec"):
        choose(wish(precision="plan.json", calibration=(Path("a.wav"),)))


@pytest.mark.parametrize(
    "given",
    [
        ("--precision", "fp16"),
        ("--min-snr", 50),
        ("--io-types", "same"),
        ("--calibration", "a.wav"),
    ],
)
def test_a_file_has_its_precision(given: tuple[object, ...]) -> None:
    ran = export("trt", "nothing.onnx", *given)
    assert ran.code == 1 and f"nothing.onnx and {given[0]}: give one of the two" in ran.err


def test_io_types_are_one_of_two() -> None:
    assert export("onnx", "--io-types", "half").code == 2


# ------------------------------------------------------------------------------------------ --for


@pytest.mark.parametrize("backend", ["trt", "trt-rtx", "ort-trt", None])
def test_int8_is_symmetric_where_nothing_else_is_known_to_run(backend: str | None) -> None:
    assert choose(wish(backend=backend)) == Choice(choose(wish()).lowering, PrecisionPlan("int8"))


@pytest.mark.parametrize("backend", ["ort-cpu", "openvino"])
def test_what_runs_on_a_cpu_is_given_a_zero_point(backend: str) -> None:
    assert choose(wish(backend=backend)).precision == PrecisionPlan("int8", activations="uint8")


def test_a_default_has_both_its_forms_and_its_integers() -> None:
    both = choose(wish(backend="openvino", lowering="default"))
    assert both.lowering.layers and both.precision.activations == "uint8"
    fp16 = choose(wish(backend="openvino", lowering="default", precision="fp16"))
    assert fp16.precision == PrecisionPlan("fp16")


def test_a_plan_with_one_int8_layer_has_activations_to_choose() -> None:
    plan = PrecisionPlan("fp32", {"mpd_2.convs.1": "int8"})
    Path("plan.json").write_text(write_plan(plan))
    found = choose(wish(precision="plan.json", backend="openvino"))
    assert found.precision.activations == "uint8"


def test_a_backend_that_decides_nothing_is_one_to_verify_in() -> None:
    for precision in ("fp32", "fp16", "bf16"):
        found = choose(wish(precision=precision, backend="openvino"))
        assert found == choose(wish(precision=precision))
    with pytest.raises(HifiError, match="--for cuda: .*choose from ort-cpu, openvino"):
        choose(wish(backend="cuda"))
    with pytest.raises(HifiError, match="--lowering default of which backend"):
        choose(wish(lowering="default"))
