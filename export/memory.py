"""Refusing shapes that cannot be computed here, before the machine is brought to its knees."""

from math import prod

from export.cgroup import memory_limits
from export.request import ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH, Sizes, in_words
from hifigan_ref.views import SCORES

FLOAT = 4  # bytes
LIBRARIES = 350 * 10**6  # bytes of a process that has PyTorch and onnxruntime
COPIES = 4  # of the weights, at once


def usable_bytes() -> int:
    """Memory of the machine, or the least that a control group grants this process."""
    import psutil

    return min([psutil.virtual_memory().total, *memory_limits()])


def demand(request: ExportRequest, sizes: Sizes, in_float64: bool) -> None:
    """Refuse what exceeds the memory that this process may use, whoever else uses some of it.

    All outputs are there twice while they are compared, or while parts of a batch in float64 are
    joined; where scores alone come out, once.

    Args:
        request: what is computed.
        sizes: a length for each axis.
        in_float64: whether PyTorch computes it in float64.

    Raises:
        HifiError: the least that it takes is more.
    """
    held = request.variant.footprint
    elements = sum(prod(port.sized(sizes)) for port in request.signature.inputs)
    each = FLOAT * (2 if in_float64 else 1) * (1 if SCORES in request.views else 2)
    needed = LIBRARIES + COPIES * FLOAT * held.parameters + elements * held.floats * each
    there = usable_bytes()
    if needed > there:
        raise HifiError(
            f"{request.variant} on {sizes.get(BATCH, 1)} x {in_words(sizes)} needs at least "
            f"{needed / 1e9:.1f} GB to be checked, this process may use {there / 1e9:.1f} GB: "
            "choose smaller lengths, or give it more"
        )
