"""HiFi-GAN's discriminators in numpy float64, written from the published layer table.

An independent judge of the PyTorch reference and of the ONNX exports: numpy only, and no code
shared with either. Eval mode, leaky ReLU slope 0.1, zero padding in every convolution.

Sources: Kong, Kim, Bae, "HiFi-GAN" (arXiv 2010.05646), section 2.3, and the layer
table of jik876/hifi-gan (`MultiPeriodDiscriminator`, `MultiScaleDiscriminator`).

Shapes: N batch, C channels, T samples, T' time steps of a layer, L score length, K taps,
G groups, I and O input and output channels.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

State = Mapping[str, NDArray[Any]]
Array = NDArray[np.float64]

SLOPE = 0.1
STRETCH = 512  # time steps whose windows are copied at once: they should fit a cache
PERIODS = (2, 3, 5, 7, 11)
SCALES = (0, 1, 2)


class Layer(NamedTuple):
    """One convolution; its weight is (outputs, inputs / groups, kernel), or (..., kernel, 1)."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    groups: int


# Both stacks end in conv_post, the only layer without an activation.
PERIOD_LAYERS = (
    Layer(1, 32, 5, 3, 2, 1),
    Layer(32, 128, 5, 3, 2, 1),
    Layer(128, 512, 5, 3, 2, 1),
    Layer(512, 1024, 5, 3, 2, 1),
    Layer(1024, 1024, 5, 1, 2, 1),
    Layer(1024, 1, 3, 1, 1, 1),
)
SCALE_LAYERS = (
    Layer(1, 128, 15, 1, 7, 1),
    Layer(128, 128, 41, 2, 20, 4),
    Layer(128, 256, 41, 2, 20, 16),
    Layer(256, 512, 41, 4, 20, 16),
    Layer(512, 1024, 41, 4, 20, 16),
    Layer(1024, 1024, 41, 1, 20, 16),
    Layer(1024, 1024, 5, 1, 2, 1),
    Layer(1024, 1, 3, 1, 1, 1),
)


# ---------------------------------------------------------------------------------------- norms


def _weight_norm(g: NDArray[Any], v: NDArray[Any]) -> Array:
    """Weight norm, g * v / |v|, the norm over all dimensions but 0 (arXiv 1602.07868, eq. 2).

    g: (O, 1, 1) or (O, 1, 1, 1). v: (O, I/G, K) or (O, I/G, K, 1). Returns v's shape.
    """
    g, v = np.asarray(g, np.float64), np.asarray(v, np.float64)
    if g.shape != v.shape[:1] + (1,) * (v.ndim - 1):
        raise ValueError(f"weight norm: g {g.shape} does not fit v {v.shape}")
    norm = np.sqrt(np.sum(v * v, axis=tuple(range(1, v.ndim)), keepdims=True))
    return np.asarray(v * (g / norm), np.float64)


def _spectral_norm(weight: NDArray[Any], u: NDArray[Any], v: NDArray[Any]) -> Array:
    """Spectral norm in eval mode, W / (u . W v), no iteration (arXiv 1802.05957, section 2.1).

    weight: (O, I/G, K) or (O, I/G, K, 1). u: (O,). v: (I/G * K,). Returns weight's shape.
    """
    weight, u, v = (np.asarray(a, np.float64) for a in (weight, u, v))
    matrix = weight.reshape(weight.shape[0], -1)
    if matrix.shape != u.shape + v.shape:
        raise ValueError(f"spectral norm: W {weight.shape}, u {u.shape}, v {v.shape}")
    return np.asarray(weight / (u @ (matrix @ v)), np.float64)


def _plain(weight: NDArray[Any]) -> Array:
    """A tensor as it is, (...) -> (...), in float64."""
    return np.asarray(weight, np.float64)


# What one parameter may be spelled as: the suffixes of its parts, in the order the function
# takes them. The first suffix of each row occurs in no other row and decides; `.weight_v`, which
# means two different things, decides nothing. `torch.nn.utils.weight_norm` and `spectral_norm`,
# and their namesakes in `torch.nn.utils.parametrizations`.
_SPELLINGS: tuple[tuple[tuple[str, ...], str, Callable[..., Array]], ...] = (
    ((".bias",), ".bias", _plain),
    ((".weight",), ".weight", _plain),
    ((".weight_g", ".weight_v"), ".weight", _weight_norm),
    ((".weight_orig", ".weight_u", ".weight_v"), ".weight", _spectral_norm),
    (
        (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
        ".weight",
        _weight_norm,
    ),
    (
        (
            ".parametrizations.weight.original",
            ".parametrizations.weight.0._u",
            ".parametrizations.weight.0._v",
        ),
        ".weight",
        _spectral_norm,
    ),
)


def fold(state: State) -> dict[str, Array]:
    """Fold weight norm and spectral norm away, in float64; a folded state comes back as it is.

    state: `X.bias` (O,) and any spelling of X's weight, (O, I/G, K) or (O, I/G, K, 1): `weight`;
    `weight_g`, `weight_v`; `weight_orig`, `weight_u`, `weight_v`;
    `parametrizations.weight.original0`, `.original1`; or `parametrizations.weight.original`,
    `.0._u`, `.0._v`. Returns `X.weight` and `X.bias` of the same shapes. ValueError where a part
    is missing, left over, or a weight is there in two spellings.
    """
    folded: dict[str, Array] = {}
    used: set[str] = set()
    for key in state:
        for suffixes, suffix, function in _SPELLINGS:
            if not key.endswith(suffixes[0]):
                continue
            stem = key.removesuffix(suffixes[0])
            parts = [stem + part for part in suffixes]
            missing = [part for part in parts if part not in state]
            if missing or stem + suffix in folded:
                raise ValueError(f"{key}: missing {missing}" if missing else f"{key}: ambiguous")
            folded[stem + suffix] = function(*(state[part] for part in parts))
            used.update(parts)
    if left := sorted(set(state) - used):
        raise ValueError(f"keys that belong to no known parameter: {left}")
    return folded


# --------------------------------------------------------------------------------------- layers


def _tap(x: NDArray[Any], start: int, stride: int, length: int) -> NDArray[Any]:
    """Every stride-th sample from start on: (..., T) -> (..., length)."""
    return x[..., start : start + stride * (length - 1) + 1 : stride]


def _pad_zeros(x: Array, padding: int) -> Array:
    """Zeros on both sides of the last axis: (..., T) -> (..., T + 2 padding)."""
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(padding, padding)])


def _convolve(x: Array, weight: Array, bias: Array, layer: Layer) -> Array:
    """Grouped, strided, zero-padded 1-D cross-correlation, one matrix product per stretch of time.

    x: (N, I, T). weight: (O, I/G, K). bias: (O,). Returns (N, O, T') with
    T' = (T + 2 padding - K) // stride + 1. The sum of the documentation of `torch.nn.Conv1d`.
    """
    batch, groups = x.shape[0], layer.groups
    padded = _pad_zeros(x, layer.padding)
    windows = sliding_window_view(padded, layer.kernel, axis=-1)[:, :, :: layer.stride]
    length = windows.shape[2]
    rows = weight.reshape(groups, layer.outputs // groups, -1)  # (G, O/G, I/G K)
    y = np.empty((batch, layer.outputs, length))
    for start in range(0, length, STRETCH):
        # (N, I, S, K) -> (G, I/G K, N S)
        stretch = windows[:, :, start : start + STRETCH].transpose(1, 3, 0, 2)
        products = rows @ stretch.reshape(groups, rows.shape[-1], -1)
        # (G, O/G, N S) -> (N, O, S)
        done = products.reshape(layer.outputs, batch, -1).transpose(1, 0, 2)
        y[..., start : start + STRETCH] = done + bias[:, None]
    return y


def _leaky_relu(x: Array) -> Array:
    """max(x, 0.1 x), elementwise: (...) -> (...)."""
    return np.asarray(np.maximum(x, SLOPE * x), np.float64)


def _parameters(
    state: State, layers: Sequence[Layer], unit: tuple[int, ...]
) -> list[tuple[Array, Array]]:
    """The folded (weight (O, I/G, K), bias (O,)) of each layer, checked against the table.

    state: one sub-discriminator, raw or folded, weights (O, I/G, K) + unit; unit is () for
    Conv1d and (1,) for Conv2d, whose last axis is dropped.
    """
    folded = fold(state)
    names = [f"convs.{j}" for j in range(len(layers) - 1)] + ["conv_post"]
    parameters = []
    for name, layer in zip(names, layers, strict=True):
        try:
            weight, bias = folded.pop(f"{name}.weight"), folded.pop(f"{name}.bias")
        except KeyError as error:
            raise ValueError(f"no {error} in the state") from None
        shape = (layer.outputs, layer.inputs // layer.groups, layer.kernel)
        if weight.shape != shape + unit or bias.shape != shape[:1]:
            raise ValueError(f"{name}: weight {weight.shape}, bias {bias.shape}, not {layer}")
        parameters.append((weight.reshape(shape), bias))
    if folded:
        raise ValueError(f"not in the layer table: {sorted(folded)}")
    return parameters


def _stack(
    x: Array, parameters: Sequence[tuple[Array, Array]], layers: Sequence[Layer]
) -> list[Array]:
    """All feature maps: the activation after each convolution, then the raw conv_post.

    x: (N, 1, T). parameters: (weight (O, I/G, K), bias (O,)) of each layer.
    Returns one (N, O, T') for each layer.
    """
    maps = []
    for index, ((weight, bias), layer) in enumerate(zip(parameters, layers, strict=True)):
        x = _convolve(x, weight, bias, layer)
        if index < len(layers) - 1:
            x = _leaky_relu(x)
        maps.append(x)
    return maps


def _waveform(y: NDArray[Any]) -> Array:
    """y as float64, checked: (N, 1, T) -> (N, 1, T), T and N at least 1."""
    if y.ndim != 3 or y.shape[1] != 1 or 0 in y.shape:
        raise ValueError(f"a waveform is (N, 1, T) and not empty, not {y.shape}")
    return np.asarray(y, np.float64)


# ------------------------------------------------------------------------------- discriminators


def _fold_period(y: Array, period: int) -> Array:
    """Reflect-pad on the right to a multiple of the period, and move the period into the batch.

    y: (N, 1, T). Returns (N * period, 1, ceil(T / period)); row n * period + j holds the samples
    j, j + period, ... of y[n]. ValueError where the reflection would have to repeat, that is
    where n_pad >= T: for T below period // 2 + 1. jik876/hifi-gan, `DiscriminatorP.forward`.
    """
    batch, _, samples = y.shape
    n_pad = -samples % period
    if n_pad >= samples:
        raise ValueError(f"T = {samples} is below {period // 2 + 1}, the least of period {period}")
    padded = np.pad(y, ((0, 0), (0, 0), (0, n_pad)), mode="reflect")
    columns = padded.reshape(batch, -1, period).transpose(0, 2, 1)
    return columns.reshape(batch * period, 1, -1)


def discriminator_p(state: State, period: int, y: NDArray[Any]) -> tuple[Array, list[Array]]:
    """One period discriminator (DiscriminatorP; arXiv 2010.05646, section 2.3).

    state: that one's, raw or folded: `convs.{0..4}.*`, `conv_post.*`, weights (O, I, K, 1),
    biases (O,). y: (N, 1, T). Returns the score (N, L), L = T' * period, and 6 feature maps
    (N, C, T', period). A (K, 1) convolution sees each column alone, so it runs as a 1-D one with
    the columns in the batch.
    """
    parameters = _parameters(state, PERIOD_LAYERS, (1,))
    y = _waveform(y)
    batch = y.shape[0]
    maps = []
    for x in _stack(_fold_period(y, period), parameters, PERIOD_LAYERS):
        # from (N * period, C, T') to (N, C, T', period)
        maps.append(x.reshape(batch, period, *x.shape[1:]).transpose(0, 2, 3, 1))
    return maps[-1].reshape(batch, -1), maps


def discriminator_s(
    state: State, y: NDArray[Any], layers: Sequence[Layer] = SCALE_LAYERS
) -> tuple[Array, list[Array]]:
    """One scale discriminator (DiscriminatorS; arXiv 2010.05646, section 2.3; MelGAN's).

    state: that one's, raw or folded: `convs.{0..6}.*`, `conv_post.*`, weights (O, I/G, K),
    biases (O,). y: (N, 1, T), already pooled. layers: a relative's table. Returns the score (N, L)
    and 8 feature maps (N, C, T').
    """
    parameters = _parameters(state, layers, ())
    y = _waveform(y)
    maps = _stack(y, parameters, layers)
    return maps[-1].reshape(y.shape[0], -1), maps


def avg_pool(y: NDArray[Any]) -> Array:
    """AvgPool1d(4, 2, padding=2), the padding counted: (N, C, T) -> (N, C, T // 2 + 1)."""
    if 0 in y.shape:
        raise ValueError(f"nothing to pool in {y.shape}")
    length = y.shape[-1] // 2 + 1
    padded = _pad_zeros(np.asarray(y, np.float64), 2)
    total = np.zeros((*y.shape[:-1], length))
    for start in range(4):
        total += _tap(padded, start, 2, length)
    return total / 4


# ------------------------------------------------------------------------------------ ensembles


def _split(state: State, count: int) -> list[dict[str, NDArray[Any]]]:
    """The states of the members: `discriminators.{i}.X` -> `X` of the i-th; shapes unchanged."""
    members: list[dict[str, NDArray[Any]]] = [{} for _ in range(count)]
    for key, value in state.items():
        head, _, rest = key.partition(".")
        index, _, name = rest.partition(".")
        if head != "discriminators" or index not in map(str, range(count)):
            raise ValueError(f"{key}: not a key of an ensemble of {count}")
        members[int(index)][name] = value
    return members


def _named(outputs: tuple[Array, list[Array]], prefix: str = "") -> dict[str, Array]:
    """`{prefix}score` (N, L), then `{prefix}fmap_{j}` (N, C, T') or (N, C, T', period)."""
    score, maps = outputs
    return {f"{prefix}score": score} | {f"{prefix}fmap_{j}": x for j, x in enumerate(maps)}


def mpd(state: State, y: NDArray[Any]) -> dict[str, Array]:
    """The multi-period discriminator, periods 2, 3, 5, 7, 11 (MultiPeriodDiscriminator).

    state: `discriminators.{0..4}.*`, shapes as in `discriminator_p`. y: (N, 1, T).
    Returns `mpd_{period}_score` (N, L) and `mpd_{period}_fmap_{0..5}` (N, C, T', period).
    """
    named: dict[str, Array] = {}
    for period, one in zip(PERIODS, _split(state, len(PERIODS)), strict=True):
        named |= _named(discriminator_p(one, period, y), f"mpd_{period}_")
    return named


def msd(state: State, y: NDArray[Any]) -> dict[str, Array]:
    """The multi-scale discriminator: y as it is, pooled once, pooled twice.

    state: `discriminators.{0..2}.*`, shapes as in `discriminator_s`. y: (N, 1, T).
    Returns `msd_{scale}_score` (N, L) and `msd_{scale}_fmap_{0..7}` (N, C, T').
    jik876/hifi-gan, `MultiScaleDiscriminator`.
    """
    named: dict[str, Array] = {}
    for scale, one in zip(SCALES, _split(state, len(SCALES)), strict=True):
        y = y if scale == 0 else avg_pool(y)
        named |= _named(discriminator_s(one, y), f"msd_{scale}_")
    return named


def member(variant: str, state: State, y: NDArray[Any]) -> dict[str, Array]:
    """One member alone, fed the waveform: `mpd-{period}` or `msd-{scale}`.

    state: that member's, shapes as in `discriminator_p` or `discriminator_s`. y: (N, 1, T), not
    pooled: msd-2 pools it twice. Returns `score` (N, L) and `fmap_{j}`, (N, C, T', period) for
    mpd and (N, C, T') for msd.
    """
    for period in PERIODS:
        if variant == f"mpd-{period}":
            return _named(discriminator_p(state, period, y))
    for scale in SCALES:
        if variant == f"msd-{scale}":
            for _ in range(scale):
                y = avg_pool(y)
            return _named(discriminator_s(state, y))
    raise ValueError(f"no variant {variant!r}")
