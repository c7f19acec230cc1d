"""Every value that a request refuses, and the last ones that it accepts."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from export.request import DEFAULT_OPSET, LONGEST, OPSETS, ExportRequest, views_of
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant, all_variants

SHORTEST = {
    "mpd-2": 2,
    "mpd-3": 2,
    "mpd-5": 3,
    "mpd-7": 4,
    "mpd-11": 6,
    "mpd": 6,
    "msd-0": 1,
    "msd-1": 1,
    "msd-2": 1,
    "msd": 1,
}


def _refusal(**values: Any) -> str:
    with pytest.raises(HifiError) as caught:
        ExportRequest(**{"variant": Variant("mpd", "11"), **values})
    message = str(caught.value)
    assert message and "\n" not in message
    return message


@pytest.mark.parametrize("opset", [10, 27, 0, -1])
def test_an_opset_out_of_range_is_refused(opset: int) -> None:
    message = _refusal(opset=opset)
    assert f"opset {opset} " in message
    assert "11 to 26" in message


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_that_is_not_positive_is_refused(batch: int) -> None:
    message = _refusal(sizes={"batch": batch})
    assert message.startswith(f"batch {batch} is too small for mpd-11: choose 1 to ")


@pytest.mark.parametrize("variant", all_variants(), ids=str)
def test_a_length_below_the_smallest_is_refused(variant: Variant) -> None:
    shortest = SHORTEST[str(variant)]
    for samples in {shortest - 1, 0, -1}:
        message = _refusal(variant=variant, sizes={"samples": samples})
        told = f"samples {samples} is too small for {variant}: choose {shortest} to "
        assert message.startswith(told)
    assert ExportRequest(variant, sizes={"samples": shortest}).sizes == {"samples": shortest}


@pytest.mark.parametrize("variant", [v for v in all_variants() if v.family == "mpd"], ids=str)
def test_the_smallest_length_is_the_one_that_pytorch_can_pad(variant: Variant) -> None:
    def reflect(samples: int) -> None:
        for period in map(int, variant.members()):
            F.pad(torch.zeros(1, 1, samples), (0, -samples % period), mode="reflect")

    shortest = SHORTEST[str(variant)]
    for samples in range(shortest, shortest + 24):
        reflect(samples)
    with pytest.raises(RuntimeError, match="Padding size should be less"):
        reflect(shortest - 1)


def test_a_length_above_the_largest_is_refused() -> None:
    assert ExportRequest(Variant("msd"), sizes={"samples": LONGEST}).sizes["samples"] == LONGEST
    message = _refusal(sizes={"samples": LONGEST + 1})
    assert message.startswith(f"samples {LONGEST + 1} is too large for mpd-11: choose 6 to ")


def test_an_axis_that_the_network_has_not_is_refused() -> None:
    message = _refusal(sizes={"frames": 8})
    assert message == "mpd-11 has no axis 'frames': choose from batch, samples"


def test_the_choices_of_the_command_line_are_views() -> None:
    assert [views_of("all", pair) for pair in (False, True)] == [(), ("pair",)]
    assert [views_of("scores", pair) for pair in (False, True)] == [
        ("scores",),
        ("scores", "pair"),
    ]


@pytest.mark.parametrize(
    ("variant", "given", "allowed"),
    [
        (Variant("mpd", "4"), "period 4", "2, 3, 5, 7, 11"),
        (Variant("mpd", "13"), "period 13", "2, 3, 5, 7, 11"),
        (Variant("mpd", "-2"), "period -2", "2, 3, 5, 7, 11"),
        (Variant("msd", "3"), "scale 3", "0, 1, 2"),
        (Variant("mrd"), "'mrd'", "mpd, msd"),
        (Variant("mrd", "11"), "'mrd'", "mpd, msd"),
    ],
)
def test_an_unknown_network_is_refused(variant: Variant, given: str, allowed: str) -> None:
    message = _refusal(variant=variant)
    assert given in message
    assert f"choose from {allowed}" in message


def test_the_ends_of_the_ranges_are_accepted() -> None:
    variant = Variant("mpd", "11")
    assert (OPSETS.start, OPSETS[-1], DEFAULT_OPSET) == (11, 26, 18)
    assert [ExportRequest(variant, opset=opset).opset for opset in OPSETS] == [*range(11, 27)]
    assert ExportRequest(variant, sizes={"batch": 1}).sizes == {"batch": 1}


def test_a_request_is_dynamic_and_complete_by_default() -> None:
    request = ExportRequest(Variant("msd"))
    assert (request.sizes, request.views, request.pair) == ({}, (), False)
    assert request.sized({"batch": 2}) == {"batch": 2, "samples": 8192}
    assert request.inputs == ("y",)
    pair = ExportRequest(Variant("msd"), views=("pair",))
    assert pair.inputs == ("y", "y_hat")
    seconds = [r.signature.audio_seconds({"batch": 2, "samples": 11025}) for r in (request, pair)]
    assert seconds == [1, 2]


def test_a_request_is_frozen_and_compares_by_value() -> None:
    request = ExportRequest(Variant("mpd", "11"), opset=17)
    assert request == ExportRequest(Variant.parse("mpd-11"), 17)
    assert len({request, ExportRequest(Variant("mpd", "11"), 17)}) == 1
    with pytest.raises(FrozenInstanceError):
        request.opset = 18  # type: ignore[misc]
