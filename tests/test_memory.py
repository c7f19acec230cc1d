"""Shapes that cannot be computed here are refused before anything tries."""

from types import SimpleNamespace

import psutil
import pytest
from torch import nn

from export import memory
from export.request import ExportRequest
from export.verify import demand_memory, example_inputs, run_torch
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant, all_variants

P11 = ExportRequest(Variant("mpd", "11"))


def grant(monkeypatch: pytest.MonkeyPatch, machine: int, *groups: int) -> None:
    """A machine of so many bytes, and limits of its control groups."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=machine))
    monkeypatch.setattr(memory, "memory_limits", lambda: list(groups))


def test_the_least_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    grant(monkeypatch, 5000)
    assert memory.usable_bytes() == 5000
    grant(monkeypatch, 5000, 7000, 3000, 2**63 - 4096)
    assert memory.usable_bytes() == 3000


@pytest.mark.parametrize("groups", [(), (10**9,)])
def test_what_fits_is_let_through(monkeypatch: pytest.MonkeyPatch, groups: tuple[int, ...]) -> None:
    grant(monkeypatch, 10**12 if groups else 10**9, *groups)
    memory.demand(P11, {"batch": 114, "samples": 8192}, in_float64=False)
    with pytest.raises(HifiError) as told:
        memory.demand(P11, {"batch": 115, "samples": 8192}, in_float64=False)
    assert str(told.value) == (
        "mpd-11 on 115 x 8192 samples needs at least 1.0 GB to be checked, this process may use "
        "1.0 GB: choose smaller lengths, or give it more"
    )


@pytest.mark.parametrize(
    ("request_", "in_float64", "batch"),
    [
        (P11, False, 114),
        (P11, True, 57),
        (ExportRequest(P11.variant, views=("scores",)), False, 228),
        (ExportRequest(P11.variant, views=("pair",)), False, 57),
        (ExportRequest(Variant("msd", "0")), False, 22),
        (ExportRequest(Variant("msd")), False, 4),
    ],
)
def test_a_network_takes_what_its_feature_maps_take(
    monkeypatch: pytest.MonkeyPatch, request_: ExportRequest, in_float64: bool, batch: int
) -> None:
    grant(monkeypatch, 10**9)
    memory.demand(request_, {"batch": batch, "samples": 8192}, in_float64)
    with pytest.raises(HifiError, match="needs at least"):
        memory.demand(request_, {"batch": batch + 1, "samples": 8192}, in_float64)


def test_a_file_of_dynamic_axes_is_judged_by_the_shape_it_is_verified_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grant(monkeypatch, 480 * 10**6)
    with pytest.raises(HifiError, match="mpd-11 on 2 x 2057 samples"):
        demand_memory(P11)
    grant(monkeypatch, 490 * 10**6)
    demand_memory(P11)


def test_feature_maps_are_as_large_as_is_told(folded: dict[str, nn.Module]) -> None:
    from export.interface import interface

    sizes = {"batch": 1, "samples": 2 * 3 * 5 * 7 * 11 * 8}
    for name, network in folded.items():
        request = ExportRequest(Variant(name))
        outputs = run_torch(interface(network, request), example_inputs(request, sizes))
        for member in request.variant.apart():
            own = f"{member.family}_{member.member}_fmap_"
            floats = sum(array.size for key, array in outputs.items() if key.startswith(own))
            assert member.footprint.floats * sizes["samples"] == pytest.approx(floats, rel=0.01)
    for variant in all_variants():
        each = sum(member.footprint.floats for member in variant.apart())
        assert variant.footprint.floats == each
