"""Refusing shapes that cannot be computed here, before the machine is brought to its knees."""

from export.cgroup import memory_limits
from export.request import ExportRequest
from hifigan_ref.errors import HifiError

FLOAT = 4  # bytes
LIBRARIES = 350 * 10**6  # bytes of a process that has PyTorch and onnxruntime
MEMBER = 160 * 10**6  # bytes of one member's weights, of which there are several copies at once


def usable_bytes() -> int:
    """Memory of the machine, or the least that a control group grants this process."""
    import psutil

    return min([psutil.virtual_memory().total, *memory_limits()])


def demand(request: ExportRequest, batch: int, samples: int, in_float64: bool) -> None:
    """Refuse what exceeds the memory that this process may use, whoever else uses some of it.

    All feature maps are there twice while they are compared, or while parts of a batch in float64
    are joined; where scores alone come out, once.

    Args:
        request: what is computed.
        batch: N of each input.
        samples: T of each input.
        in_float64: whether PyTorch computes it in float64.

    Raises:
        HifiError: the least that it takes is more.
    """
    floats = batch * len(request.inputs) * samples * request.variant.floats_per_sample()
    each = FLOAT * (2 if in_float64 else 1) * (2 if request.outputs == "all" else 1)
    needed = LIBRARIES + MEMBER * len(request.variant.members()) + floats * each
    there = usable_bytes()
    if needed > there:
        raise HifiError(
            f"{request.variant} on {batch} x {samples} samples needs at least {needed / 1e9:.1f} "
            f"GB to be checked, this process may use {there / 1e9:.1f} GB: choose a smaller batch "
            "or fewer samples, or give it more"
        )
