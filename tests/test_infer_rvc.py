"""VITS's and RVC's discriminators against those of the package infer-rvc-python (MIT)."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch

from export.sums import sums_of
from fakes import old_names
from hifigan_ref import audio
from hifigan_ref.seeded import Seeded
from hifigan_ref.variant import Variant

PACKAGE = "infer_rvc_python"
CLASSES = {
    "vits-d": "MultiPeriodDiscriminator",  # without the last period of RVC's version 1
    "rvc-v1-d": "MultiPeriodDiscriminator",
    "rvc-v2-d": "MultiPeriodDiscriminatorV2",
}
MIN_SNR_DB = 200.0

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec(PACKAGE) is None, reason="pip install --no-deps infer-rvc-python"
    ),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of what their code uses
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def theirs() -> Iterator[ModuleType]:
    """Their networks, without what the package itself imports: a voice changer's libraries."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None and spec.submodule_search_locations is not None
    hollow: Any = ModuleType(PACKAGE)
    hollow.__path__ = list(spec.submodule_search_locations)
    sys.modules[PACKAGE] = hollow
    try:
        yield importlib.import_module(f"{PACKAGE}.lib.infer_pack.models")
    finally:
        for name in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


@pytest.mark.parametrize("name", CLASSES)
def test_every_output_is_theirs(name: str, theirs: ModuleType) -> None:
    members = Variant(name).members()
    ours = Seeded(0).build(Variant(name)).module
    peer = getattr(theirs, CLASSES[name])()
    peer.discriminators = peer.discriminators[: len(members)]
    peer.load_state_dict(old_names(ours.state_dict()))
    waves = audio.clip().loudest_first().batch(2, 1117)
    pair = [torch.from_numpy(each[None]).double() for each in waves]
    with torch.no_grad():
        found, expected = (list(_flat(each.double()(*pair))) for each in (ours, peer))
    assert len(found) == len(expected) == 2 * (8 + 7 * (len(members) - 1))
    for mine, other in zip(found, expected, strict=True):
        assert sums_of(other.numpy(), mine.numpy()).snr_db > MIN_SNR_DB


def _flat(found: Any) -> Iterator[torch.Tensor]:
    """Scores of both waveforms, then feature maps of both."""
    if isinstance(found, torch.Tensor):
        yield found
    else:
        for each in found:
            yield from _flat(each)
