"""Which shapes an engine accepts: defaults, what was asked for, what a file allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.engine.optimisation import NOTHING, Asked, Profile, Span, exactly, profile_for
from export.request import LONGEST, ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.network import Sizes
from hifigan_ref.variant import Variant

P11 = ExportRequest(Variant("mpd", "11"))


def profile(fixed: Sizes | None = None, **asked: Asked) -> Profile:
    return profile_for(P11, fixed or {}, asked)


def span(axis: str, asked: Asked) -> Span:
    spans = {each.axis: each for each in profile_for(P11, {}, {axis: asked}).spans}
    return spans[axis]


def test_the_defaults() -> None:
    found = profile()
    assert found.spans == (Span("batch", 1, 16, 32), Span("samples", 2048, 8192, 220500))
    assert found.shapes(("batch", 1, "samples")) == ((1, 1, 2048), (16, 1, 8192), (32, 1, 220500))


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
    assert span("batch", asked) == Span("batch", *expected)


@given(*[st.none() | st.integers(1, LONGEST)] * 3)
def test_what_is_in_order_is_never_refused_nor_changed(
    least: int | None, best: int | None, most: int | None
) -> None:
    given_lengths = [each for each in (least, best, most) if each is not None]
    if given_lengths != sorted(given_lengths):
        with pytest.raises(HifiError, match="min <= opt <= max"):
            span("batch", (least, best, most))
        return
    found = span("batch", (least, best, most))
    for asked, length in zip(
        (least, best, most), (found.least, found.best, found.most), strict=True
    ):
        assert asked in (None, length)


def test_a_length_that_the_reflect_pad_refuses_is_refused() -> None:
    assert span("samples", (6, None, None)).least == 6
    with pytest.raises(HifiError, match="samples=5:8192:220500 begins too short .*: choose 6"):
        profile(samples=(5, None, None))


@pytest.mark.parametrize("length", [0, -1])
def test_lengths_are_positive(length: int) -> None:
    with pytest.raises(HifiError, match="lengths are 1 or more"):
        profile(batch=(length, None, None))


@pytest.mark.parametrize("axis", ["batch", "samples"])
@pytest.mark.parametrize("end", ["min", "opt", "max"])
@pytest.mark.parametrize("beyond", [1, 2**31, 2**33, 10**30])
def test_what_no_axis_holds_is_refused_by_its_name(axis: str, end: str, beyond: int) -> None:
    def asked(length: int) -> Asked:
        least, best, most = (length if end == each else None for each in ("min", "opt", "max"))
        return least, best, most

    found = span(axis, asked(LONGEST))
    assert LONGEST in (found.least, found.most)
    with pytest.raises(HifiError) as caught:
        span(axis, asked(LONGEST + beyond))
    told = str(caught.value)
    assert told.startswith(f"a profile of {axis}=") and str(LONGEST + beyond) in told
    assert told.endswith(f" is more than an engine's axis holds: choose {LONGEST} or less")


def test_a_fixed_axis_has_one_length() -> None:
    fixed = {"batch": 4, "samples": 1000}
    assert profile(fixed, samples=(None, 1000, None)) == exactly(fixed)
    told = "a profile for samples 2000 against a file whose samples is fixed to 1000"
    with pytest.raises(HifiError, match=told):
        profile(fixed, samples=(None, 1000, 2000))


def test_an_axis_that_the_network_has_not_is_refused() -> None:
    assert profile(frames=NOTHING) == profile()
    told = "a profile for frames, which mpd-11 has not: choose from batch, samples"
    with pytest.raises(HifiError, match=told):
        profile(frames=(None, 32, None))


def test_a_shape_outside_is_told_what_is_inside() -> None:
    usual = profile()
    usual.check({"batch": 1, "samples": 2048})
    usual.check({"batch": 32, "samples": 220500})
    with pytest.raises(HifiError, match="batch 33 is outside .*: choose 1 to 32"):
        usual.check({"batch": 33, "samples": 8192})
    with pytest.raises(HifiError, match="samples 2047 is outside .*: choose 2048 to 220500"):
        usual.check({"batch": 1, "samples": 2047})


def test_it_can_be_typed_again() -> None:
    assert exactly({"batch": 2, "samples": 900}).options() == (
        "--axis batch=2:2:2 --axis samples=900:900:900"
    )
