"""Instructions of the CPU, and those that oneDNN is left."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.machine import survey
from export import cpu
from export.cpu import (
    FEATURES,
    LAST,
    LIMIT,
    OLDER_NAME,
    cpu_features,
    multiplies_bf16,
    multiplies_tiles,
    onednn_features,
)
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
    for name in (LIMIT, OLDER_NAME):
        monkeypatch.delenv(name, raising=False)
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
        ("SSE41", ""),
        ("avx", ""),
        ("AVX2", "f16c"),
        ("AVX2_VNNI_2", "avx_vnni"),
        ("avx512_core_bf16", "avx512_bf16"),
        ("AVX10_1_512", "avx512_fp16"),
        ("AVX10_2_512", "avx512_fp16"),
        ("AVX512_CORE_AMX", "amx_bf16"),
        ("AVX10_1_512_AMX", "amx_bf16"),
        ("AVX512_CORE_AMX_FP16", "amx_bf16"),
        ("AVX10_1_512_AMX_FP16", "amx_bf16"),
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
    assert cpu_features() == TILES and ("", *onednn_features())[-1] == newest
    assert multiplies_tiles() == newest.startswith("amx")
    assert multiplies_bf16() == (newest in TILES[TILES.index("avx512_bf16") :])


def test_every_limit_ends_at_a_feature() -> None:
    assert set(LAST.values()) <= {"", *FEATURES}


@pytest.mark.parametrize(
    ("told", "older", "newest"),
    [(None, "AVX2", "f16c"), ("", "AVX2", "f16c"), ("ALL", "AVX2", "amx_bf16")],
)
def test_the_older_name_of_the_variable_counts_where_the_other_says_nothing(
    told: str | None, older: str, newest: str, has: Has, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(f"flags : {' '.join(TILES)}")
    monkeypatch.setenv(OLDER_NAME, older)
    if told is not None:
        monkeypatch.setenv(LIMIT, told)
    assert onednn_features()[-1] == newest
    assert survey.features() == (*TILES, *([f"{LIMIT}=AVX2"] if newest == "f16c" else []))


def test_what_tiles_can_is_left_where_the_limit_allows_it(
    has: Has, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(f"flags : {' '.join(FEATURES)}")
    for told, newest in (("AVX512_CORE_AMX", "amx_bf16"), ("AVX512_CORE_AMX_FP16", "amx_fp16")):
        monkeypatch.setenv(LIMIT, told)
        assert onednn_features()[-1] == newest


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
