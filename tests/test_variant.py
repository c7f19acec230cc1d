"""Names of networks: ten of them, read back from their own text, found beside each other."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hifigan_ref.networks
from hifigan_ref.errors import HifiError
from hifigan_ref.networks.mpd import PERIODS
from hifigan_ref.networks.msd import SCALES
from hifigan_ref.variant import USUAL, Variant, all_variants, find_network, networks

NAMES = ["mpd-2", "mpd-3", "mpd-5", "mpd-7", "mpd-11", "msd-0", "msd-1", "msd-2", "mpd", "msd"]


def test_there_are_ten_variants_in_this_order() -> None:
    assert [str(variant) for variant in all_variants()] == NAMES


@pytest.mark.parametrize("variant", all_variants(), ids=str)
def test_text_is_read_back(variant: Variant) -> None:
    assert Variant.parse(str(variant)) == variant


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_written_back(name: str) -> None:
    assert str(Variant.parse(name)) == name


def test_variants_are_values() -> None:
    assert len({*all_variants(), *all_variants()}) == len(NAMES)
    assert Variant("mpd", "2") != Variant("mpd", "3") != Variant("mpd")


def test_members_of_a_family_are_in_the_order_of_its_checkpoints() -> None:
    assert Variant("mpd").members() == tuple(map(str, PERIODS)) == ("2", "3", "5", "7", "11")
    assert Variant("msd").members() == tuple(map(str, SCALES)) == ("0", "1", "2")


def test_a_member_is_its_own_only_member() -> None:
    assert Variant("mpd", "11").members() == ("11",)


@pytest.mark.parametrize("text", ["mpd-4", "mpd-1", "mpd-011", "mpd--2", "mpd-2-3", "mpd-two"])
def test_an_unknown_period_is_told_the_known_ones(text: str) -> None:
    member = text.removeprefix("mpd-")
    with pytest.raises(HifiError) as caught:
        Variant.parse(text)
    assert str(caught.value) == f"period {member} is not in mpd: choose from 2, 3, 5, 7, 11"


def test_an_unknown_scale_is_told_the_known_ones() -> None:
    with pytest.raises(HifiError, match=r"^scale 3 is not in msd: choose from 0, 1, 2$"):
        Variant.parse("msd-3")


@pytest.mark.parametrize("text", ["vits", "vits-2", "", "-", "MPD", "mpd 2", "mpd2", "-mpd"])
def test_an_unknown_network_is_told_the_known_ones(text: str) -> None:
    with pytest.raises(HifiError, match=r"choose from .*\bmpd, msd, .*[a-z]$") as caught:
        Variant.parse(text)
    assert repr(text.partition("-")[0]) in str(caught.value)


def test_a_variant_that_was_never_checked_is_refused_when_asked() -> None:
    with pytest.raises(HifiError):
        Variant("mpd", "4").members()
    with pytest.raises(HifiError):
        Variant("mpd", "4").signature.smallest["samples"]
    with pytest.raises(HifiError):
        find_network("vits")


@pytest.mark.parametrize(
    ("name", "samples"),
    list(zip(NAMES, (2, 2, 3, 4, 6, 1, 1, 1, 6, 1), strict=True)),
)
def test_shortest_length(name: str, samples: int) -> None:
    assert Variant.parse(name).signature.smallest["samples"] == samples


@pytest.mark.parametrize("period", PERIODS)
def test_shortest_length_is_where_the_reflection_fits_from_then_on(period: int) -> None:
    shortest = Variant("mpd", str(period)).signature.smallest["samples"]
    fits = {samples: -samples % period < samples for samples in range(1, 4 * period)}
    assert not fits[shortest - 1]
    assert all(fits[samples] for samples in fits if samples >= shortest)


def test_networks_say_what_they_are() -> None:
    assert [networks()[name].noun for name in USUAL] == ["period", "scale"]
    assert all(find_network(name).name == name for name in networks())


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A file beside the others that ends in NETWORKS."""
    (tmp_path / "aaa.py").write_text("class _N:\n    name = 'aaa'\nNETWORKS = (_N(),)\n")
    package = hifigan_ref.networks
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    yield "aaa"
    sys.modules.pop("hifigan_ref.networks.aaa", None)
    vars(package).pop("aaa", None)


def test_a_network_joins_by_adding_a_file(newcomer: str) -> None:
    # Past the cache, which keeps the real networks for everybody else.
    assert set(networks.__wrapped__()) == {newcomer, *networks()}
    assert newcomer not in networks()


@pytest.mark.parametrize(
    ("variant", "path", "told"),
    [
        ("mpd-11", "discriminators.0.convs.2", "discriminators.4.convs.2"),
        ("mpd-2", "discriminators.0.conv_post", "discriminators.0.conv_post"),
        ("mpd", "discriminators.3.convs.0", "discriminators.3.convs.0"),
        ("msd-1", "discriminators.0.convs.6", "discriminators.1.convs.6"),
    ],
)
def test_a_layer_has_a_place_in_its_family(variant: str, path: str, told: str) -> None:
    assert Variant.parse(variant).in_family(path) == told
