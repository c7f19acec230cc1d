"""The speed that this machine reaches on a matrix product, which 100 per cent stands for."""

from time import perf_counter

from bench.records import Ceiling, Skipped

SIZE = 2048
GPU_SIZE = 8192
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


def measure_gpu_ceiling() -> Ceiling | Skipped:
    """The same on the first GPU, TF32 off, by its own clock; or why it was not measured."""
    import torch

    if not torch.cuda.is_available():
        return Skipped("PyTorch has no GPU here")
    torch.backends.cuda.matmul.allow_tf32 = False
    left, right = torch.randn(2, GPU_SIZE, GPU_SIZE, device="cuda")
    product = torch.empty_like(left)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    times: list[float] = []
    while len(times) < CALLS or sum(times) < SECONDS:
        start.record()
        torch.mm(left, right, out=product)
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return Ceiling(2 * GPU_SIZE**3 / min(times) / 1e9, GPU_SIZE, threads=0)
