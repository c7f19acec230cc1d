"""A file is verified in the runtime that it is for, where that may be wrong: at short lengths."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from torch import nn

from bench.cell.cells import job_of
from bench.cell.job import Job
from bench.geometry import Geometry
from bench.parity.run import Order, in_each_runtime
from bench.records import Workload
from bench.stopping import Limits
from bench.tune.short import why_wrong
from export import runtimes
from export.artifact import Manifest
from export.as_text import verified_in
from export.cache import cached_export
from export.hops import hops
from export.interface import interface
from export.lengths import WIDTHS, short_sizes, usual_sizes
from export.lowering.rule import parse_form
from export.opened import WrongInRuntimeError
from export.pipeline import export_onnx
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.runtimes import (
    ONNXRUNTIME,
    RUNTIMES,
    Arrays,
    NotAsked,
    OnnxRuntime,
    Run,
    Shapes,
    Verified,
    also_asked,
)
from export.to_onnx import to_onnx
from export.verify import snr_db, verify
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

P11 = Variant("mpd", "11")
FOR_OPENVINO = ExportRequest(P11, target="openvino")


@dataclass(frozen=True)
class Wrong:
    """onnxruntime under another name, wrong where it is told to be."""

    where: Callable[[int, Shapes | None], bool]
    name: str = "openvino"
    version: str = "1.2.3"
    fixes_shapes: bool = True

    def open(self, content: bytes, shapes: Shapes | None = None) -> Run:
        run = ONNXRUNTIME.open(content)

        def compute(inputs: Arrays) -> Arrays:
            found = dict(run(inputs))
            *_, samples = next(iter(inputs.values())).shape
            if self.where(samples, shapes):
                last = list(found)[-1]
                found[last] = -found[last]
            return found

        return compute


def verified(p11: nn.Module, request: ExportRequest) -> object:
    content = ir.to_proto(to_onnx(p11, request)).SerializeToString()
    return verify(content, request, interface(p11, request))


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Callable[[Wrong], None]:
    return lambda runtime: monkeypatch.setitem(RUNTIMES, "openvino", runtime)


# ------------------------------------------------------------------------------- who is asked


def test_who_is_asked_besides_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    assert also_asked(None) is also_asked("ort-cpu") is None
    assert also_asked("openvino") is RUNTIMES["openvino"]
    for target in ("ort-cuda", "trt", "trt-rtx", "ort-trt"):
        assert also_asked(target) == NotAsked(target, "it needs a GPU")
    monkeypatch.setattr(runtimes, "why_missing", lambda *_: "openvino cannot be imported (x): ")
    assert also_asked("openvino") == NotAsked("openvino", "it cannot be imported here")
    monkeypatch.setattr(runtimes, "find_spec", lambda _: None)
    assert also_asked("openvino") == NotAsked("openvino", "not installed")
    assert runtimes.identity("openvino") == "no openvino"


def test_a_backend_that_does_not_exist_is_refused() -> None:
    with pytest.raises(HifiError, match="--for cuda: .*choose from ort-cpu, openvino, "):
        ExportRequest(P11, target="cuda")


@pytest.mark.parametrize("plan", [PrecisionPlan("fp16", io="same"), PrecisionPlan("int8")])
def test_every_runtime_takes_and_gives_float32(mpd_11: Trained, plan: PrecisionPlan) -> None:
    request = ExportRequest(P11, precision=plan)
    content = cached_export(request, "seed 0", lambda _: mpd_11).path.read_bytes()
    y = {"y": audio.clip().batch(2, 2310)}
    expected = ONNXRUNTIME.open(content)(y)
    found = RUNTIMES["openvino"].open(content)(y)
    for name, array in expected.items():
        assert found[name].dtype == np.float32
        assert snr_db(array, found[name]) > (45 if plan.base == "fp16" else 20)


# ------------------------------------------------------------------------------ what is caught


@pytest.mark.parametrize(
    ("where", "samples"),
    [
        (lambda samples, shapes: shapes is None and samples == 8, 8),
        (lambda samples, _: samples == 892, 892),
        (lambda samples, shapes: shapes is not None and samples == 6, 6),
        (lambda samples, _: samples == 2058, 2058),
    ],
    ids=["residue", "width", "told", "usual"],
)
def test_a_runtime_that_is_wrong_at_one_length(
    p11: nn.Module,
    wrong: Callable[[Wrong], None],
    where: Callable[[int, Shapes | None], bool],
    samples: int,
) -> None:
    wrong(Wrong(where))
    with pytest.raises(WrongInRuntimeError) as caught:
        verified(p11, FOR_OPENVINO)
    assert re.fullmatch(
        "the exported mpd-11 computes something else in openvino 1.2.3 than in PyTorch: fmap_5 at "
        rf"{samples} samples has an SNR of -?\d+\.\d dB, 60 or more is expected: nothing was "
        "written; another --lowering, or none without --for openvino, may be right; report this",
        str(caught.value),
    )
    assert verified(p11, ExportRequest(P11)), "nobody asked that runtime"


def test_onnxruntime_that_is_wrong_at_a_short_length(
    p11: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = OnnxRuntime.open

    def broken(self: OnnxRuntime, content: bytes, shapes: Shapes | None = None) -> Run:
        run = opened(self, content, shapes)
        return lambda inputs: {
            name: array * np.float32(1 - (inputs["y"].shape[2] == 9))
            for name, array in run(inputs).items()
        }

    monkeypatch.setattr(OnnxRuntime, "open", broken)
    with pytest.raises(HifiError, match="in onnxruntime .* than in PyTorch: .* at 9 samples has"):
        verified(p11, ExportRequest(P11))


def test_a_lesser_precision_is_held_against_onnxruntime(
    mpd_11: Trained, wrong: Callable[[Wrong], None], tmp_path: Path
) -> None:
    request = replace(FOR_OPENVINO, precision=PrecisionPlan("fp16"))
    wrong(Wrong(lambda *_: False))
    made = export_onnx(request, mpd_11, tmp_path / "a.onnx").artifact.manifest
    assert [each.smallest["samples"] for each in made.verified] == [8195, 6]
    wrong(Wrong(lambda samples, _: samples == 11))
    told = "in openvino 1.2.3 than in onnxruntime: fmap_5 at 11 samples has an SNR of .*, 25 or"
    with pytest.raises(WrongInRuntimeError, match=told):
        export_onnx(request, mpd_11, tmp_path / "b.onnx")


def test_a_runtime_that_refuses_the_file(p11: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Wrong):
        def open(self, content: bytes, shapes: Shapes | None = None) -> Run:  # noqa: ARG002
            raise RuntimeError("no such operation\nsecond line")

    monkeypatch.setitem(RUNTIMES, "openvino", Refusing(lambda *_: False))
    told = r"refused: no such operation; second line: choose .* newer openvino \(here 1.2"
    with pytest.raises(HifiError, match=told):
        verified(p11, FOR_OPENVINO)


# --------------------------------------------------------------------------------- what is told


def test_the_manifest_says_who_was_asked(mpd_11: Trained, tmp_path: Path) -> None:
    made = export_onnx(FOR_OPENVINO, mpd_11, tmp_path / "mpd-11.onnx").artifact.manifest
    assert [(each.runtime, each.smallest["samples"]) for each in made.verified] == [
        ("onnxruntime", 6),
        ("openvino", 6),
    ]
    assert made.not_asked is None
    assert verified_in(made.verified, None) == (
        f"in onnxruntime {ONNXRUNTIME.version} and openvino {RUNTIMES['openvino'].version} from "
        "6 samples up"
    )


def test_the_manifest_says_who_was_not(
    mpd_11: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda _: None)
    made = export_onnx(FOR_OPENVINO, mpd_11, tmp_path / "mpd-11.onnx").artifact.manifest
    assert made.not_asked == NotAsked("openvino", "not installed")
    assert verified_in(
        (Verified("onnxruntime", "1", {"batch": 1, "samples": 1}),), made.not_asked
    ) == ("in onnxruntime 1 from 1 sample up; openvino was not asked: not installed")


def test_a_fixed_length_is_the_only_one(p11: nn.Module, wrong: Callable[[Wrong], None]) -> None:
    wrong(Wrong(lambda samples, _: samples != 701))
    found = verified(p11, replace(FOR_OPENVINO, sizes={"samples": 701}))
    smallest = [each.smallest["samples"] for each in found.runtimes]  # type: ignore[attr-defined]
    assert smallest == [701, 701]


def test_other_versions_verify_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = runtimes.identity("openvino")
    monkeypatch.setitem(RUNTIMES, "openvino", Wrong(lambda *_: False))
    assert runtimes.identity("openvino") == "openvino 1.2.3" != before
    assert runtimes.identity(None) == runtimes.identity("trt") == ""


# ------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize("variant", [Variant("mpd"), Variant("mpd", "2"), P11], ids=str)
def test_short_lengths_meet_residues_and_widths(variant: Variant) -> None:
    request = ExportRequest(variant)
    below = usual_sizes(request, promised=False)[0]
    steps = hops(Source().build(variant).module, request)
    found = [sizes["samples"] for sizes in short_sizes(request, steps, below)]
    assert found[0] == variant.signature.smallest["samples"] and max(found) < below["samples"]
    for period in map(int, variant.members()):
        assert {samples % period for samples in found} == set(range(period))
    hop = 81 * min(map(int, variant.members()))
    assert steps == {"samples": hop}
    widths = {-(-samples // hop) for samples in found}
    assert widths >= {each for each in (1, *WIDTHS) if hop * (each - 1) + 1 < below["samples"]}


# --------------------------------------------------------------------------------------- bench


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        ("openvino", None),
        ("openvino:lowering=default", "openvino"),
        ("ort-cpu:precision=int8", "ort-cpu"),
        ("openvino:precision=bf16", None),
        ("torch", None),
    ],
)
def test_what_a_backend_alone_runs_is_made_for_it(
    spec: str, target: str | None, mpd_11: Trained, tmp_path: Path
) -> None:
    request = ExportRequest(P11, sizes={"batch": 1, "samples": 2048})
    file = cached_export(request, "seed 0", lambda _: mpd_11)
    load = Workload(
        "mpd-11",
        precision="fp32",
        source="clip",
        weights="seed 0",
        threads=1,
        sizes={"batch": 1, "samples": 2048},
        views=(),
    )
    plain = Job(spec, load, request, file.path, tmp_path, None, 0, 0, (), Limits())
    job, reason = job_of(spec, plain, None)
    assert reason is None and job.request.target == target


def test_a_form_that_is_wrong_at_a_short_width_is_no_candidate() -> None:
    layer = Geometry((2, 8, 40), (8, 8), (5,), (1,), (1,), (2,), (2,), 1, 0.1)
    form = parse_form("fir-4-5")
    assert why_wrong(RUNTIMES["openvino"], layer, form) is None
    assert why_wrong(Wrong(lambda *_: False), layer, form) is None
    told = why_wrong(Wrong(lambda width, _: width == 3), layer, form)
    assert told == "-6.0 dB on a width of 3 in openvino 1.2.3"


def test_parity_of_a_file_is_that_of_its_runtime_too(
    mpd_11: Trained, wrong: Callable[[Wrong], None], tmp_path: Path
) -> None:
    def reports(lengths: Sequence[int]) -> list[tuple[str, bool]]:
        order = Order(Source(), audio.speech(), {"samples": tuple(lengths)})
        found = in_each_runtime(path, order)
        return [(each.runtime, each.passed) for each in found]

    path = export_onnx(FOR_OPENVINO, mpd_11, tmp_path / "mpd-11.onnx").artifact.path
    assert reports([40]) == [("onnxruntime", True), ("openvino", True)]
    wrong(Wrong(lambda samples, _: samples == 41))
    assert reports([40, 41]) == [("onnxruntime", True), ("openvino", False)]
    plain = export_onnx(ExportRequest(P11), mpd_11, tmp_path / "plain.onnx").artifact
    assert isinstance(plain.manifest, Manifest)
    assert (
        len(in_each_runtime(plain.path, Order(Source(), audio.speech(), {"samples": (40,)}))) == 1
    )
