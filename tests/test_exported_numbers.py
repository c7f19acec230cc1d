"""Every exported file against the float64 golden: all variants, lengths, batches and outputs.

The golden takes the weights as trained, norms and all, and shares no code with the networks or the
exporter. The budget is an SNR of 100 dB on every output.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

import golden
from export.pipeline import export_onnx
from export.request import ExportRequest
from export.verify import snr_db
from hifigan_ref import audio
from hifigan_ref.trained import Trained, finish
from hifigan_ref.variant import Variant, all_variants

Array = NDArray[np.float32]
Exact = dict[str, golden.Array]

BUDGET_DB = 100.0
BATCHES = (1, 2, 5)
OPSETS = (11, 13, 15, 17, 18, 20, 22, 24, 26)
P11 = Variant("mpd", "11")
# by family, so that what is kept of the golden serves all members one after the other
VARIANTS = sorted(all_variants(), key=lambda variant: variant.family)


@dataclass(frozen=True)
class Exported:
    """A file in onnxruntime, and what it has to compute."""

    variant: Variant
    path: Path
    session: ort.InferenceSession
    state: dict[str, golden.Array]  # folded by the golden, from the weights as trained

    def exact(self, y: Array) -> Exact:
        """The golden's outputs."""
        if self.variant.member is None:
            whole: Callable[[golden.State, Array], Exact] = getattr(golden, self.variant.family)
            return whole(self.state, y)
        return golden.member(str(self.variant), _member(self.state, 0), y)

    def found(self, y: Array) -> dict[str, Array]:
        """The file's outputs."""
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, {"y": y}), strict=True))


def _member(state: dict[str, golden.Array], index: int) -> dict[str, golden.Array]:
    root = f"discriminators.{index}."
    return {key.removeprefix(root): x for key, x in state.items() if key.startswith(root)}


def _state(module: nn.Module) -> dict[str, golden.Array]:
    return golden.fold({key: x.numpy() for key, x in module.state_dict().items()})


def _only(ensemble: Trained, variant: Variant) -> Trained:
    """One member with the ensemble's weights, norms in place."""
    if variant.member is None:
        return ensemble
    with torch.device("meta"):
        module = variant.network.build((variant.member,))
    place = variant.network.parts.index(variant.member)
    module.discriminators[0] = copy.deepcopy(ensemble.module.discriminators[place])  # type: ignore[index, operator]
    return finish(variant, module, ensemble.origin)


def _session(path: Path, options: ort.SessionOptions | None = None) -> ort.InferenceSession:
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _wave(batch: int, samples: int) -> Array:
    """Speech that starts in the middle of a word, (batch, 1, samples)."""
    samples_of_clip = np.roll(audio.clip().samples, -30_000)
    return np.resize(samples_of_clip, (batch, 1, samples))


def _low(exact: Exact, found: dict[str, Array]) -> dict[str, float]:
    """Outputs whose error is above the budget, with their SNR in dB."""
    assert list(found) == list(exact)
    for name, expected in exact.items():
        assert found[name].shape == expected.shape, name
        assert found[name].dtype == np.float32, name
    ratios = {name: snr_db(expected, found[name]) for name, expected in exact.items()}
    return {name: ratio for name, ratio in ratios.items() if not ratio >= BUDGET_DB}


@pytest.fixture(scope="module")
def kept() -> dict[tuple[str, int], Exact]:
    """The golden's outputs for long waves: one family's, which its members share."""
    return {}


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def exported(
    request: pytest.FixtureRequest,
    mpd: Trained,
    msd: Trained,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Exported]:
    """Each variant's dynamic file, through the whole pipeline."""
    variant: Variant = request.param
    trained = _only({"mpd": mpd, "msd": msd}[variant.family], variant)
    path = tmp_path_factory.mktemp("dynamic") / f"{variant}.onnx"
    export_onnx(ExportRequest(variant), trained, path)
    yield Exported(variant, path, _session(path), _state(trained.module))
    path.unlink()


def _lengths(variant: Variant) -> list[int]:
    """From the smallest on, every residue of every period; and of every product of strides."""
    shortest = variant.signature.smallest["samples"]
    beyond = () if variant.family == "mpd" else (63, 64, 255, 256)
    return [*range(shortest, shortest + 11), *beyond]


def test_every_residue_and_batch(exported: Exported) -> None:
    """Lengths of every residue of 2, 3, 5, 7 and 11; batch 1, 2 and 5."""
    wrong = {}
    for samples in _lengths(exported.variant):
        y = _wave(max(BATCHES), samples)
        exact = exported.exact(y)
        for batch in BATCHES:
            part = {name: x[:batch] for name, x in exact.items()}
            if low := _low(part, exported.found(y[:batch])):
                wrong[samples, batch] = low
    assert wrong == {}


@pytest.mark.parametrize("samples", [22050, 110250])
def test_long_waves(
    exported: Exported, kept: dict[tuple[str, int], Exact], mpd: Trained, msd: Trained, samples: int
) -> None:
    """A member's outputs are those of the ensemble, whose weights it has."""
    family, member = exported.variant.family, exported.variant.member
    y = _wave(1, samples)
    if (family, samples) not in kept:
        for other in [key for key in kept if key[0] != family]:
            del kept[other]
        ensemble = {"mpd": mpd, "msd": msd}[family]
        whole = dataclasses.replace(
            exported, variant=Variant(family), state=_state(ensemble.module)
        )
        kept[family, samples] = whole.exact(y)
    exact = kept[family, samples]
    if member is not None:
        prefix = f"{family}_{member}_"
        exact = {k.removeprefix(prefix): x for k, x in exact.items() if k.startswith(prefix)}
    assert _low(exact, exported.found(y)) == {}


@settings(max_examples=4, deadline=None, derandomize=True)
@given(extra=st.integers(0, 600), batch=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_any_length_and_batch(exported: Exported, extra: int, batch: int, seed: int) -> None:
    """Noise, which unlike speech has no quiet and no smooth places."""
    shape = (batch, 1, exported.variant.signature.smallest["samples"] + extra)
    y = (0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)
    assert _low(exported.exact(y), exported.found(y)) == {}


def test_onnxruntime_agrees_without_its_optimisations(exported: Exported) -> None:
    """The graph itself is right, not only what the runtime makes of it."""
    plain = ort.SessionOptions()
    plain.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    other = dataclasses.replace(exported, session=_session(exported.path, plain))
    y = _wave(2, 701)
    assert _low(exported.exact(y), other.found(y)) == {}


def test_the_golden_judges_each_item_of_a_batch_alone(mpd_11: Trained) -> None:
    """What lets one pass of the golden judge three batches."""
    state = _member(_state(mpd_11.module), 0)
    y = _wave(5, 17)
    whole = golden.member("mpd-11", state, y)
    for name, x in golden.member("mpd-11", state, y[:2]).items():
        np.testing.assert_allclose(whole[name][:2], x, rtol=1e-11, atol=1e-12)


# -------------------------------------------------------------------------- every opset of mpd-11


@pytest.mark.parametrize("opset", OPSETS)
def test_the_numbers_are_the_same_at_every_opset(
    mpd_11: Trained, tmp_path: Path, opset: int
) -> None:
    path = tmp_path / "mpd-11.onnx"
    export_onnx(ExportRequest(P11, opset), mpd_11, path)
    imports = onnx.load(path).opset_import
    assert [(entry.domain, entry.version) for entry in imports] == [("", opset)]
    onnx.checker.check_model(path, full_check=True)
    exported = Exported(P11, path, _session(path), _state(mpd_11.module))
    for batch, samples in ((1, 8192), (2, 8195), (3, 6), (1, 11)):
        y = _wave(batch, samples)
        exact = exported.exact(y)
        found = exported.found(y)
        assert list(found) == ["score", *(f"fmap_{i}" for i in range(6))]
        assert min(snr_db(exact[name], x) for name, x in found.items()) >= BUDGET_DB


# ----------------------------------------------------------------------- the judge itself can fail


def _poked(found: dict[str, Array], name: str, noise_energy: float) -> dict[str, Array]:
    """One output with that much noise."""
    noise = np.random.default_rng(0).standard_normal(found[name].shape)
    noise *= np.sqrt(noise_energy / np.square(noise).sum())
    return {**found, name: (found[name].astype(np.float64) + noise).astype(np.float32)}


def test_an_error_above_the_budget_is_reported(mpd_11: Trained) -> None:
    """One output with noise 105 dB below it passes, with noise 95 dB below it fails."""
    exact = golden.member("mpd-11", _member(_state(mpd_11.module), 0), _wave(1, 701))
    found = {name: x.astype(np.float32) for name, x in exact.items()}
    assert _low({name: x * 1.001 for name, x in exact.items()}, found).keys() == {*found}
    for name, x in exact.items():
        energy = float(np.square(x).sum())
        assert _low(exact, _poked(found, name, energy * 10**-10.5)) == {}
        assert [*_low(exact, _poked(found, name, energy * 10**-9.5))] == [name]
