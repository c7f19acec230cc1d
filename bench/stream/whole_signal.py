"""The signal that is computed, and what PyTorch makes of it in float64."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from bench.stream.wish import Wish
from export import memory
from export.layers import count_layers
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.examples import example, source_of
from hifigan_ref.input_files import check_files
from hifigan_ref.network import BATCH

if TYPE_CHECKING:
    import onnx_ir as ir

    from export.streaming.field import Field

SECONDS = 4.0
LONG = 1 << 10  # elements of time beside which a padding is short
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Signal:
    """A network's inputs, how time lies in its graph, and what is right.

    Attributes:
        wish: what is measured.
        model: the plain graph of the whole network, of any length.
        field: the same along time.
    """

    wish: Wish
    model: "ir.Model"
    field: "Field"

    @cached_property
    def needed(self) -> tuple[int, int]:
        """Elements in front of a part and behind it that decide it. Raises HifiError."""
        from export.streaming.context import context_in

        found = context_in(self.field)
        return found.left, found.right

    @property
    def unit(self) -> str:
        """Name of the axis of time."""
        return self.field.unit

    @cached_property
    def unit_s(self) -> float | None:
        """Seconds of an element; None where nobody says. Raises HifiError where two do."""
        known, rate = self.wish.variant.signature.axes[self.unit].unit_s, self.wish.rate
        if rate is None:
            return known
        if known is not None:
            raise HifiError(
                f"--rate {rate}: {self.wish.variant} itself says how long one of its {self.unit} "
                "lasts: leave it out"
            )
        outputs = [str(value.name) for value in self.model.graph.outputs]
        return float(max(self.field.rates[name] for name in outputs)) / rate

    @cached_property
    def length(self) -> int:
        """Elements of it, a multiple of what the network repeats after.

        Raises:
            HifiError: it was said twice, or not at all.
        """
        told, seconds, unit_s = self.wish.sizes.get(self.unit), self.wish.seconds, self.unit_s
        if told is not None and seconds is not None:
            raise HifiError(
                f"--axis {self.unit}={told} and --seconds {seconds:g}: give one of the two"
            )
        if told is None and unit_s is None:
            raise HifiError(
                f"how long one of the {self.unit} lasts is not known: say the audio's rate, as in "
                f"--rate 22050, or how many the signal has with --axis {self.unit}=4096"
            )
        if told is None:
            told = round((SECONDS if seconds is None else seconds) / (unit_s or 1))
        grain = self.field.grain
        return max(grain, told // grain * grain)

    @cached_property
    def inputs(self) -> Arrays:
        """Of one item. Raises HifiError where lengths, memory or files do not fit."""
        request = self.wish.plain
        sizes = request.sized({BATCH: 1, **self.wish.sizes, self.unit: self.length})
        sizes = {name: sizes[name] for name in request.signature.axes}
        memory.demand(request, sizes, in_float64=True)
        ports, files = request.signature.inputs, self.wish.inputs
        check_files(files, ports)
        return example(ports, sizes, audio.speech(), loud=True, files=files)

    @property
    def source(self) -> str:
        """What its values are."""
        ports = self.wish.plain.signature.inputs
        return source_of(ports, audio.speech(), self.wish.inputs)

    @cached_property
    def exact(self) -> Arrays:
        """Outputs of the network as trained, in float64."""
        from export.interface import interface
        from export.torch_outputs import run_in_float64

        trained = self.wish.weights.build(self.wish.variant)
        return run_in_float64(interface(trained.module, self.wish.plain), self.inputs)

    @cached_property
    def flops_per_element(self) -> float:
        """Of the whole network: what one more element of the inputs' time adds."""
        return flops_per_element(self.model, self.unit, self.field.grain)


def signal_of(wish: Wish) -> Signal:
    """The whole network's graph, and time in it.

    Raises:
        HifiError: the export is refused, or the context is not finite.
    """
    import onnx_ir as ir

    from export.cache import cached_export
    from export.streaming.field import field_of

    file = cached_export(wish.plain, wish.weights.identity, wish.weights.build)
    model = ir.load(file.path)
    found = Signal(wish, model, field_of(model))
    assert found.needed, "it is asked for now, so that it is refused now"
    return found


def flops_at(model: "ir.Model", lengths: Mapping[str, int]) -> int:
    """Of a graph, on one item where nothing else is said."""
    names = {
        each for v in model.graph.inputs for each in v.shape or () if not isinstance(each, int)
    }
    sizes = {str(each.value): lengths.get(str(each.value), 1) for each in names}
    return sum(layer.flops for layer in count_layers(model, sizes))


def flops_per_element(model: "ir.Model", unit: str, grain: int) -> float:
    """What one more element adds, wherever the signal begins and ends.

    Args:
        model: of any length.
        unit: name of the axis of time.
        grain: elements after which everything repeats.
    """
    near, far = (times * grain * -(-LONG // grain) for times in (1, 2))
    more = flops_at(model, {unit: far}) - flops_at(model, {unit: near})
    return more / (far - near)
