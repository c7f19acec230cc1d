"""HiFi-GAN's generators by their layer tables, in float64: torch.nn.functional and no code of ours.

Sources: Kong, Kim, Bae, "HiFi-GAN" (arXiv 2010.05646), section 2.2 and appendix A.1; the tables of
jik876/hifi-gan (``config_v1.json`` to ``config_v3.json``, ``Generator``) and of jaywalnut310/vits
(``Generator``).

Shapes: N batch, C channels, L frames, T samples.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

import golden


class Table(NamedTuple):
    """What the article's tables say of a generator.

    Attributes:
        pairs: each dilated convolution of a block has a plain one behind it (ResBlock1).
        ups: rate, taps, channels behind.
        blocks: taps, dilations.
        slope: of every leaky ReLU but the last.
        last_slope: of that in front of the last convolution.
        shift: samples by which each transposed convolution is cropped too far to the right.
    """

    pairs: bool
    ups: tuple[tuple[int, int, int], ...]
    blocks: tuple[tuple[int, tuple[int, ...]], ...]
    slope: float = 0.1
    last_slope: float = 0.01
    shift: int = 0


LARGE = ((8, 16, 256), (8, 16, 128), (2, 4, 64), (2, 4, 32))
SMALL = ((8, 16, 64), (8, 16, 32), (2, 4, 16), (2, 4, 8))
FEW = ((8, 16, 128), (8, 16, 64), (4, 8, 32))
PAIRED = ((3, (1, 3, 5)), (7, (1, 3, 5)), (11, (1, 3, 5)))
SINGLE = ((3, (1, 2)), (5, (2, 6)), (7, (3, 12)))

TABLES = {
    "generator-v1": Table(True, LARGE, PAIRED),
    "generator-v2": Table(True, SMALL, PAIRED),
    "generator-v3": Table(False, FEW, SINGLE),
    "vits-decoder": Table(True, LARGE, PAIRED),
    "vits-decoder-speakers": Table(True, LARGE, PAIRED),
    "piper-decoder": Table(False, FEW, SINGLE),
    "piper-decoder-speakers": Table(False, FEW, SINGLE),
}


def generator(
    state: Mapping[str, NDArray[Any]], table: Table, x: Tensor, g: Tensor | None = None
) -> Tensor:
    """Audio, (N, 1, T).

    Args:
        state: names and numbers of the layers, in any spelling of their norms.
        table: of the generator.
        x: (N, bins, L).
        g: a speaker, (N, gin, 1).

    Raises:
        ValueError: a layer is missing, left over, or of another shape than the table's.
    """
    held = {name: torch.from_numpy(array) for name, array in golden.fold(state).items()}
    x = _conv(held, "conv_pre", x, 7)
    if g is not None:
        x = x + _conv(held, "cond", g, 1)
    for i, (rate, taps, channels) in enumerate(table.ups):
        w, b = held.pop(f"ups.{i}.weight"), held.pop(f"ups.{i}.bias")
        if w.shape != (x.shape[1], channels, taps):
            raise ValueError(f"ups.{i} is {tuple(w.shape)}")
        length, crop = x.shape[-1], (taps - rate) // 2 + table.shift
        y = F.conv_transpose1d(F.leaky_relu(x, table.slope), w, b, stride=rate)
        y = F.pad(y, (0, table.shift))
        x = y[..., crop : crop + rate * length]
        at = len(table.blocks) * i
        blocks = [
            _block(held, f"resblocks.{at + j}", x, table, j) for j in range(len(table.blocks))
        ]
        x = torch.stack(blocks).mean(0)
    x = _conv(held, "conv_post", F.leaky_relu(x, table.last_slope), 7)
    if held:
        raise ValueError(f"left over: {sorted(held)}")
    return torch.tanh(x)


def _block(held: dict[str, Tensor], name: str, x: Tensor, table: Table, which: int) -> Tensor:
    taps, dilations = table.blocks[which]
    for k, dilation in enumerate(dilations):
        y = F.leaky_relu(x, table.slope)
        if table.pairs:
            y = _conv(held, f"{name}.convs1.{k}", y, taps, dilation)
            y = _conv(held, f"{name}.convs2.{k}", F.leaky_relu(y, table.slope), taps)
        else:
            y = _conv(held, f"{name}.convs.{k}", y, taps, dilation)
        x = x + y
    return x


def _conv(held: dict[str, Tensor], name: str, x: Tensor, taps: int, dilation: int = 1) -> Tensor:
    """As many samples as before: zeros on both sides."""
    w, b = held.pop(f"{name}.weight"), held.pop(f"{name}.bias", None)
    if w.shape[1:] != (x.shape[1], taps):
        raise ValueError(f"{name} is {tuple(w.shape)}")
    side = dilation * (taps - 1) // 2
    return F.conv1d(F.pad(x, (side, side)), w, b, dilation=dilation)


def _other_dilation(table: Table) -> Table:
    (taps, (first, *rest)), *others = table.blocks
    return table._replace(blocks=((taps, (first + 1, *rest)), *others))


# One mistake each, as they are made.
WRONG: dict[str, Callable[[Table], Table]] = {
    "the last slope": lambda table: table._replace(last_slope=0.1),
    "every other slope": lambda table: table._replace(slope=0.2),
    "a dilation": _other_dilation,
    "the crop": lambda table: table._replace(shift=1),
}
