"""Weights from a seed that keep every layer alive, so that a comparison of outputs means something.

Default initialisation shrinks the signal until the score is nearly its last bias, and any export
agrees with it. Here each layer is drawn when the shipped clip reaches it, so that its activations
have a root mean square near 1. Under spectral norm the gain of a layer is bounded (its largest
singular value is 1, and the first layer spreads 15 samples over 128 channels): there the weights
are turned towards the signal, which brings the activations up to 1 within a few layers.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv1d_weight, conv2d_weight
from torch.utils.hooks import RemovableHandle

from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.examples import example
from hifigan_ref.network import BATCH
from hifigan_ref.norms import norm_of
from hifigan_ref.trained import Conv, Trained, convolutions, finish
from hifigan_ref.variant import Variant
from hifigan_ref.vocoder import Vocoder

GAIN = nn.init.calculate_gain("leaky_relu", 0.1)  # RMS before the activation, so that it is 1 after
BIAS = 0.1  # of the RMS of the layer's output
AUDIO = 2.0**-2  # of the gain, for the layer that gives audio: tanh neither bends nor clips it
TINY = 1e-12
UNNORMALISED = 3.0  # raw spectral weights are this many times their normalised ones


@dataclass(frozen=True)
class Seeded:
    """A source of weights: a seed and nothing else."""

    seed: int = 0

    def build(self, variant: Variant) -> Trained:
        """A member's weights depend on the seed and its own name, not on its neighbours."""
        network, parts = variant.network, variant.members()
        if isinstance(network, Vocoder) and network.speaker is not None:
            raise HifiError(f"{variant}: speakers are in a checkpoint alone: add --checkpoint FILE")
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)  # whatever is not a layer keeps what its class gives it
            module = network.build(parts).double().eval()
        hooks: list[RemovableHandle] = []
        reached: list[Conv] = []
        for part, place in (network.scopes(parts) or {"": ""}).items():
            named = f"{variant.family}-{part}" if part else str(variant)
            generator = _generator(f"{self.seed}/{named}")
            layers = convolutions(module.get_submodule(place)).values()
            hooks += [_fill_when_reached(layer, generator, reached) for layer in layers]
        signature = variant.signature
        inputs = example(signature.inputs, {**signature.typical, BATCH: 1}, audio.clip())
        function = network.function(module, parts, variant.member is not None)
        with torch.no_grad():
            function(**{name: torch.from_numpy(array).double() for name, array in inputs.items()})
        for hook in hooks:
            hook.remove()  # of layers that the network does not use
        if any(port.role == "waveform" for port in signature.outputs):
            _quieten(reached[-1])
        return finish(variant, module, f"seed {self.seed}")


def _generator(name: str) -> torch.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _fill_when_reached(
    conv: Conv, generator: torch.Generator, reached: list[Conv]
) -> RemovableHandle:
    def fill(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        assert layer is conv
        fill = {"spectral_norm": _fill_spectral, "weight_norm": _fill_weight_norm}
        fill.get(norm_of(conv), _fill_plain)(conv, inputs[0], generator)
        reached.append(conv)
        hook.remove()

    hook = conv.register_forward_pre_hook(fill)
    return hook


def _fill_weight_norm(conv: Conv, x: Tensor, generator: torch.Generator) -> None:
    drawn = _normal(conv.weight.shape, generator)
    rms = _response(conv, drawn)(x).square().mean().sqrt().item()
    gain = float(f"{GAIN / rms:.3g}")  # three digits: the same bits for any thread count
    norm = drawn.flatten(1).norm(dim=1).view(-1, *[1] * (drawn.dim() - 1))
    # The direction gets a length of its own: a reader that ignores g must not get away with it.
    length = 2.0 ** _normal(norm.shape, generator)
    state = conv.state_dict()  # shares its tensors with the layer
    state["parametrizations.weight.original0"].copy_(gain * norm)
    state["parametrizations.weight.original1"].copy_(drawn * length)
    _fill_bias(conv, BIAS * GAIN, generator)


def _fill_plain(conv: Conv, x: Tensor, generator: torch.Generator) -> None:
    drawn = _normal(conv.weight.shape, generator)
    rms = _response(conv, drawn)(x).square().mean().sqrt().item()
    conv.weight.data = float(f"{GAIN / max(rms, TINY):.3g}") * drawn
    _fill_bias(conv, BIAS * GAIN, generator)


def _fill_spectral(conv: Conv, x: Tensor, generator: torch.Generator) -> None:
    flat = nn.init.orthogonal_(torch.empty_like(conv.weight).double(), generator=generator)
    aligned = _aligned(conv, x, generator)
    share = 1.0
    while True:
        weight = ((1 - share) * flat + share * aligned).bfloat16().double()
        weight /= _top_singular(weight)[0]
        rms = _response(conv, weight)(x).square().mean().sqrt().item()
        if rms <= GAIN * 2**0.5 or share < 1e-3:
            break
        share /= 2
    raw = (UNNORMALISED * weight).bfloat16().double()  # coarse: the same bits for any thread count
    _, u, v = _top_singular(raw)
    state = conv.state_dict()  # shares its tensors with the layer
    for name, value in (("original", raw), ("0._u", u), ("0._v", v)):
        state[f"parametrizations.weight.{name}"].copy_(value)
    _fill_bias(conv, BIAS * float(f"{rms:.3g}"), generator)


def _aligned(conv: Conv, x: Tensor, generator: torch.Generator) -> Tensor:
    """Random sums of the patches that the layer sees, with largest singular value 1.

    A sum of patches is what the gradient of a convolution with respect to its weight is.
    """
    noise = _normal(_response(conv, conv.weight)(x).shape, generator)
    gradient = conv1d_weight if isinstance(conv, nn.Conv1d) else conv2d_weight
    weight: Tensor = gradient(  # type: ignore[no-untyped-call]
        x, conv.weight.shape, noise, conv.stride, conv.padding, conv.dilation, conv.groups
    )
    return weight / _top_singular(weight)[0]


def _top_singular(weight: Tensor) -> tuple[float, Tensor, Tensor]:
    """Largest singular value of (out, everything else) and its vectors u, v, by power iteration."""
    matrix = weight.flatten(1)
    u = F.normalize(torch.ones_like(matrix[:, 0]), dim=0)
    sigma = 0.0
    for _ in range(1000):
        v = F.normalize(matrix.T @ u, dim=0)
        product = matrix @ v
        previous, sigma = sigma, product.norm().item()
        u = product / sigma
        if abs(sigma - previous) <= 1e-10 * sigma:
            break
    return sigma, u, v


def _response(conv: Conv, weight: Tensor) -> Callable[[Tensor], Tensor]:
    """The layer without bias and with another weight."""
    if isinstance(conv, nn.Linear):
        return lambda x: F.linear(x, weight)
    if isinstance(conv, nn.ConvTranspose1d | nn.ConvTranspose2d):
        flat = isinstance(conv, nn.ConvTranspose1d)
        transposed: Any = F.conv_transpose1d if flat else F.conv_transpose2d
        rest = (conv.stride, conv.padding, conv.output_padding, conv.groups, conv.dilation)
        return lambda x: transposed(x, weight, None, *rest)
    return lambda x: conv._conv_forward(x, weight, None)  # noqa: SLF001


def _fill_bias(conv: Conv, scale: float, generator: torch.Generator) -> None:
    if conv.bias is not None:
        conv.bias.data = scale * _normal(conv.bias.shape, generator)


def _quieten(conv: Conv) -> None:
    """Bring what a layer computes to the level of speech."""
    state = conv.state_dict()  # shares its tensors with the layer
    for name in ("weight", "parametrizations.weight.original0", "bias"):
        if name in state:
            state[name].mul_(AUDIO)


def _normal(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Standard normal float32 values, held in float64."""
    return torch.randn(shape, generator=generator).double()
