"""The search on a real runtime: within the budget, resumable, and as exact as promised."""

import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cli
from bench import judge, pool, record_json
from bench.exit_code import INTERRUPTED
from bench.judge import Arrays
from bench.machine.survey import this_machine
from bench.mix.member import Member, noise
from bench.mix.run import PLAN, mix
from bench.mix.search import search
from bench.mix.wish import Wish, exported
from bench.mixing_record import Measured, MemberTrials
from bench.tune.trial import Bench
from export import store
from export.lowering.plan import PLAIN
from export.precision.budget import GRAPH_PRECISIONS, NotExactError
from export.precision.plan import plan_of
from export.request import ExportRequest
from fakes import FakeSession, run_main
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

PERIOD = Variant("mpd", "2")
REQUEST = ExportRequest(PERIOD, min_snr_db=20.0)
PLAINLY = dict.fromkeys(GRAPH_PRECISIONS, PLAIN)
OPENVINO = Wish("openvino", (PERIOD,), REQUEST, PLAINLY, {"batch": 1, "samples": 2048}, 1, Source())

pytestmark = pytest.mark.timeout(300)


def found_by(wish: Wish) -> MemberTrials:
    (found,) = [each for each in search(wish, this_machine()) if isinstance(each, MemberTrials)]
    return found


def as_if_int8_were_faster(member: Member, *args: Any) -> Measured:
    """What was measured, on a machine on which each layer in int8 saves a tenth of the time."""
    made = measure(member, *args)
    ratios = [1 - len(each.layers) / 10 for each in made.trials]
    told = zip(made.trials, ratios, strict=True)
    return replace(made, trials=tuple(replace(each, ratio=r, high=r) for each, r in told))


measure = Member.measure


@cache
def found() -> MemberTrials:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Member, "measure", as_if_int8_were_faster)
        return found_by(OPENVINO)


def test_the_choice_is_the_fastest_within_the_budget() -> None:
    choice = found().choice
    assert choice.sure_db >= 20.0 and choice.high < 1
    within = [each for each in found().trials if each.sure_db >= 20.0]
    assert choice.ratio == min(each.ratio for each in within)
    assert found().trials[0].layers == {} and found().trials[0].snr_db > 100


def test_every_layer_but_the_edges_is_tried_alone_and_all_together() -> None:
    tried = [dict(each.layers) for each in found().trials]
    inner = [f"convs.{i}" for i in range(1, 5)]
    assert all({name: "int8"} in tried for name in inner)
    assert dict.fromkeys(inner, "int8") in tried
    assert not any("convs.0" in layers or "conv_post" in layers for layers in tried)


def test_noise_of_layers_nearly_adds_which_predictions_rest_on() -> None:
    alone = [each for each in found().trials if len(each.layers) == 1]
    whole = next(each for each in found().trials if len(each.layers) == 4)
    predicted = sum(each.noise["fmap_4"] for each in alone)
    assert predicted == pytest.approx(whole.noise["fmap_4"], rel=0.5)


def test_what_was_measured_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = found()

    def refuse(*_: Any) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(Member, "measure", refuse)
    assert found_by(OPENVINO) == before


def test_the_exported_file_is_as_exact_as_promised(tmp_path: Path) -> None:
    found()
    place = tmp_path / "mpd-2.onnx"
    mixed = mix(OPENVINO, {PERIOD: place}, tmp_path, lambda steps: steps)
    (member,) = mixed.mixing.members
    inputs = pool.draw(audio.speech(), REQUEST.signature, OPENVINO.sizes)[0]
    exact = judge.reference(Source().build(PERIOD), ExportRequest(PERIOD), inputs).exact
    bench = Bench("openvino", 1, np.inf, 0.0, random.Random(0))
    (file,) = mixed.files
    request = ExportRequest(
        PERIOD, sizes={"batch": 1, "samples": 2048}, precision=file.manifest.precision
    )
    session = bench.open(file, inputs, request)
    again = noise(session, inputs, exact)
    session.close()
    (promise,) = mixed.mixing.promises
    assert again == promise.noise, "to the last bit"
    assert promise.snr_db == pytest.approx(member.choice.snr_db, abs=0.01)
    assert promise.sha256 == file.sha256
    assert plan_of(str(tmp_path / PLAN)).layers == mixed.plan.layers
    assert "mixed for openvino, 20 dB" in mixed.plan.origin


def test_a_choice_that_does_not_export_gives_way_to_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    best = found().choice
    assert best.layers
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path))  # where nothing is kept

    def refuse(wish: Wish, variant: Variant, plan: Any) -> ExportRequest:
        if len(plan.layers) == len(best.layers):
            raise NotExactError("too coarse")
        return exported(wish, variant, plan)

    monkeypatch.setattr("bench.mix.search.exported", refuse)
    monkeypatch.setattr(Member, "measure", as_if_int8_were_faster)
    other = found_by(OPENVINO).choice
    assert len(other.layers) != len(best.layers) and other.snr_db >= 20.0


def test_a_budget_that_no_plan_meets_names_the_best_reachable() -> None:
    found()
    wish = replace(OPENVINO, request=replace(REQUEST, min_snr_db=190.0))
    with pytest.raises(HifiError, match=r"reaches 190 dB on openvino: the best reachable is 1\d\d"):
        found_by(wish)


def test_a_runtime_that_computes_something_else_has_no_plan() -> None:
    """onnxruntime reads int8 from a file, and computes it in float32."""
    told = r"ort-cpu runs no layer of mpd-2 in int8: int8: convs.1: NotAsAskedError: INVALID: "
    with pytest.raises(HifiError, match=told):
        found_by(replace(OPENVINO, backend="ort-cpu"))


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        ({}, r"score is missing, \(2,\) was expected"),
        ({"score": np.zeros(3)}, r"score has the shape \(3,\), \(2,\) was expected"),
        ({"score": np.array([np.nan, 0.0])}, "score is not finite"),
    ],
)
def test_outputs_that_are_no_numbers_are_no_trial(outputs: Arrays, told: str) -> None:
    with pytest.raises(HifiError, match=told):
        noise(FakeSession(outputs), {}, {"score": np.ones(2)})


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ("torch", "torch reads no precision from a file of opset 18"),
        ("nope", "no backend 'nope'"),
        ("openvino:precision=int8", "layers that keep their precision have one of fp32"),
        ("openvino:lowering=default", "leave out lowering"),
    ],
)
def test_backends_that_cannot_mix_are_refused(backend: str, told: str) -> None:
    with pytest.raises(HifiError, match=told):
        replace(OPENVINO, backend=backend)


def test_the_command_writes_files_plan_and_report(tmp_path: Path) -> None:
    found()
    command = ("onnx", "--period", 2, "--precision", "mixed", "--batch", 1, "--samples", 2048)
    given = ("--min-snr", 20, "--for", "openvino", "--out", tmp_path)
    ran = run_main(cli.export_main, *command, *given)
    assert ran.code == 0, ran.err
    assert "Pareto front" in ran.out and "The plan" in ran.out
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "mixed.html", "mixed.json", "mixed.md", "mpd-2.json", "mpd-2.onnx", "precision.json",
    ]  # fmt: skip
    assert record_json.mixing_at(tmp_path / "mixed.json").members[0].choice.snr_db >= 20


def test_a_folder_that_cannot_be_written_is_refused_before_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr("bench.mix.command.mix", refuse)
    place = tmp_path / "file"
    place.touch()
    command = ("onnx", "--period", 2, "--precision", "mixed", "--min-snr", 30, "--for", "openvino")
    ran = run_main(cli.export_main, *command, "--out", place)
    assert ran.code == 1 and f"cannot write {place}" in ran.err, ran.err


def test_ctrl_c_is_told_and_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "kept"))
    monkeypatch.setattr(Member, "measure", stopped)
    command = ("onnx", "--period", 2, "--precision", "mixed", "--min-snr", 30, "--for", "openvino")
    ran = run_main(cli.export_main, *command, "--out", tmp_path / "out")
    assert ran.code == INTERRUPTED and "the same command goes on" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "add --for BACKEND and --min-snr DB"),
        (("--for", "openvino"), "add --for BACKEND and --min-snr DB"),
        (("--min-snr", "30"), "add --for BACKEND and --min-snr DB"),
        (("--min-snr", "30", "--for", "torch"), "torch"),
        (("--min-snr", "30", "--for", "openvino", "--io-types", "same"), "io types same"),
    ],
)
def test_what_is_missing_is_told(given: tuple[str, ...], told: str, tmp_path: Path) -> None:
    ran = run_main(
        cli.export_main, "onnx", "--period", 2, "--precision", "mixed", *given, "--out", tmp_path
    )
    assert ran.code == 1 and told in ran.err, ran.err
    assert not list(tmp_path.iterdir())
