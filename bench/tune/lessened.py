"""A graph in a precision that its runtime reads from the file: as fast as an export, less exact.

Ranges of int8 are one for all, because times do not depend on them.
"""

from typing import TYPE_CHECKING

from export.precision.layers import Layers, in_nodes
from export.precision.material import lessen, reads
from export.precision.plan import PrecisionPlan
from export.precision.ranges import Range

if TYPE_CHECKING:
    import onnx_ir as ir

REACH = 4.0  # of noise of unit variance; beyond are 6 of 100,000


def lessened(model: "ir.Model", layers: Layers, plan: PrecisionPlan) -> "ir.Model":
    """The graph with each layer in its precision.

    Args:
        model: in float32, rewritten; convolutions read values near unit variance.
        layers: precision by name in the plain graph.
        plan: types of inputs, outputs and integers.
    """
    nodes = in_nodes(model, layers)
    everywhere = Range(-REACH, REACH, plan.activations)
    return lessen(model, nodes, plan, dict.fromkeys(reads(model, nodes).values(), everywhere))
