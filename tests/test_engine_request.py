"""What of an engine is refused at the door, and by which name."""

from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from export.engine.library import PRODUCTS, Library
from export.engine.request import EngineRequest, targets_of
from hifigan_ref.errors import HifiError

Capability = Enum("Capability", ["NONE", "CURRENT", "SM75", "SM89"])
TENSORRT = Library(PRODUCTS[0], SimpleNamespace(), "11.1")
RTX = Library(PRODUCTS[1], SimpleNamespace(ComputeCapability=Capability), "1.7")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"workspace_mib": 0}, "--workspace 0 is out of range: give MiB, 1 to 1073741824"),
        ({"workspace_mib": 2**44}, "--workspace 17592186044416 is out of range"),
        ({"opt_level": 6}, "--opt-level 6 is out of range: choose 0 to 5"),
        ({"opt_level": -1}, "--opt-level -1"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(HifiError, match=told):
        EngineRequest(**change)


@pytest.mark.parametrize(
    ("change", "option", "library", "other"),
    [
        ({"version_compatible": True}, "--version-compatible", RTX, "tensorrt"),
        ({"hardware_compatible": True}, "--hardware-compatible", RTX, "tensorrt"),
        ({"timing_cache": Path("t")}, "--timing-cache", RTX, "tensorrt"),
        ({"targets": ("sm89",)}, "--target", TENSORRT, "rtx"),
    ],
)
def test_an_option_that_the_library_lacks_is_refused_by_name(
    change: dict[str, Any], option: str, library: Library, other: str
) -> None:
    request = EngineRequest(**change)
    told = f"{option}: {library} has no such option: leave it out, or choose --runtime {other}"
    with pytest.raises(HifiError) as caught:
        request.for_library(library)
    assert str(caught.value) == told
    assert request.for_library(RTX if library is TENSORRT else TENSORRT)


def test_the_librarys_own_name_is_filled_in() -> None:
    assert EngineRequest().for_library(RTX) == EngineRequest("rtx")
    assert EngineRequest().for_library(TENSORRT) == EngineRequest("tensorrt")


def test_targets_are_those_of_the_library() -> None:
    assert targets_of(RTX) == ("sm75", "sm89")
    assert targets_of(TENSORRT) == ()
    both = EngineRequest(targets=("sm75", "sm89"))
    assert both.for_library(RTX).targets == ("sm75", "sm89")
    with pytest.raises(HifiError, match="--target sm90: .* knows sm75, sm89: choose from these"):
        replace(both, targets=("sm90",)).for_library(RTX)
    with pytest.raises(HifiError, match="names one twice"):
        replace(both, targets=("sm75", "sm75")).for_library(RTX)


def test_it_can_be_typed_again() -> None:
    request = EngineRequest("rtx", ("sm75", "sm89"), 512, 3, tf32=True)
    assert request.options() == (
        "--runtime rtx --target sm75,sm89 --workspace 512 --opt-level 3 --tf32"
    )
    compatible = EngineRequest("tensorrt", version_compatible=True, hardware_compatible=True)
    assert compatible.options() == ("--runtime tensorrt --version-compatible --hardware-compatible")


def test_every_option_but_the_timings_is_typed() -> None:
    """What is typed is the cache's key: an option that is missing there would be served wrongly."""
    others: dict[str, Any] = {
        "runtime": "rtx",
        "targets": ("sm89",),
        "workspace_mib": 1,
        "opt_level": 1,
        "tf32": True,
        "version_compatible": True,
        "hardware_compatible": True,
    }
    assert {field.name for field in fields(EngineRequest)} == {*others, "timing_cache"}
    texts = [replace(EngineRequest(), **{name: value}).options() for name, value in others.items()]
    assert len({EngineRequest().options(), *texts}) == len(others) + 1
