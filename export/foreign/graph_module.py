"""A graph as a module of PyTorch: what weighs as layers of ``torch.nn``, the rest by the table.

It runs on tensors, and on symbols for a trace at any opset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.evaluate import opset_of, run_node
from export.foreign.layers import layer_of
from export.foreign.part import Part
from export.foreign.reading import has_graph
from export.operators.dtypes import exact
from hifigan_ref.errors import HifiError


@dataclass(frozen=True)
class Step:
    """A node to run.

    Attributes:
        node: of the graph.
        inputs: what it reads, by number of the value; None is left out.
        outputs: the numbers of what it makes.
        path: of the layer that computes it, or "".
        before: zeros around the layer's input.
        after: around its output.
    """

    node: ir.Node
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    path: str = ""
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    def __deepcopy__(self, _memo: object) -> "Step":
        """Itself: copies of a module may share what does not change."""
        return self


class Numbers(dict[ir.Value, int]):
    """Values of a graph in the order in which they were first asked for."""

    def __missing__(self, value: ir.Value) -> int:
        """The next number."""
        self[value] = len(self)
        return self[value]


class GraphModule(nn.Module):
    """A part of a graph.

    Whatever is computed of initializers alone is folded in float64, such as norms.

    Args:
        model: that the part is of.
        part: of it.
    """

    def __init__(self, model: ir.Model, part: Part) -> None:
        super().__init__()
        self._opset = opset_of(model)
        self._constants: dict[
            int | None, Tensor
        ] = {}  # whole numbers: no type of real ones is theirs
        self._buffers_of: dict[int, str] = {}
        numbers = Numbers()
        self._inputs = {name: numbers[value] for name, value in part.inputs.items()}
        fixed = _folded(model, part, self._opset)
        nodes = (node for node in part.nodes if not all(v in fixed for v in node.outputs))
        self._steps = [self._step(node, numbers, fixed) for node in nodes]
        self._outputs = {name: numbers[value] for name, value in part.outputs.items()}

    def forward(self, **inputs: Tensor) -> dict[str, Any]:
        """Outputs by name for inputs by name."""
        known: dict[int | None, Any] = {None: None}
        known.update(self._constants)
        known |= {number: getattr(self, name) for number, name in self._buffers_of.items()}
        known |= {self._inputs[name]: tensor for name, tensor in inputs.items()}
        for step in self._steps:
            given = [known[number] for number in step.inputs]
            try:
                made = self._run(step, given)
            except HifiError as error:
                raise HifiError(f"node {step.node.name} ({step.node.op_type}): {error}") from None
            known.update(zip(step.outputs, made, strict=False))
        return {name: known[number] for name, number in self._outputs.items()}

    def _run(self, step: Step, given: Sequence[Any]) -> tuple[Any, ...]:
        if not step.path:
            return run_node(step.node, given, self._opset)
        x = F.pad(given[0], step.before) if step.before else given[0]
        y = self.get_submodule(step.path)(x)
        return (F.pad(y, step.after) if step.after else y,)

    def _step(self, node: ir.Node, numbers: "Numbers", fixed: Mapping[ir.Value, Tensor]) -> Step:
        given = [None if value is None else fixed.get(value) for value in node.inputs]
        layer = layer_of(node, given)
        inputs = tuple(None if value is None else numbers[value] for value in node.inputs)
        outputs = tuple(numbers[value] for value in node.outputs)
        if layer is not None:
            path = self._place(_path(node), layer.module)
            return Step(node, inputs[:1], outputs, path, layer.before, layer.after)
        for value in node.inputs:
            if value is not None and value in fixed:
                self._hold(numbers[value], fixed[value])
        return Step(node, inputs, outputs)

    def _place(self, path: str, layer: nn.Module) -> str:
        """Hang a layer where its path says, in modules of no other use."""
        *above, last = path.split(".")
        home: nn.Module = self
        for name in above:
            if name not in home._modules:  # noqa: SLF001
                home.add_module(name, nn.Module())
            home = home.get_submodule(name)
        count, free = 0, last
        while hasattr(home, free):
            count += 1
            free = f"{last}_{count}"
        home.add_module(free, layer)
        return ".".join([*above, free])

    def _hold(self, number: int, tensor: Tensor) -> None:
        if not tensor.is_floating_point():
            self._constants[number] = tensor
        elif number not in self._buffers_of:
            name = self._buffers_of[number] = f"constant_{len(self._buffers_of)}"
            self.register_buffer(name, tensor)


def _folded(model: ir.Model, part: Part, opset: int) -> dict[ir.Value, Tensor]:
    """Everything that no input decides, real numbers in float64."""
    known = {
        value: exact(value.const_value.numpy())
        for value in model.graph.initializers.values()
        if value.const_value is not None and value not in part.inputs.values()
    }
    with torch.no_grad():
        for node in model.graph:
            given = [value for value in node.inputs if value is not None]
            if given and all(value in known for value in given) and not has_graph(node):
                try:
                    read = [None if v is None else known[v] for v in node.inputs]
                    made = run_node(node, read, opset)
                except HifiError:
                    continue  # of a part that nobody asked for
                known.update(zip(node.outputs, made, strict=False))
    return known


def _path(node: ir.Node) -> str:
    """What a layer is called.

    1. As its weight, where that has a name of its own: ``dec.ups.0`` of ``dec.ups.0.weight``.
    2. Else as the scope of its node: ``dec.ups.0`` of ``/dec/ups.0/ConvTranspose``.
    3. Else as its node.
    """
    weight = "" if node.inputs[1] is None else str(node.inputs[1].name)
    if weight.endswith(".weight"):
        found = weight.removesuffix(".weight")
    else:
        found = str(node.name or node.outputs[0].name).replace("/", ".")
        found = found.removesuffix(f".{node.op_type}")
    parts = [each for each in found.replace(":", "_").split(".") if each]
    return ".".join(parts) or node.op_type
