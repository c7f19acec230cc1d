"""The form of a convolution that no plan names: plain, but for a transposed one in bf16."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from export.lowering.rule import Form
from export.lowering.rules.polyphase import Polyphase

if TYPE_CHECKING:
    from export.builder import Extent
    from export.lowering.convolution import Convolution


def unplanned(conv: "Convolution", shape: "Sequence[Extent]", precision: str) -> Form:
    """The form of a layer that no plan names.

    TensorRT for RTX has no kernel for transposed convolutions in bf16, and OpenVINO computes them
    in float32 (docs/lowerings.md).

    Args:
        conv: the layer.
        shape: of its input.
        precision: that it is asked to compute in.
    """
    rule = Polyphase()
    if precision != "bf16" or not conv.transposed or rule.refuses(conv, shape) is not None:
        return ()
    return (rule.name,)
