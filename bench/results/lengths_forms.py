"""Every form of every layer alone at short widths, in runtimes, beside float64.

Channels are fewer than the networks have: kernels are chosen by the shape of a group, by taps,
strides and widths, and by whether channels fill a register, which enough of them still do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bench.geometry import Geometry, geometries
from bench.tune.forms import forms_of
from bench.tune.short import worst_db
from export.lowering.rule import form_text
from export.request import ExportRequest
from export.runtimes import Runtime, on_cpu
from hifigan_ref.errors import HifiError
from hifigan_ref.seeded import Seeded
from hifigan_ref.variant import all_variants, apart

if TYPE_CHECKING:
    from export.lowering.rule import Form

WIDTHS = range(1, 41)
FIXED_WIDTHS = (1, 3, 4, 5, 8)
MOST, GROUPS = 32, 4  # channels of a layer without groups; groups of one with


@dataclass(frozen=True)
class FormRow:
    """A form in a runtime, over all layers that take it.

    Attributes:
        form: as in a plan.
        runtime: with its version.
        fixed: whether it was told the widths.
        layers: how many.
        snr_db: of the worst, dB.
        layer: which.
        width: of its input.
    """

    form: str
    runtime: str
    fixed: bool
    layers: int
    snr_db: float
    layer: str
    width: int


def form_rows(backends: Sequence[str]) -> Iterator[FormRow]:
    """A row for each form, runtime and way to open it."""
    runtimes = {runtime.name: runtime for runtime in map(on_cpu, backends) if runtime}
    found: dict[tuple[tuple[str, ...], str, bool], list[tuple[float, int, str]]] = {}
    for geometry in layers():
        for form in forms_of(geometry):
            for name, runtime in runtimes.items():
                for fixed in (False, True):
                    try:
                        ratio = _worst(runtime, geometry, form, fixed)
                    except HifiError:
                        continue  # it does not take this layer
                    found.setdefault((form, name, fixed), []).append((*ratio, str(geometry)))
    for (form, name, fixed), each in found.items():
        snr_db, width, layer = min(each)
        told = f"{name} {runtimes[name].version}"
        yield FormRow(form_text(form), told, fixed, len(each), snr_db, layer, width)


def layers() -> list[Geometry]:
    """Those of the eight networks, with fewer channels, each once."""
    from export.fold import fold
    from export.to_onnx import to_onnx

    found: dict[Geometry, None] = {}
    for variant in apart(all_variants()):
        network = Seeded(0).build(variant).module
        fold(network)
        request = ExportRequest(variant, sizes={"batch": 2, "samples": 8192})
        for geometry in geometries(to_onnx(network, request), request).values():
            found[_smaller(geometry)] = None
    return list(found)


def _smaller(geometry: Geometry) -> Geometry:
    """Of no width yet."""
    batch, _, _, *rest = geometry.shape
    group = min(geometry.group, GROUPS)
    if geometry.group > 1:
        c_in, c_out = (count // geometry.group * group for count in geometry.channels)
    else:
        c_in, c_out = (min(count, MOST) for count in geometry.channels)
    return replace(geometry, shape=(batch, c_in, 0, *rest), channels=(c_in, c_out), group=group)


def _worst(runtime: Runtime, geometry: Geometry, form: "Form", fixed: bool) -> tuple[float, int]:
    """A runtime that fails is as wrong as can be. Raises HifiError where the layer is refused."""
    try:
        return worst_db(runtime, geometry, form, FIXED_WIDTHS if fixed else WIDTHS, fixed)
    except HifiError:
        raise
    except Exception:  # noqa: BLE001 - in a type of its own
        return -np.inf, 0
