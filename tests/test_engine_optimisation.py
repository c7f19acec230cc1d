"""Which shapes an engine accepts: defaults, what was asked for, what a file allows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.artifact import Manifest
from export.engine.optimisation import (
    Asked,
    Axes,
    Profile,
    Span,
    axes_of,
    exactly,
    profile_for,
)
from export.request import MOST_BATCH, MOST_SAMPLES, ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

NOTHING: Asked = (None, None, None)
AXES = Axes("mpd-11", None, None, 6)
MANIFEST = Manifest(1, "mpd-11", "seed 0", "0", 18, 10, None, 512, 6, "all", False, (), (), "0", {})


def test_the_axes_of_a_file_are_those_of_its_request() -> None:
    request = ExportRequest(Variant("mpd", "11"), samples=512)
    assert axes_of(request) == axes_of(MANIFEST) == replace(AXES, samples=512)


def test_the_defaults() -> None:
    found = profile_for(AXES, NOTHING, NOTHING)
    assert found.batch == Span("batch", 1, 16, 32)
    assert found.samples == Span("samples", 2048, 8192, 220500)
    assert found.shapes() == ((1, 1, 2048), (16, 1, 8192), (32, 1, 220500))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((2, 4, 8), (2, 4, 8)),
        ((None, None, 8), (1, 8, 8)),
        ((20, None, None), (20, 20, 32)),
        ((None, 64, None), (1, 64, 64)),
        ((100, None, None), (100, 100, 100)),
        ((None, 2, None), (1, 2, 32)),
    ],
)
def test_what_was_asked_for_stays_and_the_rest_follows(
    asked: Asked, expected: tuple[int, int, int]
) -> None:
    assert profile_for(AXES, asked, NOTHING).batch == Span("batch", *expected)


@given(*[st.none() | st.integers(1, MOST_BATCH)] * 3)
def test_what_is_in_order_is_never_refused_nor_changed(
    least: int | None, best: int | None, most: int | None
) -> None:
    given_lengths = [each for each in (least, best, most) if each is not None]
    if given_lengths != sorted(given_lengths):
        with pytest.raises(HifiError, match="min <= opt <= max"):
            profile_for(AXES, (least, best, most), NOTHING)
        return
    found = profile_for(AXES, (least, best, most), NOTHING).batch
    for asked, length in zip(
        (least, best, most), (found.least, found.best, found.most), strict=True
    ):
        assert asked in (None, length)


def test_a_length_that_the_reflect_pad_refuses_is_refused() -> None:
    assert profile_for(AXES, NOTHING, (6, None, None)).samples.least == 6
    with pytest.raises(HifiError, match="--min-samples 5 is too short for mpd-11: choose 6"):
        profile_for(AXES, NOTHING, (5, None, None))


@pytest.mark.parametrize("length", [0, -1])
def test_lengths_are_positive(length: int) -> None:
    with pytest.raises(HifiError, match="lengths are 1 or more"):
        profile_for(AXES, (length, None, None), NOTHING)


@pytest.mark.parametrize(("axis", "most"), [("batch", MOST_BATCH), ("samples", MOST_SAMPLES)])
@pytest.mark.parametrize("end", ["min", "opt", "max"])
@pytest.mark.parametrize("beyond", [1, 2**31, 2**33, 10**30])
def test_what_no_axis_holds_is_refused_by_its_option(
    axis: str, most: int, end: str, beyond: int
) -> None:
    def profile(length: int) -> Profile:
        given = {f"--{name}-{axis}": None for name in ("min", "opt", "max")}
        asked = tuple({**given, f"--{end}-{axis}": length}.values())
        spans = {"batch": NOTHING, "samples": NOTHING, axis: asked}
        return profile_for(AXES, spans["batch"], spans["samples"])  # type: ignore[arg-type]

    assert most in (getattr(profile(most), axis).most, getattr(profile(most), axis).least)
    with pytest.raises(HifiError) as caught:
        profile(most + beyond)
    told = f"--{end}-{axis} {most + beyond} is more than an engine's axis holds"
    assert str(caught.value) == f"{told}: choose {most} or less"


def test_a_fixed_axis_has_one_length() -> None:
    fixed = replace(AXES, batch=4, samples=1000)
    assert profile_for(fixed, NOTHING, (None, 1000, None)) == exactly(4, 1000)
    told = "a profile for samples 2000 against a file whose samples is fixed to 1000"
    with pytest.raises(HifiError, match=told):
        profile_for(fixed, NOTHING, (None, 1000, 2000))


def test_a_shape_outside_is_told_what_is_inside() -> None:
    profile = profile_for(AXES, NOTHING, NOTHING)
    profile.check(1, 2048)
    profile.check(32, 220500)
    with pytest.raises(HifiError, match="batch 33 is outside .*: choose 1 to 32"):
        profile.check(33, 8192)
    with pytest.raises(HifiError, match="samples 2047 is outside .*: choose 2048 to 220500"):
        profile.check(1, 2047)


def test_it_can_be_typed_again() -> None:
    assert exactly(2, 900).options() == (
        "--min-batch 2 --opt-batch 2 --max-batch 2 "
        "--min-samples 900 --opt-samples 900 --max-samples 900"
    )
