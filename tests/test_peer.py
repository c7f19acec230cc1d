"""PyTorch's own error: as large as its precision lets expect, and of the same layers."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bench import peer
from bench.judge import Reference, compare, reference
from bench.peer import name_of, outputs_in
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from hifigan_ref import audio
from hifigan_ref.trained import Trained, state_digest
from hifigan_ref.variant import Variant

REQUEST = ExportRequest(Variant("mpd", "11"))
INPUTS: Mapping[str, NDArray[np.float32]] = {"y": audio.speech().loudest_first().batch(2, 2310, 0)}


@pytest.fixture(scope="module")
def expected(mpd_11: Trained) -> Reference:
    return reference(mpd_11, REQUEST, INPUTS)


def own(expected: Reference, asked: object, trained: Trained) -> dict[str, float]:
    found = outputs_in(asked, trained, REQUEST, INPUTS)  # type: ignore[arg-type]
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
    parity = compare(Reference(expected.exact, found), expected.torch, 100.0)
    return {output.name: output.torch_snr_db for output in parity.outputs}


@pytest.mark.parametrize(
    ("precision", "least", "most"),
    [("fp32", 100, 160), ("tf32", 50, 80), ("fp16", 50, 80), ("bf16", 33, 60), ("int8", 15, 50)],
)
def test_each_precision_has_an_error_of_its_own(
    mpd_11: Trained, expected: Reference, precision: str, least: float, most: float
) -> None:
    found = own(expected, precision, mpd_11)
    assert least < min(found.values()) < most, found
    assert state_digest(mpd_11.module) == mpd_11.digest, "the network stays as it is"


def test_a_plan_rounds_the_layers_that_it_names(mpd_11: Trained, expected: Reference) -> None:
    plan = PrecisionPlan("fp32", {"mpd_11.convs.2": "bf16", "mpd_11.convs.4": "int8"})
    found = own(expected, plan, mpd_11)
    assert found["fmap_1"] > 100
    assert 35 < found["fmap_2"] < 60
    assert found["fmap_4"] < found["fmap_3"]
    halves = own(expected, PrecisionPlan("bf16"), mpd_11)
    cast = own(expected, "bf16", mpd_11)
    for name, ratio in halves.items():
        assert ratio == pytest.approx(cast[name], abs=5), "rounded by hand as by the type"


def test_layers_with_one_channel_stay_in_float32(mpd_11: Trained, expected: Reference) -> None:
    found = own(expected, "int8", mpd_11)
    assert found["fmap_0"] > 100 and found["fmap_1"] < 60


def test_an_ensemble_has_each_members_layers() -> None:
    from hifigan_ref.seeded import Seeded

    trained = Seeded(0).build(Variant("msd"))
    plan = PrecisionPlan("fp32", {"msd_2.convs.0": "int8"})
    kinds = [kind for _, kind in peer._layers(trained.module, plan, trained.variant)]
    assert kinds == ["fp32"] * 16 + ["int8"] + ["fp32"] * 7


def test_tf32_has_ten_bits_of_mantissa() -> None:
    one = torch.tensor([1 + 2.0**-11, 1 + 2.0**-10, 1 + 2.0**-12, -1 - 2.0**-11])
    rounded = peer._through(one, None)
    assert rounded.tolist() == [1 + 2.0**-10, 1 + 2.0**-10, 1.0, -1 - 2.0**-10]


def test_integers_have_256_steps_and_weights_255_of_each_channel() -> None:
    values = torch.linspace(-1, 3, 10001)
    found = peer._quantized(values)
    assert len(set(found.tolist())) == 256 and 0.0 in found
    assert (found - values).abs().max() <= 4 / 255 / 2 + 1e-6
    weight = torch.stack([torch.linspace(-1, 1, 9999), torch.linspace(-8, 8, 9999)])
    rounded = peer._quantized_weight(weight)
    assert [len(set(row.tolist())) for row in rounded] == [255, 255]


def test_names_tell_plans_apart() -> None:
    one, other = PrecisionPlan("fp16"), PrecisionPlan("fp16", {"mpd_11.convs.1": "fp32"})
    assert name_of("bf16") == "bf16"
    assert len({name_of(one), name_of(other), name_of("fp16")}) == 3
