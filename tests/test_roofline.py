"""The ceiling: the fastest of enough matrix products, on the threads that were asked for."""

from collections.abc import Iterator
from itertools import chain, repeat

import pytest
import torch

from bench import roofline
from bench.roofline import CALLS, measure_ceiling

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
