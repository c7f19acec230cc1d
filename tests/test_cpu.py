"""Instructions of the CPU, and those that oneDNN is left."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.machine import survey
from export import cpu
from export.cpu import FEATURES, LAST, LIMIT, cpu_features, multiplies_tiles, onednn_features
from export.lowering import plan as plans
from export.lowering.plan import plan_of

TILES = FEATURES[:-1]
Has = Callable[[str], None]


@pytest.fixture
def has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Has:
    """A machine with these lines in its file."""

    def write(text: str) -> None:
        (tmp_path / "cpuinfo").write_text(text)

    monkeypatch.setattr(cpu, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.delenv(LIMIT, raising=False)
    return write


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "model name : A\nflags : fpu avx2 fma avx512f avx512_bf16\n",
            ("avx2", "fma", "avx512f", "avx512_bf16"),
        ),
        ("flags\t\t: fpu avx22\n", ()),
        ("", ()),
    ],
)
def test_features_are_read_from_the_kernel(text: str, expected: tuple[str, ...], has: Has) -> None:
    has(text)
    assert cpu_features() == onednn_features() == expected


def test_a_system_that_tells_nothing_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cpu, "CPU_INFO", tmp_path / "missing")
    assert cpu_features() == ()


@pytest.mark.parametrize(
    ("told", "newest"),
    [
        ("AVX2", "f16c"),
        ("avx512_core_bf16", "avx512_bf16"),
        ("AVX512_CORE_AMX", "amx_bf16"),
        ("ALL", "amx_bf16"),
        ("", "amx_bf16"),
        ("no such thing", "amx_bf16"),  # as oneDNN takes it
    ],
)
def test_onednn_is_left_what_its_variable_says(
    told: str, newest: str, has: Has, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(f"flags : {' '.join(TILES)}")
    monkeypatch.setenv(LIMIT, told)
    assert cpu_features() == TILES and onednn_features()[-1] == newest
    assert multiplies_tiles() == newest.startswith("amx")


def test_every_limit_ends_at_a_feature() -> None:
    assert set(LAST.values()) <= set(FEATURES)


def test_a_limit_is_part_of_what_the_machine_is(has: Has, monkeypatch: pytest.MonkeyPatch) -> None:
    has("flags : avx2 amx_tile")
    assert survey.features() == ("avx2", "amx_tile")
    monkeypatch.setenv(LIMIT, "AVX512_CORE_BF16")
    assert survey.features() == ("avx2", "amx_tile", f"{LIMIT}=AVX512_CORE_BF16")


def test_tiles_have_a_default_plan_of_their_own(
    has: Has, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "defaults").mkdir()
    monkeypatch.setattr("export.lowering.plan.resources.files", lambda _: tmp_path)
    names = ("openvino", "openvino-bf16", "openvino-bf16-amx", "trt")
    for name in names:
        text = plans.write_plan(plans.LoweringPlan(name))
        (tmp_path / "defaults" / f"{name}.json").write_text(text)
    has("flags : avx2 amx_tile")
    found = [plan_of("default", "openvino", each).origin for each in ("fp32", "bf16", "int8")]
    assert found == ["openvino", "openvino-bf16-amx", "openvino"]
    assert plan_of("default", "trt", "bf16").origin == "trt"
    monkeypatch.setenv(LIMIT, "AVX512_CORE_BF16")
    assert plan_of("default", "openvino", "bf16").origin == "openvino-bf16"
    has("flags : avx2")
    monkeypatch.delenv(LIMIT)
    assert plan_of("default", "openvino", "bf16").origin == "openvino-bf16"


def test_the_cpu_is_asked_once_for_the_plans_of_all_backends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = iter([False])
    monkeypatch.setattr(plans, "multiplies_tiles", lambda: next(asked))
    plan_of("default", "openvino", "bf16")
    assert list(asked) == []
