"""Names, order and meaning of what goes in and what comes out."""

import pytest
import torch
from torch import Tensor, nn

from export.interface import interface
from export.request import ExportRequest
from hifigan_ref import audio
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant
from hifigan_ref.views import View

SAMPLES = 97


class _Named(nn.Module):
    """Says y + 100 i + j for feature map j of member i, and y + 100 i - 1 for its score."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.members = len(variant.members())
        self.fmaps = {"mpd": 6, "msd": 8}[variant.family]

    def judge(self, y: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        starts = [y + 100 * i for i in range(self.members)]
        return [(x - 1, [x + j for j in range(self.fmaps)]) for x in starts]


def _names(variant: Variant, *views: View) -> str:
    request = ExportRequest(variant, views=views)
    waves = {name: torch.zeros(1, 1, 2) for name in request.inputs}
    return " ".join(interface(_Named(variant), request)(**waves))


def test_one_member_has_short_names() -> None:
    assert _names(Variant("mpd", "11")) == "score fmap_0 fmap_1 fmap_2 fmap_3 fmap_4 fmap_5"
    assert _names(Variant("msd", "0"), "scores") == "score"


def test_an_ensemble_names_its_members() -> None:
    assert _names(Variant("mpd"), "scores") == (
        "mpd_2_score mpd_3_score mpd_5_score mpd_7_score mpd_11_score"
    )
    assert _names(Variant("msd")) == " ".join(
        f"msd_{i}_{output}"
        for i in range(3)
        for output in ("score", *(f"fmap_{j}" for j in range(8)))
    )


def test_a_pair_says_which_wave_each_output_is_of() -> None:
    assert _names(Variant("mpd", "2"), "pair").startswith(
        "score_real score_fake fmap_0_real fmap_0_fake fmap_1_real fmap_1_fake fmap_2_real "
    )
    assert _names(Variant("msd"), "scores", "pair") == (
        "msd_0_score_real msd_0_score_fake msd_1_score_real msd_1_score_fake "
        "msd_2_score_real msd_2_score_fake"
    )


def test_each_name_holds_the_tensor_it_promises() -> None:
    msd = Variant("msd")
    named = interface(_Named(msd), ExportRequest(msd))(y=torch.zeros(2, 1, 4))
    assert {name: tensor.unique().item() for name, tensor in named.items()} == {
        f"msd_{i}_{output}": 100 * i + j
        for i in range(3)
        for output, j in {"score": -1, **{f"fmap_{j}": j for j in range(8)}}.items()
    }


def test_real_is_y_and_fake_is_y_hat() -> None:
    first = Variant("msd", "0")
    function = interface(_Named(first), ExportRequest(first, views=("pair",)))
    named = function(y=torch.full((3, 1, 4), 1.0), y_hat=torch.full((3, 1, 4), 2.0))
    assert len(named) == 2 * 9
    for name, value in (
        ("score_real", 0),
        ("score_fake", 1),
        ("fmap_2_real", 3),
        ("fmap_2_fake", 4),
    ):
        assert named[name].tolist() == torch.full((3, 1, 4), float(value)).tolist(), name


def test_a_network_with_another_number_of_members_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        interface(_Named(Variant("msd")), ExportRequest(Variant("mpd")))(y=torch.zeros(1, 1, 2))


@pytest.mark.parametrize("batch", [1, 3])
def test_a_pair_is_the_articles_call(mpd: Trained, batch: int) -> None:
    clip = audio.clip()
    y = torch.from_numpy(clip.batch(batch, SAMPLES, first=400))
    y_hat = torch.from_numpy(clip.batch(batch, SAMPLES, first=400 + batch))
    with torch.no_grad():
        named = interface(mpd.module, ExportRequest(mpd.variant, views=("pair",)))(y=y, y_hat=y_hat)
        d_rs, d_gs, fmap_rs, fmap_gs = mpd.module(y, y_hat)
    for i, member in enumerate(mpd.variant.members()):
        torch.testing.assert_close(named[f"mpd_{member}_score_real"], d_rs[i])
        torch.testing.assert_close(named[f"mpd_{member}_score_fake"], d_gs[i])
        for j in range(6):
            name = f"mpd_{member}_fmap_{j}"
            torch.testing.assert_close(named[f"{name}_real"], fmap_rs[i][j])
            torch.testing.assert_close(named[f"{name}_fake"], fmap_gs[i][j])
