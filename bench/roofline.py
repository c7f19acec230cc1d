"""The speed that this machine reaches on a matrix product, which 100 per cent stands for."""

from time import perf_counter

from bench.records import Ceiling

SIZE = 2048
SECONDS = 1.0
CALLS = 5


def measure_ceiling(threads: int) -> Ceiling:
    """Multiply square float32 matrices for a second; the fastest product counts."""
    import torch

    torch.set_num_threads(threads)
    left, right = torch.randn(2, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    product = torch.empty(SIZE, SIZE)
    times: list[float] = []
    while len(times) < CALLS or sum(times) < SECONDS:
        start = perf_counter()
        torch.mm(left, right, out=product)
        times.append(perf_counter() - start)
    return Ceiling(2 * SIZE**3 / min(times) / 1e9, SIZE, threads)
