"""Axes and signatures: which lengths a proof visits, and how much audio they are."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import nn

from bench.parity.cases import every_size
from export.artifact import Artifact, Manifest
from export.lengths import usual_sizes
from export.request import ExportRequest
from hifigan_ref.ensemble import Ensemble, Member
from hifigan_ref.network import MOST_COMMON, Axis, Port, Signature
from hifigan_ref.variant import Variant, networks
from hifigan_ref.views import seen

SHORTEST = 19
MANY = (2, 3, 5, 7, 11, 17, 23, 37)


def _made(parts: Sequence[str]) -> nn.Module:
    raise NotImplementedError(parts)


WINDOWS = Ensemble(
    "many-d", "window", {str(n): Member((4, 1), (3, 1), 100, n, n) for n in MANY}, _made
)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> Variant:
    """A network of more moduli than HiFi-GAN's, whose parts are neither periods nor scales."""
    monkeypatch.setitem(networks(), WINDOWS.name, WINDOWS)
    return Variant.parse(WINDOWS.name)


# --------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize("near", [1, 300, 8192])
@pytest.mark.parametrize("most", range(1, 38))
def test_neighbours_leave_every_remainder(most: int, near: int) -> None:
    axis = Axis("samples", SHORTEST, residues=tuple(range(2, most + 1)))
    lengths = axis.every_remainder(near)
    assert len(lengths) == most and min(lengths) >= SHORTEST
    for modulus in axis.residues:
        assert {length % modulus for length in lengths} == set(range(modulus))


@pytest.mark.parametrize("near", [1, 2048])
@pytest.mark.parametrize("residues", [(), (4,), MANY, MANY[::-1], (*range(2, 12), 17, 23, 37)])
def test_each_modulus_leaves_nothing_once_and_one_once(
    residues: tuple[int, ...], near: int
) -> None:
    lengths = Axis("samples", SHORTEST, residues=residues).extremes(near)
    assert max(near, SHORTEST) <= min(lengths)
    assert max(lengths) <= max(near, SHORTEST) + MOST_COMMON
    for modulus in residues:
        assert {0, 1} <= {length % modulus for length in lengths}


@pytest.mark.parametrize("promised", [False, True])
def test_a_file_is_verified_where_each_part_needs_no_pad_and_the_longest(
    many: Variant, promised: bool
) -> None:
    for variant in (many, *many.apart()):
        sizes = usual_sizes(ExportRequest(variant), promised)
        assert {each["batch"] for each in sizes} == {2}
        for fold in variant.folds or ():
            assert {0, 1} <= {each["samples"] % fold for each in sizes}


def test_a_parity_report_meets_every_remainder_of_parts_of_any_name(many: Variant) -> None:
    for variant in (many, Variant.parse("many-d-37"), Variant("mpd"), Variant("msd")):
        signature = variant.signature
        manifest = Manifest(
            schema=2,
            variant=str(variant),
            weights="",
            weights_digest="",
            opset=18,
            ir_version=10,
            sizes={},
            smallest=signature.smallest,
            views=(),
            inputs=(),
            outputs=(),
            graph_digest="",
            tools={},
        )
        lengths = {each["samples"] for each in every_size(Artifact(Path(), "", manifest), {})}
        for modulus in signature.axes["samples"].residues:
            assert {length % modulus for length in lengths} == set(range(modulus))


# ----------------------------------------------------------------------------------------- audio


def test_audio_is_of_all_waveforms() -> None:
    signature, sizes = Variant("mpd", "11").signature, {"batch": 4, "samples": 11025}
    assert signature.audio_seconds(sizes) == pytest.approx(2.0)
    assert seen(signature, ("pair",), "mpd-11").audio_seconds(sizes) == pytest.approx(4.0)


def test_frames_are_time_and_bands_are_none() -> None:
    batch, frames = Axis("batch"), Axis("frames", unit_s=256 / 22050)
    mel = Port("mel", (batch, 80, frames), role="spectrogram")
    speaker = Port("speaker", (batch, Axis("width")))
    sizes = {"batch": 3, "frames": 100, "width": 7}
    expected = pytest.approx(3 * 100 * 256 / 22050)
    assert Signature((mel,), ()).audio_seconds(sizes) == expected
    assert Signature((mel, speaker), ()).audio_seconds(sizes) == expected
    assert Signature((speaker,), ()).audio_seconds(sizes) is None
