"""The ceilings: the fastest of enough products, in the precisions that a device really has."""

from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest
import torch

from bench.machine import roofline
from bench.machine.roofline import (
    CALLS,
    cpu_precisions,
    gpu_precisions,
    measure_ceiling,
    measure_ceilings,
    measure_gpu_ceilings,
)
from bench.records import Precision
from export import cpu
from export.cpu import FEATURES

SIZE = 32


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    """The number of threads is the process's; leave it as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "SIZE", SIZE)


class Stopwatch:
    """A clock that is read before and after each product."""

    def __init__(self, products: Iterator[float]) -> None:
        self._products = products
        self._now = 0.0
        self.readings = 0

    def __call__(self) -> float:
        self.readings += 1
        if self.readings % 2 == 0:
            self._now += next(self._products)
        return self._now


def timed(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> tuple[float, int]:
    """Speed and number of products that take these times, then the last one for ever."""
    watch = Stopwatch(chain(seconds, repeat(seconds[-1])))
    monkeypatch.setattr(roofline, "perf_counter", watch)
    return measure_ceiling(1).gflop_per_second, watch.readings // 2


def test_the_fastest_product_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    speed, calls = timed(monkeypatch, 0.5, 0.25, 0.125, 0.25, 1.0)
    assert speed == pytest.approx(2 * SIZE**3 / 0.125 / 1e9)
    assert calls == CALLS


def test_slow_products_are_called_at_least_five_times(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed(monkeypatch, 10.0)[1] == 5


def test_fast_products_are_called_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed(monkeypatch, 1 / 64)[1] == 64


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_those_asked_for(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(roofline, "SECONDS", 0.0)
    ceiling = measure_ceiling(threads)
    assert torch.get_num_threads() == threads
    assert (ceiling.threads, ceiling.size) == (threads, SIZE)
    assert ceiling.gflop_per_second > 0


def test_the_random_numbers_of_the_process_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roofline, "SECONDS", 0.0)
    before = torch.random.get_rng_state()
    measure_ceiling(1)
    assert torch.equal(torch.random.get_rng_state(), before)


# Every precision


@pytest.mark.parametrize(
    ("features", "precisions"),
    [
        ((), ("fp32",)),
        (("avx2", "fma", "f16c", "avx512f"), ("fp32",)),  # converts fp16, computes in fp32
        (("avx512_bf16",), ("fp32", "bf16")),
        (("amx_tile", "amx_bf16"), ("fp32", "bf16")),
        (("avx512_bf16", "avx512_fp16"), ("fp32", "bf16", "fp16")),
        (("avx512_vnni",), ("fp32", "int8")),
        (("avx_vnni", "amx_bf16", "amx_int8"), ("fp32", "bf16", "int8")),
    ],
)
def test_a_precision_that_is_only_emulated_has_no_ceiling(
    monkeypatch: pytest.MonkeyPatch, features: tuple[str, ...], precisions: tuple[str, ...]
) -> None:
    monkeypatch.setattr(cpu, "onednn_features", lambda: features)
    assert cpu_precisions() == precisions


def test_the_instructions_are_looked_for() -> None:
    wanted = {name for any_of in cpu.INSTRUCTIONS.values() for name in any_of}
    assert wanted <= set(FEATURES)


def test_every_ceiling_has_the_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "SECONDS", 0.0)
    monkeypatch.setattr(roofline, "cpu_precisions", lambda: ("fp32", "bf16"))
    monkeypatch.setattr(roofline, "copy_bandwidth", lambda threads: 10.0 * threads)
    found = measure_ceilings(1)
    assert [(each.precision, each.threads, each.gb_per_second) for each in found] == [
        ("fp32", 1, 10.0),
        ("bf16", 1, 10.0),
    ]
    assert all(each.gflop_per_second > 0 for each in found)


def test_matrices_have_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.dtype] = []
    multiply = torch.mm

    def watched(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        seen.extend((left.dtype, right.dtype, out.dtype))
        return multiply(left, right, out=out)

    monkeypatch.setattr(roofline, "SECONDS", 0.0)
    monkeypatch.setattr(torch, "mm", watched)
    monkeypatch.setattr(roofline, "cpu_precisions", lambda: ("fp32", "bf16", "fp16"))
    monkeypatch.setattr(roofline, "copy_bandwidth", lambda _: 1.0)
    measure_ceilings(1)
    types = (torch.float32, torch.bfloat16, torch.float16)
    assert seen == [each for each in types for _ in range(3 * CALLS)]


def test_integers_are_summed_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[torch.Tensor, ...]] = []
    multiply = torch._int_mm

    def watched(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        seen.append((left, right, out))
        return multiply(left, right, out=out)

    monkeypatch.setattr(roofline, "SIZE", 64)
    monkeypatch.setattr(roofline, "SECONDS", 0.0)
    monkeypatch.setattr(torch, "_int_mm", watched)
    monkeypatch.setattr(roofline, "cpu_precisions", lambda: ("int8",))
    monkeypatch.setattr(roofline, "copy_bandwidth", lambda _: 1.0)
    (found,) = measure_ceilings(1)
    assert found.precision == "int8" and len(seen) == CALLS
    left, right, out = seen[0]
    assert (left.dtype, right.dtype, out.dtype) == (torch.int8, torch.int8, torch.int32)
    assert torch.equal(out.long(), left.long() @ right.long())
    assert 25 < left.float().std() < 40, "not zeros"


# A GPU


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A GPU that computes at once; in which precision of float32 each product ran."""
    modes: list[str] = []
    create, generator = torch.randn, torch.Generator

    def on_the_host(*shape: object, **more: object) -> torch.Tensor:
        assert more.pop("device") == "cuda"
        return create(*shape, **more)  # type: ignore[call-overload,no-any-return]

    def timed(call: object) -> object:
        def once() -> float:
            modes.append(torch.backends.cuda.matmul.fp32_precision)
            call()  # type: ignore[operator]
            return 1e-3

        return once

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(torch, "Generator", lambda _: generator())
    monkeypatch.setattr(torch, "randn", on_the_host)
    monkeypatch.setattr(roofline, "GPU_SIZE", SIZE)
    monkeypatch.setattr(roofline, "SECONDS", 0.0)
    monkeypatch.setattr(roofline, "by_events", timed)
    monkeypatch.setattr(roofline, "gpu_copy_bandwidth", lambda: 4000.0)
    return modes


def test_a_gpu_has_a_ceiling_for_every_precision(gpu: list[str]) -> None:
    found = measure_gpu_ceilings()
    assert [each.precision for each in found] == ["fp32", "tf32", "bf16", "fp16", "int8"]
    speed = 2 * SIZE**3 / 1e-3 / 1e9
    assert all(each.gflop_per_second == pytest.approx(speed) for each in found)
    assert {(each.threads, each.gb_per_second, each.size) for each in found} == {(0, 4000.0, SIZE)}
    assert gpu[CALLS] == "tf32"
    assert "tf32" not in gpu[:CALLS] + gpu[2 * CALLS :]
    assert torch.backends.cuda.matmul.fp32_precision != "tf32"


def test_an_older_gpu_has_fewer_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    expected: tuple[Precision, ...] = ("fp32", "fp16")
    assert gpu_precisions() == expected


def test_without_a_gpu_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert measure_gpu_ceilings() == ()


def test_a_cpu_that_tells_nothing_has_float32(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cpu, "CPU_INFO", tmp_path / "none")
    assert cpu_precisions() == ("fp32",)
