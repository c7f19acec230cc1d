"""What a backend as typed means, and every backend in every precision."""

from pathlib import Path

import pytest

from bench.backend import backends
from bench.choice import choose, has_lowering, in_precisions, told_precision
from bench.precisions import precisions_of
from export import choice as export_choice
from export.choice import Wish
from export.precision.plan import FP32, PrecisionPlan, write_plan
from export.targets import TARGETS
from hifigan_ref.errors import HifiError, UsageError
from hifigan_ref.variant import Variant

MPD_11 = Variant("mpd", "11")


@pytest.mark.parametrize(
    ("spec", "precision", "runtime", "written", "budget"),
    [
        ("openvino", "fp32", "fp32", "fp32", 100.0),
        ("openvino:precision=bf16", "bf16", "bf16", "fp32", 38.0),
        ("openvino:precision=int8", "int8", "fp32", "int8", 20.0),
        ("trt:precision=tf32", "tf32", "tf32", "fp32", 55.0),
        ("trt:precision=fp16", "fp16", "fp32", "fp16", 50.0),
        ("torch:precision=fp16", "fp16", "fp16", "fp32", 50.0),
        ("ort-cuda:prefer_nhwc=on,precision=fp16", "fp16", "fp32", "fp16", 50.0),
    ],
)
def test_a_precision_is_set_on_the_runtime_or_written_into_the_file(
    spec: str, precision: str, runtime: str, written: str, budget: float
) -> None:
    choice = choose(spec)
    split = choice.split(())
    assert (choice.precision(MPD_11), split.runtime, split.file.base) == (
        precision,
        runtime,
        written,
    )
    assert choice.budget_db(MPD_11) == budget


def test_the_opset_is_raised_where_the_file_needs_it() -> None:
    assert choose("trt:precision=bf16").split(()).opset(18) == 22
    assert choose("trt:precision=fp16").split(()).opset(18) == 18
    assert choose("openvino:precision=bf16").split(()).opset(18) == 18, "not written"


def test_each_runtime_has_the_integers_that_it_takes() -> None:
    found = {
        name: choose(f"{name}:precision=int8").split(()).file.activations
        for name in ("openvino", "ort-cpu", "trt", "trt-rtx", "ort-trt")
    }
    assert found == {
        "openvino": "uint8",
        "ort-cpu": "uint8",
        "trt": "int8",
        "trt-rtx": "int8",
        "ort-trt": "int8",
    }


@pytest.mark.parametrize("name", [name for name in TARGETS if TARGETS[name].activations])
def test_what_is_measured_is_what_is_exported_for_a_runtime(name: str) -> None:
    exported = export_choice.choose(Wish("none", "int8", "float32", (), name)).precision
    assert exported == choose(f"{name}:precision=int8").split(()).file


@pytest.mark.parametrize("name", backends())
def test_a_runtime_that_reads_a_precision_from_a_file_is_one_to_export_for(name: str) -> None:
    written = precisions_of(backends()[name]).written
    assert bool(written) == (name in TARGETS)
    assert ("int8" in written) == (name in TARGETS and TARGETS[name].activations is not None)


def test_a_runtime_without_int8_gets_no_file_of_it() -> None:
    with pytest.raises(HifiError, match="--for ort-cuda: it has no int8: choose from .*trt"):
        export_choice.choose(Wish("none", "int8", "float32", (), "ort-cuda"))


def planned(folder: Path, plan: PrecisionPlan) -> str:
    path = folder / "plan.json"
    path.write_text(write_plan(plan))
    return str(path)


def test_a_plan_is_split_between_file_and_runtime(tmp_path: Path) -> None:
    plan = PrecisionPlan("bf16", {"mpd_11.convs.3": "int8", "mpd_2.convs.1": "int8"}, "by hand")
    path = planned(tmp_path, plan)
    choice = choose(f"openvino:precision={path}")
    split = choice.split(("bf16", "int8"))
    assert (split.runtime, split.file.base, split.file.activations) == ("bf16", "fp32", "uint8")
    assert split.file.layers == plan.layers
    assert (choice.precision(MPD_11), choice.budget_db(MPD_11)) == ("mixed", 20.0)
    assert choice.precision(Variant("msd")) == "bf16", "of whose layers the plan names none"
    engine = choose(f"trt:precision={path}").split(("bf16", "int8"))
    assert (engine.runtime, engine.file.base, engine.file.activations) == ("fp32", "bf16", "int8")
    assert engine.opset(18) == 22


def test_a_plan_that_writes_nothing_needs_no_other_file(tmp_path: Path) -> None:
    choice = choose(f"openvino:precision={planned(tmp_path, PrecisionPlan('bf16'))}")
    assert (choice.split(("bf16",)).file, choice.split(("bf16",)).runtime) == (FP32, "bf16")


@pytest.mark.parametrize(
    ("backend", "held", "told"),
    [
        ("openvino", ("bf16", "fp32", "int8"), "in one precision, the plan has bf16 and fp32"),
        ("ort-cuda", ("fp16", "int8"), "ort-cuda has no int8, as by hand asks for"),
        ("ort-cpu", ("fp16", "fp32"), "ort-cpu has no fp16"),
    ],
)
def test_a_plan_that_a_backend_cannot_compute_is_refused(
    tmp_path: Path, backend: str, held: tuple[str, ...], told: str
) -> None:
    path = planned(tmp_path, PrecisionPlan("fp16", {"mpd_11.convs.3": "int8"}, "by hand"))
    with pytest.raises(HifiError, match=told) as caught:
        choose(f"{backend}:precision={path}").split(held)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("openvino:precision=f32", "choose from fp32, bf16, fp16, int8, a precision plan's .json"),
        ("torch:precision=plan.json", "choose from fp32, bf16, fp16$"),
        ("openvino:precision=none.json", "cannot read the precision plan none.json"),
        ("torch-cuda:tf32=on", "torch-cuda has no option 'tf32': it has precision"),
        ("nope", "no backend 'nope'"),
    ],
)
def test_what_cannot_be_chosen_is_refused(spec: str, told: str) -> None:
    with pytest.raises(HifiError, match=told):
        choose(spec)


def test_what_a_row_asks_for_is_told_without_knowing_it() -> None:
    assert told_precision("nope:precision=bf16") == "bf16"
    assert told_precision("nope:lowering=x,precision=a/b.json") == "mixed"
    assert told_precision("torch") == told_precision("torch:precision=f32") == "fp32"


def test_rewrites_are_an_option_and_not_a_text() -> None:
    assert has_lowering("openvino:precision=bf16,lowering=out/plan.json")
    assert not has_lowering("openvino:lowering=none")
    assert not has_lowering("openvino:precision=lowering=x.json")


# Every backend in every precision


def test_each_backend_comes_in_each_precision_and_keeps_its_name_in_its_own() -> None:
    specs = in_precisions(("torch", "ort-cpu:lowering=default"), ("fp32", "int8"))
    assert specs == (
        "torch",
        "torch:precision=int8",
        "ort-cpu:lowering=default",
        "ort-cpu:lowering=default,precision=int8",
    )


def test_without_a_precision_backends_stay_as_they_are() -> None:
    assert in_precisions(("torch", "nope", "torch"), ()) == ("torch", "nope")


def test_what_a_backend_was_told_already_is_not_told_again() -> None:
    specs = in_precisions(("trt:precision=fp16", "nope"), ("fp16", "p.json"))
    assert specs == ("trt:precision=fp16", "nope:precision=fp16", "nope:precision=p.json")


def test_a_contradiction_is_refused() -> None:
    with pytest.raises(HifiError, match="trt:precision=fp16 beside --precision int8, bf16: leave"):
        in_precisions(("torch", "trt:precision=fp16"), ("int8", "bf16"))


def test_a_precision_that_nobody_has_is_refused() -> None:
    told = "no precision 'f16': did you mean 'fp16'\\? choose from fp32, tf32"
    with pytest.raises(UsageError, match=told):
        in_precisions(("torch",), ("f16",))


@pytest.mark.parametrize("name", backends())
def test_every_backend_has_precisions_and_begins_with_float32(name: str) -> None:
    backend = backends()[name]
    found = precisions_of(backend)
    assert found in backend.options and found.allowed[0] == "fp32"
    assert set(found.written) < set(found.allowed)
    assert bool(found.other) == ("lowering" in {option.name for option in backend.options})
    for precision in found.allowed:
        split = choose(f"{name}:precision={precision}").split(())
        told = split.file.base if precision in found.written else split.runtime
        assert told == precision
        assert (split.file == FP32) == (precision not in found.written)
