"""OpenVINO: what it was asked is what it compiled, and its tensors are ours."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from bench import judge
from bench.backend import Case, backends
from bench.backends.openvino_cpu import SPELLINGS, OpenVino, OpenVinoSession, name_of
from bench.backends.openvino_proof import claims
from bench.file_precisions import Counts, convolutions_of
from bench.records import Parity, Precision, Result, Skipped
from export import cpu
from export.cpu import LIMIT, OLDER_NAME, multiplies
from export.precision.budget import PRECISIONS
from export.precision.plan import PrecisionPlan, write_plan
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Trained

CAPABILITIES = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@dataclass
class FakeNode:
    details: dict[str, str]

    def get_rt_info(self) -> dict[str, str]:
        return self.details


@dataclass
class FakeCompiled:
    """What OpenVINO would say of itself."""

    device: str = "CPU"
    hint: str = "f32"
    layers: tuple[str, ...] = ("f32", "f32")
    others: tuple[str, ...] = field(default=("i32",))

    def get_property(self, name: str) -> object:
        found = {"EXECUTION_DEVICES": [self.device], "INFERENCE_PRECISION_HINT": self.hint}
        return found[name]

    def get_runtime_model(self) -> "FakeCompiled":
        return self

    def get_ops(self) -> list[FakeNode]:
        kinds = [("Convolution", p) for p in self.layers] + [("Const", p) for p in self.others]
        return [FakeNode({"layerType": k, "runtimePrecision": p}) for k, p in kinds]


def test_what_was_asked_holds() -> None:
    assert all(claim.holds for claim in claims(FakeCompiled(), "f32"))


@pytest.mark.parametrize(
    ("compiled", "broken", "found"),
    [
        (FakeCompiled(device="GPU.0"), "execution device", "GPU.0"),
        (FakeCompiled(hint="bf16"), "precision", "bf16"),
        (FakeCompiled(layers=("f32", "bf16")), "precision of the convolutions", "bf16, f32"),
        (FakeCompiled(layers=()), "precision of the convolutions", "none"),
        (FakeCompiled(layers=("f32", "u8")), "convolutions in int8", "1"),
    ],
)
def test_each_claim_can_fail(compiled: FakeCompiled, broken: str, found: str) -> None:
    failed = [claim for claim in claims(compiled, "f32") if not claim.holds]
    assert [(claim.what, claim.found) for claim in failed] == [(broken, found)]


def test_the_file_is_counted_once(
    case_of: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Path] = []

    def count(path: Path) -> Counts:
        counted.append(path)
        return convolutions_of(path)

    monkeypatch.setattr("bench.backends.openvino_proof.convolutions_of", count)
    case = case_of("openvino:precision=int8")
    session = OpenVino().prepare(case)
    assert all(claim.holds for claim in session.proof())
    session.close()
    assert counted == [case.artifact.path]


@pytest.mark.parametrize("network", ["mpd", "msd"])
def test_every_output_is_within_the_budget(
    network: str, request: pytest.FixtureRequest, case_of: Callable[..., Case]
) -> None:
    trained: Trained = request.getfixturevalue(network)
    chosen = case_of("openvino", trained)
    session = OpenVino().prepare(chosen)
    session.run()
    session.wait()
    expected = judge.reference(trained, chosen.request, chosen.inputs)
    found = judge.compare(expected, session.outputs(), PRECISIONS["fp32"].budget_db)
    session.close()
    assert len(found.outputs) == len(expected.exact) > 20
    assert found.passed, found.worst


def test_settings_are_those_of_the_compiled_network(case_of: Callable[..., Case]) -> None:
    session = OpenVino().prepare(case_of("openvino"))
    found = session.settings()
    session.close()
    kernels = found.pop("convolutions")
    assert found == {
        "threads": "1",
        "precision": "f32",
        "performance_hint": "LATENCY",
        "streams": "1",
        "execution_devices": "CPU",
    }
    assert kernels.endswith("_f32") and sum(int(k.split()[0]) for k in kernels.split(", ")) == 6


def test_outputs_outlive_the_session(case_of: Callable[..., Case]) -> None:
    """A view of the request's own memory would not."""
    session = OpenVino().prepare(case_of("openvino"))
    session.run()
    session.wait()
    outputs = session.outputs()
    copies = {name: array.copy() for name, array in outputs.items()}
    session.close()
    del session
    again = OpenVino().prepare(case_of("openvino"))
    again.run()
    again.wait()
    again.close()
    for name, array in copies.items():
        np.testing.assert_array_equal(outputs[name], array)


def test_the_pass_writes_into_the_arrays_that_are_handed_out(case_of: Callable[..., Case]) -> None:
    session = OpenVino().prepare(case_of("openvino"))
    assert isinstance(session, OpenVinoSession)
    for array in session.outputs().values():
        array.fill(np.nan)
    session.run()
    session.wait()
    assert all(np.isfinite(array).all() for array in session.outputs().values())
    session.close()


@pytest.mark.parametrize(("precision", "capability"), [("bf16", "BF16"), ("fp16", "FP16")])
def test_a_precision_is_computed_in_or_the_row_says_that_the_cpu_has_it_not(
    row_of: Callable[[str], Result], precision: Precision, capability: str
) -> None:
    row = row_of(f"openvino:precision={precision}")
    if capability in CAPABILITIES and multiplies(precision):
        assert isinstance(row.parity, Parity) and row.parity.worst.snr_db < 100
        assert not row.broken
    else:
        assert isinstance(row.measurement, Skipped)
        assert row.measurement.reason.startswith(f"this CPU has no {precision}")
        assert row.parity == row.measurement
        assert not row.broken, "nothing ran otherwise than asked"


PLAIN = ("FP32", "INT8")
BOTH = (*PLAIN, "BF16", "FP16")


@pytest.mark.parametrize(
    ("able", "features", "limit", "lacking"),
    [
        (PLAIN, "avx2", "", {"bf16": "", "fp16": ""}),
        (BOTH, "avx512_bf16 avx512_fp16", "", {}),
        (BOTH, "", "", {}),  # a CPU of which the system tells nothing: its runtime does
        ((*PLAIN, "FP16"), "avx2", "", {"bf16": ""}),
        (BOTH, "avx512_bf16 avx512_fp16", "AVX2", {"bf16": "AVX2", "fp16": "AVX2"}),
        (BOTH, "avx512_bf16 avx512_fp16", "AVX512_CORE_BF16", {"fp16": "AVX512_CORE_BF16"}),
    ],
)
def test_a_precision_that_the_cpu_lacks_is_refused_before_anything_is_compiled(
    able: tuple[str, ...],
    features: str,
    limit: str,
    lacking: dict[str, str],
    case_of: Callable[..., Case],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def compile_(*_: object, **__: object) -> None:
        raise RuntimeError("Exception from src/inference/src/cpp/core.cpp:117:")

    monkeypatch.setattr(ov.Core, "get_property", lambda *_: list(able))
    monkeypatch.setattr(cpu, "cpu_features", lambda: tuple(features.split()))
    monkeypatch.setenv(LIMIT, limit)
    monkeypatch.delenv(OLDER_NAME, raising=False)
    monkeypatch.setattr("bench.backends.openvino_cpu._compile", compile_)
    for precision in SPELLINGS:
        case = replace(case_of("openvino"), runtime=precision)
        if precision in lacking:
            with pytest.raises(HifiError, match=f"this CPU has no {precision}") as caught:
                OpenVino().prepare(case)
            below = f" below {LIMIT}={lacking[precision]}" if lacking[precision] else ""
            assert f"{precision}{below}: choose" in str(caught.value)
        else:
            with pytest.raises(RuntimeError, match="core.cpp"):
                OpenVino().prepare(case)


def test_the_row_of_float32_has_a_speed(row_of: Callable[[str], Result]) -> None:
    row = row_of("openvino")
    assert not isinstance(row.measurement, Skipped), row.measurement
    assert row.proof and not row.broken


def test_it_is_found_and_has_a_default() -> None:
    backend = backends()["openvino"]
    assert backend.options[0].allowed[0] == "fp32"


def test_a_library_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr("importlib.import_module", fail)
    reason = OpenVino().missing()
    assert reason is not None and reason.endswith("pip install openvino")


def test_another_length_is_another_network(case_of: Callable[..., Case]) -> None:
    chosen = case_of("openvino", samples=1025)
    session = OpenVino().prepare(chosen)
    session.run()
    session.wait()
    expected = judge.reference(chosen.trained, chosen.request, chosen.inputs)
    assert judge.compare(expected, session.outputs(), 100.0).passed
    with pytest.raises(ValueError, match="broadcast"):
        session.load(case_of("openvino").inputs)
    session.close()


def test_an_output_has_the_name_that_the_file_gives_it(case_of: Callable[..., Case]) -> None:
    """OpenVINO drops a pad of nothing and leaves its name on the tensor."""
    case = case_of("openvino")
    name = case.artifact.manifest.outputs[0].name
    assert name_of({"convs.2.phase.pad", name, "zeros"}, case) == name


INT8 = {"int8": 4, "fp32": 2}


@pytest.mark.parametrize(
    ("layers", "broken"),
    [
        (("u8", "u8", "i8", "u8", "bf16", "bf16"), {}),
        (("u8",) * 3 + ("bf16",) * 3, {"convolutions in int8": "3"}),
        (("u8",) * 5 + ("bf16",), {"convolutions in int8": "5"}),
        (("u8",) * 4 + ("f32", "bf16"), {"precision of the convolutions": "bf16, f32"}),
        (("u8",) * 4, {"precision of the convolutions": "none"}),
    ],
)
def test_a_plan_is_what_ran(layers: tuple[str, ...], broken: dict[str, str]) -> None:
    found = claims(FakeCompiled(hint="bf16", layers=layers), "bf16", INT8)
    assert {claim.what: claim.found for claim in found if not claim.holds} == broken


def test_where_all_layers_are_int8_nothing_else_is_asked_for() -> None:
    assert all(claim.holds for claim in claims(FakeCompiled(layers=("u8",)), "f32", {"int8": 1}))


def test_int8_is_computed_in_integers(row_of: Callable[[str], Result]) -> None:
    row = row_of("openvino:precision=int8")
    assert isinstance(row.parity, Parity) and not row.broken, row.measurement
    assert (row.workload.precision, row.parity.budget_db) == ("int8", 20.0)
    assert 10 < row.parity.worst.snr_db < 50, "integers are coarse, and this second is quiet"
    (integers,) = (claim for claim in row.proof if claim.what == "convolutions in int8")
    assert int(integers.asked) >= 1 and integers.holds


def test_a_mixed_plan_sets_what_is_not_int8_on_the_runtime(
    row_of: Callable[[str], Result], tmp_path: Path
) -> None:
    plan = PrecisionPlan("fp32", {"mpd_11.convs.3": "int8", "mpd_11.convs.4": "int8"}, "by hand")
    (tmp_path / "plan.json").write_text(write_plan(plan))
    row = row_of(f"openvino:precision={tmp_path}/plan.json")
    assert row.workload.precision == "mixed"
    (integers,) = (claim for claim in row.proof if claim.what == "convolutions in int8")
    assert (integers.asked, integers.holds) == ("2", True)
    assert isinstance(row.parity, Parity) and row.parity.budget_db == 20.0 and not row.broken
    own = {output.name: output.torch_snr_db for output in row.parity.outputs}
    assert own["fmap_2"] > 100, "PyTorch's by the same plan"
    assert 10 < own["fmap_4"] < 50
