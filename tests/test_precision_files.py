"""Files in every precision: as exact as promised on other speech, and taken by TensorRT for RTX."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from export import artifact
from export.artifact import Artifact
from export.describe import describe_onnx
from export.engine import file as engine_file
from export.engine.building import build_engine
from export.engine.cache import make
from export.engine.library import Library, find_library
from export.engine.log import logger
from export.engine.optimisation import exactly, profile_for
from export.engine.precision import check_precision
from export.engine.request import EngineRequest
from export.engine.watch import Unwatched
from export.interface import interface
from export.pipeline import export_onnx
from export.precision.budget import PRECISIONS, GraphPrecision
from export.precision.emulate import open_on_cpu
from export.precision.plan import PrecisionPlan
from export.request import DEFAULT_OPSET, ExportRequest
from export.verify import run_torch, snr_db
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.seeded import Seeded
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

CASES: list[tuple[str, GraphPrecision]] = [
    *(("mpd-2", "bf16"), ("mpd-3", "int8"), ("mpd-5", "fp16"), ("mpd-7", "bf16")),
    *(("mpd-11", "int8"), ("msd-0", "fp16"), ("msd-1", "bf16"), ("msd-2", "int8")),
    *(("mpd", "fp16"), ("msd", "bf16")),
]
RTX = EngineRequest("rtx")
ONE_SIZE = exactly({"batch": 1, "samples": 8192})


@dataclass(frozen=True)
class Case:
    """A file and the network it was made from."""

    precision: GraphPrecision
    request: ExportRequest
    trained: Trained
    artifact: Artifact


def exported(name: str, precision: GraphPrecision, folder: Path) -> Case:
    opset = max(DEFAULT_OPSET, PRECISIONS[precision].opset)
    request = ExportRequest(Variant.parse(name), opset, precision=PrecisionPlan(precision))
    trained = Seeded(0).build(request.variant)
    made = export_onnx(request, trained, folder / f"{name}.onnx")
    return Case(precision, request, trained, made.artifact)


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    name, precision = request.param
    return exported(name, precision, tmp_path_factory.mktemp("precise"))


@pytest.fixture(scope="module")
def library() -> Library:
    return find_library("rtx")


def test_the_budget_holds_on_speech_that_was_not_seen(case: Case) -> None:
    """1.5 s of it, cut at two lengths: a budget is of speech, a quiet moment may be below it."""
    session = open_on_cpu(case.artifact.path.read_bytes())
    double = copy.deepcopy(interface(case.trained.module, case.request)).double()
    names = [output.name for output in session.get_outputs()]
    for first, samples in ((1, 8192), (2, 8191)):
        y = audio.speech().batch(4, samples, first)
        expected = run_torch(double, {"y": y.astype(np.float64)})
        for name, found in zip(names, session.run(None, {"y": y}), strict=True):
            assert snr_db(expected[name], found) >= PRECISIONS[case.precision].budget_db, (
                name,
                samples,
            )


def test_the_file_tells_its_precision(case: Case) -> None:
    found = describe_onnx(case.artifact.path)
    held = set(found.convolutions.values())
    kept = {"int8": {"fp32"}, "bf16": held & {"fp32"}, "fp16": set()}[case.precision]
    assert held == {case.precision} | kept
    assert (found.precision, found.budget_db) == (
        case.precision,
        PRECISIONS[case.precision].budget_db,
    )
    assert found.calibration
    manifest = artifact.load(case.artifact.path).manifest
    assert manifest == case.artifact.manifest
    assert manifest.precision.base == case.precision
    told = json.loads(artifact.sidecar(case.artifact.path).read_text())
    assert told["precision"]["base"] == case.precision


def test_tensorrt_for_rtx_builds_it_without_a_gpu(case: Case, library: Library) -> None:
    """Dynamic in both axes; the parsed network was held against the graph before."""
    profile = profile_for(case.artifact.request, {}, {})
    content = case.artifact.path.read_bytes()
    plan = build_engine(content, RTX, profile, library, Unwatched())
    assert len(plan) > describe_onnx(case.artifact.path).parameters
    assert len(plan) < 1.35 * len(content), "weights became float32"


# ------------------------------------------------------------------------------------- one of them


@pytest.fixture(scope="module")
def eighth(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return exported("mpd-11", "int8", tmp_path_factory.mktemp("eighth"))


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return exported("mpd-11", "fp16", tmp_path_factory.mktemp("half"))


@pytest.mark.parametrize("samples", range(1024, 1035))
def test_the_budget_holds_at_every_residue_of_the_length(half: Case, samples: int) -> None:
    session = open_on_cpu(half.artifact.path.read_bytes())
    double = copy.deepcopy(interface(half.trained.module, half.request)).double()
    y = audio.speech().batch(1, samples, first=20)
    expected = run_torch(double, {"y": y.astype(np.float64)})
    for reference, found in zip(expected.values(), session.run(None, {"y": y}), strict=True):
        assert snr_db(reference, found) >= PRECISIONS["fp16"].budget_db


def test_an_engine_tells_the_precision_of_its_graph(
    eighth: Case, library: Library, tmp_path: Path
) -> None:
    path = tmp_path / "mpd-11.engine"
    make(eighth.artifact, RTX, ONE_SIZE, library, path)
    found = engine_file.load(path).manifest
    assert (found.precision, found.budget_db) == ("int8", 20)
    assert found.plan == eighth.artifact.manifest.precision


def test_a_manifest_of_an_engine_of_before_is_read(
    eighth: Case, library: Library, tmp_path: Path
) -> None:
    path = tmp_path / "mpd-11.engine"
    make(eighth.artifact, RTX, ONE_SIZE, library, path)
    record = json.loads(engine_file.sidecar(path).read_text())
    del record["plan"], record["budget_db"]
    engine_file.sidecar(path).write_text(json.dumps(record))
    assert engine_file.load(path).manifest.budget_db == 100


@pytest.mark.parametrize("swap", [False, True])
def test_a_network_in_another_precision_than_the_graph_is_refused(
    eighth: Case, half: Case, library: Library, swap: bool
) -> None:
    read, told = (half, eighth) if swap else (eighth, half)
    trt, log = library.module, logger(library)
    network = trt.Builder(log).create_network(0)
    parser = trt.OnnxParser(network, log)
    assert parser.parse(read.artifact.path.read_bytes())
    check_precision(read.artifact.path.read_bytes(), network, library)
    wrong = "convs.4 in fp16, not int8" if swap else "convs.4 in int8, not fp16"
    with pytest.raises(HifiError, match=f"another precision than the graph has: .*{wrong}"):
        check_precision(told.artifact.path.read_bytes(), network, library)


def test_zero_points_are_refused_by_the_library_in_its_words(
    library: Library, tmp_path: Path, mpd_11: Trained
) -> None:
    plan = PrecisionPlan("int8", activations="uint8")
    request = ExportRequest(mpd_11.variant, precision=plan)
    path = export_onnx(request, mpd_11, tmp_path / "p11.onnx").artifact.path
    with pytest.raises(HifiError, match="cannot read the graph: ") as caught:
        build_engine(path.read_bytes(), RTX, ONE_SIZE, library, Unwatched())
    assert "\n" not in str(caught.value)
