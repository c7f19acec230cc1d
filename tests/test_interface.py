"""Names, order and meaning of what goes in and what comes out."""

import pytest
import torch
from torch import Tensor, nn

from export.interface import interface
from export.request import ExportRequest, Outputs
from hifigan_ref import audio
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

SAMPLES = 97


class _Named(nn.Module):
    """Says y + 100 i + j for feature map j of member i, and y + 100 i - 1 for its score."""

    def __init__(self, members: int, fmaps: int) -> None:
        super().__init__()
        self.members, self.fmaps = members, fmaps

    def judge(self, y: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        starts = [y + 100 * i for i in range(self.members)]
        return [(x - 1, [x + j for j in range(self.fmaps)]) for x in starts]


def _names(variant: Variant, members: int, outputs: Outputs = "all", pair: bool = False) -> str:
    request = ExportRequest(variant, outputs=outputs, pair=pair)
    waves = {name: torch.zeros(1, 1, 2) for name in request.inputs}
    return " ".join(interface(_Named(members, 2), request)(**waves))


def test_one_member_has_short_names() -> None:
    assert _names(Variant("mpd", "11"), 1) == "score fmap_0 fmap_1"
    assert _names(Variant("msd", "0"), 1, "scores") == "score"


def test_an_ensemble_names_its_members() -> None:
    assert _names(Variant("mpd"), 5, "scores") == (
        "mpd_2_score mpd_3_score mpd_5_score mpd_7_score mpd_11_score"
    )
    assert _names(Variant("msd"), 3) == (
        "msd_0_score msd_0_fmap_0 msd_0_fmap_1 msd_1_score msd_1_fmap_0 msd_1_fmap_1 "
        "msd_2_score msd_2_fmap_0 msd_2_fmap_1"
    )


def test_a_pair_says_which_wave_each_output_is_of() -> None:
    assert _names(Variant("mpd", "2"), 1, pair=True) == (
        "score_real score_fake fmap_0_real fmap_0_fake fmap_1_real fmap_1_fake"
    )
    assert _names(Variant("msd"), 3, "scores", pair=True) == (
        "msd_0_score_real msd_0_score_fake msd_1_score_real msd_1_score_fake "
        "msd_2_score_real msd_2_score_fake"
    )


def test_each_name_holds_the_tensor_it_promises() -> None:
    named = interface(_Named(3, 2), ExportRequest(Variant("msd")))(torch.zeros(2, 1, 4))
    assert {name: tensor.unique().item() for name, tensor in named.items()} == {
        "msd_0_score": -1,
        "msd_0_fmap_0": 0,
        "msd_0_fmap_1": 1,
        "msd_1_score": 99,
        "msd_1_fmap_0": 100,
        "msd_1_fmap_1": 101,
        "msd_2_score": 199,
        "msd_2_fmap_0": 200,
        "msd_2_fmap_1": 201,
    }


def test_real_is_y_and_fake_is_y_hat() -> None:
    function = interface(_Named(1, 1), ExportRequest(Variant("msd", "0"), pair=True))
    named = function(y=torch.full((3, 1, 4), 1.0), y_hat=torch.full((3, 1, 4), 2.0))
    assert {name: (tensor.unique().item(), len(tensor)) for name, tensor in named.items()} == {
        "score_real": (0, 3),
        "score_fake": (1, 3),
        "fmap_0_real": (1, 3),
        "fmap_0_fake": (2, 3),
    }


def test_a_network_with_another_number_of_members_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        interface(_Named(2, 1), ExportRequest(Variant("mpd")))(torch.zeros(1, 1, 2))


@pytest.mark.parametrize("batch", [1, 3])
def test_a_pair_is_the_articles_call(mpd: Trained, batch: int) -> None:
    clip = audio.clip()
    y = torch.from_numpy(clip.batch(batch, SAMPLES, first=400))
    y_hat = torch.from_numpy(clip.batch(batch, SAMPLES, first=400 + batch))
    with torch.no_grad():
        named = interface(mpd.module, ExportRequest(mpd.variant, pair=True))(y=y, y_hat=y_hat)
        d_rs, d_gs, fmap_rs, fmap_gs = mpd.module(y, y_hat)
    for i, member in enumerate(mpd.variant.members()):
        torch.testing.assert_close(named[f"mpd_{member}_score_real"], d_rs[i])
        torch.testing.assert_close(named[f"mpd_{member}_score_fake"], d_gs[i])
        for j in range(6):
            name = f"mpd_{member}_fmap_{j}"
            torch.testing.assert_close(named[f"{name}_real"], fmap_rs[i][j])
            torch.testing.assert_close(named[f"{name}_fake"], fmap_gs[i][j])
