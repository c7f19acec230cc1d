"""An ONNX file, or a part of one, as a network that brings its own weights."""

import copy
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import onnx
import onnx_ir as ir

from export.foreign.part import Part, part_of, whole
from export.foreign.reading import check_known, read_graph
from hifigan_ref.errors import HifiError
from hifigan_ref.module_file import digest_of
from hifigan_ref.module_spec import ModuleSpec
from hifigan_ref.network import Footprint, Port, Signature
from hifigan_ref.one_part import OnePart
from hifigan_ref.probing import Probe, port_of

if TYPE_CHECKING:
    from torch import nn

    from export.foreign.graph_module import GraphModule

LAYOUT = ("batch", None, "frames")  # of what enters a convolution over time, its channels open


class OnnxNetwork(OnePart):
    """A graph in a file.

    Args:
        spec: which, or which part of it.

    Raises:
        HifiError: it cannot be read, or an operation of it is not known.
    """

    def __init__(self, spec: ModuleSpec) -> None:
        self.spec = spec.of_source(digest_of(spec.file))
        self.name = str(self.spec)
        self.model = read_graph(spec.file)
        self.part = part_of(self.model, spec.name, spec.file) if spec.name else whole(self.model)
        check_known(spec.file, self.part.nodes)

    def build(self, parts: Sequence[str] = ()) -> "nn.Module":
        """Its function, with the file's weights."""
        del parts
        return copy.deepcopy(self._module)

    def signature(self, parts: Sequence[str] = (), alone: bool = False) -> Signature:
        """Inputs as the file states them, outputs as its function makes them."""
        del parts, alone
        return self._signature

    def footprint(self, parts: Sequence[str]) -> Footprint:
        """Of its weights, and of its outputs at typical lengths."""
        del parts
        return self._footprint

    @cached_property
    def _module(self) -> "GraphModule":
        from export.foreign.graph_module import GraphModule

        return GraphModule(self.model, self.part).float().eval()

    @cached_property
    def _probe(self) -> Probe:
        shapes = _shapes(self.model, self.part)
        ports = [_port(name, value, shapes, self.spec) for name, value in self.part.inputs.items()]
        module = self._module  # made here: the probe builds without values
        return Probe(lambda: copy.deepcopy(module), ports, self.spec.told)

    @cached_property
    def _signature(self) -> Signature:
        return self._probe.signature()

    @cached_property
    def _footprint(self) -> Footprint:
        return self._probe.footprint(self._signature)


def _shapes(model: ir.Model, part: Part) -> Mapping[str, Sequence[int | str | None]]:
    """Of the inputs, as the file states them or as ONNX infers them."""
    stated = {str(v.name): v.shape for v in part.inputs.values()}
    if any(shape is None for shape in stated.values()):
        proto = onnx.shape_inference.infer_shapes(ir.to_proto(model))
        inferred = {each.name: each for each in proto.graph.value_info}
        known = {
            name: [d.dim_value if d.HasField("dim_value") else d.dim_param or None
                   for d in inferred[name].type.tensor_type.shape.dim]
            for name in stated if name in inferred
        }  # fmt: skip
    else:
        known = {}
    found = {}
    for name, shape in stated.items():
        dims = known.get(name, []) if shape is None else [_dim(each) for each in shape.dims]
        found[name] = dims
    return found


def _dim(dim: int | ir.SymbolicDim) -> int | str | None:
    return dim if isinstance(dim, int) else dim.value


def _port(
    name: str,
    value: ir.Value,
    shapes: Mapping[str, Sequence[int | str | None]],
    spec: ModuleSpec,
) -> Port:
    if value.dtype is not None and not value.dtype.is_floating_point():
        raise HifiError(
            f"{spec.told}: its input {name} holds {value.dtype.name}: only graphs of real numbers "
            "are networks here: name a part of it with --prefix, such as --prefix dec."
        )
    if not name.isidentifier():
        raise HifiError(f"{spec.told}: an input called {name!r}: rename it to a word")
    dims = list(shapes[str(value.name)])
    channels = _channels(value)
    if spec.name and channels is not None:  # a part's inputs have no axes of their own
        first, _, last = LAYOUT
        still = dims[-1] if len(dims) == 3 and isinstance(dims[-1], int) else last
        return port_of(name, (first, channels, still))
    if not dims:
        raise HifiError(f"{spec.told}: the shape of its input {name} is not known: state it")
    return port_of(name, tuple(_axis_name(name, i, dim) for i, dim in enumerate(dims)))


def _channels(value: ir.Value) -> int | None:
    """Of the one-dimensional convolution that reads a value; None where none does."""
    for use in value.uses():
        weight = use.node.inputs[1] if use.node.op_type in {"Conv", "ConvTranspose"} else None
        if weight is not None and weight.shape is not None and len(weight.shape) == 3:
            sizes = weight.shape.numpy()
            groups = use.node.attributes.get_int("group", 1)
            return int(sizes[0] if use.node.op_type == "ConvTranspose" else sizes[1] * groups)
    return None


def _axis_name(name: str, place: int, dim: int | str | None) -> int | str:
    """An axis as the file names it, in letters that every runtime takes."""
    if isinstance(dim, int):
        return dim
    word = re.sub(r"\W+", "_", dim or "").strip("_")
    usual = "batch" if place == 0 else f"{name}_{place}"
    return word if word.isidentifier() else usual
