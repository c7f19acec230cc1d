"""The ceilings of this machine: matrix products in each precision, and copies of its memory.

A precision that a device can only emulate has no ceiling: its number would be no limit of anything.
"""

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from bench.machine.bandwidth import by_events, copy_bandwidth, fastest, gpu_copy_bandwidth
from bench.records import Ceiling, Precision, Skipped
from export.cpu import multiplies
from export.precision.budget import PRECISIONS

if TYPE_CHECKING:
    import torch

SIZE = 2048
GPU_SIZE = 8192
SECONDS = 1.0
CALLS = 5
INT8_SPREAD = 32  # standard deviation: zeros alone would draw less power
NO_GPU = Skipped("PyTorch has no GPU here")


def measure_ceilings(threads: int) -> tuple[Ceiling, ...]:
    """Of the CPU in every precision that it has, float32 first; a second each, and one to copy."""
    found = [measure_ceiling(threads, precision) for precision in cpu_precisions()]
    speed = copy_bandwidth(threads)
    return tuple(replace(ceiling, gb_per_second=speed) for ceiling in found)


def measure_gpu_ceilings() -> tuple[Ceiling, ...]:
    """Of the first GPU in every precision that it has, float32 first; none without a GPU."""
    import torch

    if not torch.cuda.is_available():
        return ()
    found = [_gpu_product(precision) for precision in gpu_precisions()]
    speed = gpu_copy_bandwidth()
    return tuple(replace(ceiling, gb_per_second=speed) for ceiling in found)


def highest(one: Ceiling, other: Ceiling) -> Ceiling:
    """The better of two measurements in each respect."""
    return replace(
        one,
        gflop_per_second=max(one.gflop_per_second, other.gflop_per_second),
        gb_per_second=max(one.gb_per_second, other.gb_per_second),
    )


def cpu_precisions() -> tuple[Precision, ...]:
    """Those that PyTorch has instructions for on this CPU, as far as its system tells them."""
    wanted: tuple[Precision, ...] = ("bf16", "fp16", "int8")
    return ("fp32", *filter(multiplies, wanted))


def gpu_precisions() -> tuple[Precision, ...]:
    """Those that the first GPU has units for."""
    import torch

    ampere = torch.cuda.get_device_capability(0) >= (8, 0)
    return ("fp32", "tf32", "bf16", "fp16", "int8") if ampere else ("fp32", "fp16")


def measure_ceiling(threads: int, precision: Precision = "fp32") -> Ceiling:
    """Of the CPU in one precision, without its memory: the fastest product of a second counts."""
    import torch

    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    product = _multiplication(torch.randn(2, SIZE, SIZE, generator=generator), precision)

    def multiply() -> float:
        start = perf_counter()
        product()
        return perf_counter() - start

    seconds = fastest(multiply, CALLS, SECONDS)
    return Ceiling(2 * SIZE**3 / seconds / 1e9, SIZE, threads, precision)


def _gpu_product(precision: Precision) -> Ceiling:
    import torch

    from bench.torch_numerics import numerics

    generator = torch.Generator("cuda").manual_seed(0)
    shape = (2, GPU_SIZE, GPU_SIZE)
    factors = torch.randn(shape, device="cuda", generator=generator)
    timed = by_events(_multiplication(factors, precision))
    with numerics(tf32=precision == "tf32", benchmark=False):
        seconds = fastest(timed, CALLS, SECONDS)
    return Ceiling(2 * GPU_SIZE**3 / seconds / 1e9, GPU_SIZE, threads=0, precision=precision)


def _multiplication(factors: "torch.Tensor", precision: Precision) -> "Callable[[], torch.Tensor]":
    """The product of two matrices (2, n, n) in a precision; of int8 summed in 32 bits."""
    import torch

    if precision == "int8":
        a, b = (INT8_SPREAD * factors).to(torch.int8)
        sums = torch.empty(a.shape, dtype=torch.int32, device=a.device)
        return lambda: torch._int_mm(a, b.t(), out=sums)  # noqa: SLF001 - no public one is there
    left, right = factors.to(PRECISIONS[precision].dtype)
    product = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=product)
