"""More samples from fewer: each repeated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
import torch.nn.functional as F
from torch import Tensor

from export.builder import Attribute, Builder, Constant, Dim, Extent, shape_of
from export.operators.operation import Operation
from export.operators.reach_windows import repeats
from export.operators.shapes import each_axis
from hifigan_ref.errors import HifiError

HOW: dict[str, Attribute] = {
    "coordinate_transformation_mode": "asymmetric",
    "mode": "nearest",
    "nearest_mode": "floor",
}


def interpolate(
    graph: Builder,
    name: str,
    x: ir.Value,
    size: Any = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> ir.Value:
    """(N, C, *S) -> (N, C, *f S) for whole factors f."""
    del align_corners, recompute_scale_factor
    if mode != "nearest" or antialias:
        raise HifiError(f"interpolate in mode {mode!r} has no ONNX form here: only 'nearest' has")
    n, c, *lengths = shape_of(x)
    factors = _factors(name, lengths, size, scale_factor)
    if set(factors) == {1}:
        return x
    longer = [extent * f if isinstance(extent, int) else extent if f == 1 else None
              for extent, f in zip(lengths, factors, strict=True)]  # fmt: skip
    scales = np.array([1, 1, *factors], np.float32)
    inputs = [
        x,
        graph.given(Constant("no_region", np.zeros(0, np.float32))),  # must be there in opset 11
        graph.given(Constant(f"scales_{'_'.join(map(str, factors))}", scales)),
    ]
    return graph.op(name, "Resize", inputs, (n, c, *longer), HOW)


def _factors(name: str, lengths: list[Extent], size: Any, scale: Any) -> list[int]:
    if scale is not None:
        given = [scale] if isinstance(scale, int | float) else list(scale)
        found = given * len(lengths) if len(given) == 1 else given
    else:
        wanted = each_axis(size, len(lengths)) if not isinstance(size, Dim) else (size,)
        if not all(isinstance(each, int) for each in (*wanted, *lengths)):
            raise HifiError(f"{name}: a size beside a dynamic length: give a whole scale_factor")
        found = [w / n for w, n in zip(wanted, lengths, strict=True)]  # type: ignore[operator]
    if any(factor != int(factor) or factor < 1 for factor in found):
        raise HifiError(f"{name}: a factor of {found}: only whole ones have an ONNX form here")
    return [int(factor) for factor in found]


def _resize(
    x: Tensor,
    region: Tensor | None = None,
    scales: Tensor | None = None,
    sizes: Tensor | None = None,
    **attributes: Any,
) -> Tensor:
    del region
    how = {key: attributes.get(key, default) for key, default in DEFAULTS.items()}
    if how != HOW or set(attributes) - {
        *HOW,
        "cubic_coeff_a",
        "exclude_outside",
        "extrapolation_value",
    }:
        raise HifiError("Resize is evaluated only where it repeats samples (nearest, floor)")
    factors = [] if scales is None or (sizes is not None and sizes.numel()) else scales.tolist()
    if x.ndim > 2 and factors[:2] == [1, 1] and all(factor == int(factor) for factor in factors):
        return F.interpolate(x, scale_factor=factors[2:])
    for axis in range(x.ndim):
        length = x.shape[axis]
        if sizes is not None and sizes.numel():
            longer = int(sizes[axis])
            scale = longer / length
        else:
            assert scales is not None
            scale = scales[axis].item()
            longer = int(length * scale)
        index = torch.floor(torch.arange(longer, dtype=torch.float64) / scale).long()
        x = x.index_select(axis, index.clamp(max=length - 1))
    return x


DEFAULTS = {
    "coordinate_transformation_mode": "half_pixel",
    "mode": "nearest",
    "nearest_mode": "round_prefer_floor",
}

OPERATIONS = (
    Operation(
        "Resize",
        _resize,
        "moving",
        {"interpolate": interpolate, "upsample": interpolate},
        reach=repeats,
    ),
)
