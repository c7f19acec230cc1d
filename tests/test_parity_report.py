"""The parity report: what it runs, what it says of wrong files, and its views."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html import unescape
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

import cli
from bench import record_json
from bench.exit_code import WRONG_ROW
from bench.hole import Skipped
from bench.parity import cases as parity_cases
from bench.parity import meaning
from bench.parity import run as parity_run
from bench.parity.cases import NOISE_DB, every_size, real_and_generated
from bench.parity.meaning import Judged
from bench.parity.report import (
    DISCRIMINATOR,
    FEATURES,
    GENERATOR,
    QUANTITIES,
    SCORE,
    Change,
    Element,
    ParityReport,
    in_layer_order,
)
from bench.parity.run import Order, report
from bench.render.views.parity import document, verdict
from export.artifact import Artifact
from export.cache import cached_export
from export.request import ExportRequest
from fakes import run_main
from hifigan_ref import audio
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant, all_variants
from shown import html, markdown, printed

bench = partial(run_main, cli.bench_main)

Arrays = dict[str, NDArray[np.floating]]
Spoil = Callable[[onnx.ModelProto], None]
P11 = Variant("mpd", "11")
NAMES = ("score", *(f"fmap_{i}" for i in range(6)))
LAYERS = (*NAMES[1:], "score")
SHORT = (33, 34, 43)  # no pad, the longest, the shortest


@pytest.fixture
def file(mpd_11: Trained) -> Artifact:
    return cached_export(ExportRequest(P11), mpd_11.origin, lambda _: mpd_11)


@pytest.fixture
def judge(file: Artifact, mpd_11: Trained) -> Callable[..., ParityReport]:
    """A report of a file, its graph spoilt, at short lengths."""

    def run(spoil: Spoil | None = None, lengths: tuple[int, ...] = SHORT) -> ParityReport:
        model = onnx.load(file.path)
        if spoil is not None:
            spoil(model)
        order = Order(Source(), audio.clip(), {"samples": lengths})
        return report(file, model.SerializeToString(), mpd_11, order)

    return run


def change_weight(model: onnx.ModelProto, name: str, factor: float) -> None:
    (held,) = (each for each in model.graph.initializer if each.name == name)
    held.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(held) * np.float32(factor), name))


# The cases


def residues(variant: Variant) -> tuple[int, ...]:
    return variant.signature.axes["samples"].every_remainder(1024)


def shapes(file: Artifact, **fixed: int) -> list[tuple[int, ...]]:
    """(N, T) of every case of a file with these axes fixed."""
    file = replace(file, manifest=replace(file.manifest, sizes=fixed))
    return [tuple(sizes.values()) for sizes in every_size(file, {})]


def test_every_residue_of_every_period_is_run() -> None:
    for variant in all_variants():
        lengths = residues(variant)
        for member in variant.members():
            step = int(member) if variant.family == "mpd" else 2 ** int(member)
            assert {n % step for n in lengths} == set(range(step))
    assert residues(P11) == tuple(range(1023, 1034))
    assert residues(Variant("msd", "0")) == (1024,)


def test_a_dynamic_file_has_batch_edges_a_short_and_an_ordinary_length(file: Artifact) -> None:
    found = shapes(file)
    assert {(n, 1023) for n in (1, 2, 5)} <= set(found)
    assert found[-2:] == [(1, 6), (1, 8192)]
    assert len(set(found)) == len(found) == 15


def test_a_fixed_axis_has_its_one_length(file: Artifact) -> None:
    assert shapes(file, batch=3, samples=500) == [(3, 500)]
    assert {batch for batch, _ in shapes(file, batch=3)} == {3}
    assert shapes(file, samples=500) == [(n, 500) for n in (1, 2, 5)]


def test_y_hat_is_speech_with_little_noise_always_the_same() -> None:
    def waveforms(batch: int, samples: int) -> list[NDArray[np.float32]]:
        sizes = {"batch": batch, "samples": samples}
        return [e["y"] for e in real_and_generated(audio.clip(), P11.signature.inputs, sizes)]

    y, y_hat = waveforms(5, 1023)
    assert y.shape == y_hat.shape == (5, 1, 1023)
    power = np.square(y).sum() / np.square(y_hat - y).sum()
    assert 10 * np.log10(power) == pytest.approx(NOISE_DB, abs=0.3)
    again, _ = waveforms(1, 1)
    assert again.any(), "the shortest stretch is not silent"
    np.testing.assert_array_equal(waveforms(5, 1023)[1], y_hat)


# The verdicts


def test_a_right_file_passes_everywhere(judge: Callable[..., ParityReport]) -> None:
    found = judge()
    assert found.passed and found.failures == ()
    assert [tuple(c.sizes.values()) for c in found.cases] == [
        (n, t) for t in SHORT for n in (1, 2, 5)
    ]
    assert tuple(worst.name for worst in found.outputs) == LAYERS
    first = found.cases[0].outputs
    assert not isinstance(first, Skipped) and tuple(o.parity.name for o in first) == NAMES
    for worst in found.outputs:
        element = worst.found.worst
        assert isinstance(element, Element)
        apart = abs(element.found - element.expected)
        assert apart == pytest.approx(worst.found.parity.max_abs)
        assert len(element.index) == len(worst.found.parity.shape)
    assert tuple(change.name for _, change in found.meaning) == QUANTITIES
    assert all(change.relative < 1e-4 for _, change in found.meaning)
    assert record_json.parities_of(record_json.dump([found])) == (found,)


@pytest.mark.parametrize("layer", [0, 2])
def test_a_changed_weight_fails_from_its_layer_on(
    judge: Callable[..., ParityReport], layer: int
) -> None:
    spoil = partial(change_weight, name=f"convs.{layer}.weight", factor=1.001)
    found = judge(spoil, (33,))
    assert found.failures == LAYERS[layer:]
    assert all(change.relative > 1e-6 for _, change in found.meaning)
    told = verdict(found).text
    assert f"{7 - layer} of 7 outputs" in told and told.endswith(f"first layer is fmap_{layer}")
    assert f"| fmap_{layer} |" in markdown(document([found])) and "FAIL" in told


def test_a_wrong_pad_fails_only_where_there_is_a_pad(judge: Callable[..., ParityReport]) -> None:
    def spoil(model: onnx.ModelProto) -> None:
        (pad,) = (node for node in model.graph.node if node.op_type == "Pad")
        pad.attribute[0].s = b"edge"

    found = judge(spoil, (33, 34, 41))
    wrong = {
        case.sizes["samples"]
        for case in found.cases
        if not isinstance(case.outputs, Skipped)
        and min(each.parity.snr_db for each in case.outputs) < found.budget_db
    }
    assert wrong == {34, 41}
    assert found.failures[0] == "fmap_0"


def test_nan_is_the_worst_element(judge: Callable[..., ParityReport]) -> None:
    found = judge(partial(change_weight, name="conv_post.weight", factor=float("nan")), (33,))
    assert found.failures == ("fmap_5", "score")
    element = found.outputs[-1].found.worst
    assert isinstance(element, Element) and np.isnan(element.found)
    assert all(change.absolute == np.inf for _, change in found.meaning)
    assert '"NaN"' in record_json.dump([found]).decode()


def test_another_shape_says_so(judge: Callable[..., ParityReport]) -> None:
    def spoil(model: onnx.ModelProto) -> None:
        model.graph.node[-1].op_type = "Identity"
        del model.graph.node[-1].input[1:], model.graph.node[-1].attribute[:]
        del model.graph.output[0].type.tensor_type.shape.dim[:]
        model.graph.output[0].type.tensor_type.ClearField("shape")

    found = judge(spoil, (33,))
    assert found.failures == ("score",)
    assert isinstance(found.outputs[-1].found.worst, Skipped)
    assert "has shape" in markdown(document([found]))
    assert all(change.relative == np.inf for _, change in found.meaning)


def only_33_samples(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 33


def no_such_operation(model: onnx.ModelProto) -> None:
    model.graph.node[-1].op_type = "Nothing"


def test_a_case_that_cannot_be_run_is_a_hole_and_the_others_go_on(
    judge: Callable[..., ParityReport],
) -> None:
    found = judge(only_33_samples, (33, 34))
    assert [case.shape for case, _ in found.holes] == ["1 x 34", "2 x 34", "5 x 34"]
    assert not found.passed and found.failures == ()
    reasons = {hole.reason for _, hole in found.holes}
    assert all(each.startswith("onnxruntime cannot run the file: ") for each in reasons)
    assert all(case.meaning == hole for case, hole in found.holes)
    assert {case.sizes["samples"] for case, _ in found.meaning} == {33}
    assert verdict(found).text == "mpd-11 FAILED: 3 of 6 shapes cannot be run, first 1 x 34"
    assert record_json.parities_of(record_json.dump([found])) == (found,)
    for page in (shown(document([found])) for shown in (markdown, html, printed)):
        assert "not run" in page and all(each in " ".join(page.split()) for each in reasons)


def test_what_cannot_be_run_and_what_is_wrong_are_both_told(
    judge: Callable[..., ParityReport],
) -> None:
    def spoil(model: onnx.ModelProto) -> None:
        only_33_samples(model)
        change_weight(model, "convs.0.weight", 1.001)

    told = verdict(judge(spoil, (33, 34))).text
    assert "3 of 6 shapes cannot be run, first 1 x 34; 7 of 7 outputs leave the budget" in told


def test_a_file_that_does_not_load_has_nothing_but_holes(
    judge: Callable[..., ParityReport],
) -> None:
    found = judge(no_such_operation, (33,))
    assert len(found.holes) == len(found.cases) == 3
    assert (found.outputs, found.meaning, found.passed) == ((), (), False)
    (reason,) = {hole.reason for _, hole in found.holes}
    assert f"1 x 33, 2 x 33, 5 x 33: {reason}" in unescape(markdown(document([found])))
    assert b"not run" in html(document([found])).encode()


def test_layers_come_before_their_score_member_by_member() -> None:
    names = ("a_score", "a_fmap_0", "a_fmap_1", "b_score", "b_fmap_0")
    assert in_layer_order(names) == ("a_fmap_0", "a_fmap_1", "a_score", "b_fmap_0", "b_score")
    pair = ("score_real", "score_fake", "fmap_0_real", "fmap_0_fake")
    assert in_layer_order(pair) == (*pair[2:], *pair[:2])


# The meaning


def judged(real: float, fake: float) -> Judged:
    def outputs(value: float) -> Arrays:
        return {
            "a_score": np.full((2, 3), value),
            "a_fmap_0": np.full((2, 4, 3), 3 * value),
            "b_score": np.full((2, 1), 2 * value),
        }

    return Judged(outputs(real), outputs(fake))


def test_the_losses_are_the_article_s() -> None:
    found = meaning.losses(judged(0.5, 0.25))
    assert found[DISCRIMINATOR] == pytest.approx((0.25 + 0.0625) + (0.0 + 0.25))
    assert found[GENERATOR] == pytest.approx(0.5625 + 0.25)
    assert found[FEATURES] == pytest.approx(2 * 0.75)


def test_changes_are_from_float64() -> None:
    exact, torch, found = judged(0.5, 0.25), judged(0.5, 0.2501), judged(0.5, 0.251)
    score, _, generator, features = meaning.changes(exact, torch, found)
    assert score.absolute == pytest.approx(2e-3) and score.torch_absolute == pytest.approx(2e-4)
    assert score.exact == 0.5 and score.found == pytest.approx(0.502)
    assert generator.relative == pytest.approx(generator.absolute / 0.8125)
    assert features.absolute == pytest.approx(2 * 3e-3)


def test_scores_alone_have_no_feature_matching() -> None:
    scores = {"score": np.ones((1, 2))}
    both = Judged(scores, scores)
    names = [change.name for change in meaning.changes(both, both, both)]
    assert names == [SCORE, DISCRIMINATOR, GENERATOR]
    assert Change(SCORE, 0.0, 0.0, 0.0, 0.0).relative == 0.0
    assert Change(SCORE, 0.0, 1.0, 0.0, 0.0).relative == np.inf


def test_a_pair_is_read_by_its_endings() -> None:
    found = meaning.from_pair({"score_real": np.ones(1), "score_fake": np.zeros(1)})
    assert found.real == {"score": np.ones(1)} and found.fake == {"score": np.zeros(1)}


# The command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(parity_cases, "SHARE", 8192 // 22)
    return tmp_path


def test_a_selection_gets_a_report_in_every_view(folder: Path) -> None:
    ran = bench("parity", "--period", 11, "--pair", "--out", "out")
    assert (ran.code, ran.err) == (0, "")
    assert "mpd-11 PASSED" in ran.out and "feature-matching loss" in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines()[:-8])
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert names == ["parity.html", "parity.json", "parity.md"]
    (found,) = record_json.parities_of((folder / "out/parity.json").read_bytes())
    assert found.outputs[0].name == "fmap_0_real" and len(found.cases) == 15
    assert "https://" not in (folder / "out/parity.html").read_text().split("<script>")[0]


def test_json_is_printed_alone(folder: Path, file: Artifact) -> None:
    ran = bench("parity", file.path, "--samples", 33, "--samples", 35, "--json")
    assert ran.code == 0
    assert ran.out.encode() == (folder / "reports/parity.json").read_bytes()
    (found,) = record_json.parities_of(ran.out.encode())
    assert {case.sizes["samples"] for case in found.cases} == {33, 35}
    assert found.sha256 == file.sha256


@pytest.mark.usefixtures("folder")
def test_a_file_that_is_not_exact_enough_has_exit_code_3(file: Artifact) -> None:
    ran = bench("parity", file.path, "--samples", 33, "--min-snr", 200)
    assert ran.code == WRONG_ROW == 3
    assert "FAILED: 7 of 7 outputs" in " ".join(ran.out.split())


@pytest.mark.usefixtures("folder")
def test_a_file_that_cannot_be_run_has_exit_code_3(
    file: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(
        loaded: Artifact, content: bytes, trained: Trained, order: Order, _: object
    ) -> ParityReport:
        model = onnx.ModelProto.FromString(content)
        only_33_samples(model)
        return report(loaded, model.SerializeToString(), trained, order)

    monkeypatch.setattr(parity_run, "report", spoilt)
    ran = bench("parity", file.path, "--samples", 33, "--samples", 34)
    assert (ran.code, ran.err) == (WRONG_ROW, "")
    assert "FAILED: 3 of 6 shapes cannot be run" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seed", 1), ("was made from seed 0", "--checkpoint or --seed")),
        (("--period", 11), ("give one",)),
        (("--pair",), ("give one",)),
        (("--samples", 5), ("5 samples are too few", "6 or more")),
    ],
)
def test_what_does_not_fit_the_file_is_refused(
    folder: Path, file: Artifact, arguments: tuple[object, ...], words: tuple[str, ...]
) -> None:
    ran = bench("parity", file.path, *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert len(ran.err.splitlines()) == 1
    assert all(word in ran.err for word in words), ran.err
    assert not (folder / "reports").exists() or not list((folder / "reports").iterdir())


def test_a_changed_file_is_refused(folder: Path, file: Artifact) -> None:
    model = onnx.load(file.path)
    change_weight(model, "convs.0.weight", 1.001)
    onnx.save(model, folder / "other.onnx")
    ran = bench("parity", "other.onnx")
    assert ran.code == 1 and "was changed after it was exported" in ran.err
