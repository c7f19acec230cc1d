"""A folded network as an ONNX graph.

The network is traced with ``torch.fx`` on symbols instead of numbers: a branch on a length is an
error there, so none can be frozen. Each traced operation then becomes its ONNX form.
"""

from typing import Any

import onnx_ir as ir
from torch import fx, nn

from export import ops, opset
from export.artifact import PRODUCER
from export.builder import Builder, shape_of
from export.interface import interface
from export.request import ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.version import VERSION


def to_onnx(network: nn.Module, request: ExportRequest) -> ir.Model:
    """The request's graph around a network without norms."""
    function = interface(network, request)
    traced = fx.symbolic_trace(function)
    translator = _Translator(traced, request)
    shape = (request.batch or "batch", 1, request.samples or "samples")
    inputs = [ir.val(name, ir.DataType.FLOAT, shape) for name in request.inputs]
    outputs: dict[str, ir.Value] = translator.run(*inputs)
    for name, value in outputs.items():
        _name_output(name, value)
    graph = ir.Graph(
        inputs,
        list(outputs.values()),
        nodes=translator.builder.nodes,
        initializers=translator.builder.initializers,
        opset_imports={"": request.opset},
        name=str(request.variant),
    )
    return ir.Model(
        graph,
        ir_version=opset.ir_version(request.opset),
        producer_name=PRODUCER,
        producer_version=VERSION,
    )


def _name_output(name: str, value: ir.Value) -> None:
    value.name = name
    batch, *rest = shape_of(value)
    named = [f"{name}_frames" if extent is None else extent for extent in rest]
    value.shape = ir.Shape(["batch" if batch is None else batch, *named])
    node = value.producer()
    if node is not None and node.op_type != "Conv":  # a convolution keeps its layer's name
        node.name = name


class _Translator(fx.Interpreter):
    """Runs the traced code with graph values in the place of tensors."""

    def __init__(self, traced: fx.GraphModule, request: ExportRequest) -> None:
        super().__init__(traced, garbage_collect_values=False)
        self.extra_traceback = False  # our errors are one line and stay so
        self.builder = Builder()
        self._name = ""
        family = request.variant.family
        self._scopes = {
            f"network.discriminators.{i}.": f"{family}_{member}."
            if not request.variant.member
            else ""
            for i, member in enumerate(request.variant.members())
        }

    def run_node(self, n: fx.Node) -> Any:
        """Remember the node's name, which becomes that of its value."""
        self._name = n.name
        return super().run_node(n)

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A layer."""
        layer = self.fetch_attr(target)
        if type(layer) not in ops.MODULES:
            raise HifiError(_unknown(type(layer).__name__))
        name = str(target)
        for path, scope in self._scopes.items():
            name = name.replace(path, scope)
        name = name.removeprefix("network.")
        return ops.MODULES[type(layer)](self.builder, name, layer, *args, **kwargs)

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function or a tensor's method."""
        if target not in ops.FUNCTIONS:
            raise HifiError(_unknown(getattr(target, "__name__", str(target))))
        return ops.FUNCTIONS[target](self.builder, self._name, *args, **kwargs)

    call_method = call_function


def _unknown(operation: str) -> str:
    return (
        f"{operation} has no ONNX form here: the networks may use "
        f"{', '.join(sorted(_names()))}; write its form in export/ops.py"
    )


def _names() -> set[str]:
    functions = {f if isinstance(f, str) else f.__name__ for f in ops.FUNCTIONS}
    return functions | {module.__name__ for module in ops.MODULES}
