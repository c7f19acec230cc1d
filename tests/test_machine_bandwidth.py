"""Memory: buffers far larger than the caches, bytes read plus written, the fastest copy."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from bench.machine import bandwidth
from bench.machine.bandwidth import buffer_bytes, copy_bandwidth, fastest, last_level_cache
from export import memory

MIB = 2**20


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Caches as Linux tells them; of no size yet."""
    monkeypatch.setattr(bandwidth, "CPU_CACHES", tmp_path)
    for index in range(4):
        (tmp_path / f"index{index}").mkdir()
    return tmp_path


def tell(caches: Path, *sizes: str) -> None:
    for index, size in enumerate(sizes):
        (caches / f"index{index}" / "size").write_text(f"{size}\n")


@pytest.mark.parametrize(
    ("sizes", "largest"),
    [
        (("32K", "32K", "512K", "32768K"), 32 * MIB),
        (("48K", "2M", "1G"), 1024 * MIB),
        (("", "what"), 0),
        ((), 0),
    ],
)
def test_the_largest_cache_is_the_last_level(
    caches: Path, sizes: tuple[str, ...], largest: int
) -> None:
    tell(caches, *sizes)
    assert last_level_cache() == largest


@pytest.mark.parametrize(
    ("cache", "size"), [(0, 256 * MIB), (32 * MIB, 256 * MIB), (50 * MIB, 400 * MIB)]
)
def test_a_buffer_is_far_larger_than_the_cache(cache: int, size: int) -> None:
    assert buffer_bytes(cache) == size


def test_bytes_read_and_written_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four copies of 2 x 1 MiB, the fastest in a quarter of a second."""
    lengths = iter([1.0, 0.25, 0.5, 1.0, 1.0])
    now = [0.0]
    readings = [0]

    def clock() -> float:
        readings[0] += 1
        if readings[0] % 2 == 0:
            now[0] += next(lengths)
        return now[0]

    free = SimpleNamespace(available=8 * MIB, total=8 * MIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(bandwidth, "perf_counter", clock)
    assert copy_bandwidth(1) == pytest.approx(2 * MIB / 0.25 / 1e9)
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(("free", "granted"), [(80, 900), (900, 80)])
def test_a_full_machine_and_a_small_group_are_left_most_of_their_memory(
    monkeypatch: pytest.MonkeyPatch, free: int, granted: int
) -> None:
    made: list[int] = []
    create = torch.zeros

    def zeros(size: int, **more: torch.dtype) -> torch.Tensor:
        made.append(size)
        return create(size, **more)  # type: ignore[call-overload,no-any-return]

    there = SimpleNamespace(available=free * MIB, total=2**40)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: there)
    monkeypatch.setattr(memory, "memory_limits", lambda: [granted * MIB])
    monkeypatch.setattr(torch, "zeros", zeros)
    monkeypatch.setattr(bandwidth, "SECONDS", 0.0)
    assert copy_bandwidth(1) > 0
    assert made == [10 * MIB]


def test_enough_calls_and_enough_time() -> None:
    times = iter([3.0, 2.0, 4.0, 1.0])
    assert fastest(lambda: next(times), 2, 0.0) == 2.0
    assert fastest(lambda: next(times), 1, 4.5) == 1.0
