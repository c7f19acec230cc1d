"""``hifi-bench tune`` from the wish to the files."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

import cli
import shown
from bench import record_json, suite
from bench.exit_code import INTERRUPTED, WRONG_ROW
from bench.geometry import Geometry
from bench.machine import bandwidth, roofline
from bench.render.document import Verdict
from bench.run import Finished
from bench.stopping import Limits
from bench.timing import measure
from bench.tune import run as runs
from bench.tune import trial
from bench.tune.forms import forms_of
from bench.tune.run import tuned_backend
from export import artifact, store
from export.lowering.plan import read_plan
from export.lowering.rule import Form
from fakes import Here, fake_report, fake_tuning, run_main
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained

tune = partial(run_main, cli.bench_main, "tune")
SMALL = ("--period", 11, "--batch", 1, "--samples", 2048, "--limit", 0.5, "--threads", 1)
FEW = ("columns", "fir-4-5", "phase", "rows")


def few(geometry: Geometry, products: bool) -> list[Form]:
    assert not products
    return [form for form in forms_of(geometry) if len(form) < 2 and set(form) <= set(FEW)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mpd_11: Trained) -> Iterator[None]:
    """Cells run here, rounds are short, few forms are tried, a few lengths are proved."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(suite, "Apart", Here)
    monkeypatch.setattr(measure, "is_warm", lambda seconds: len(seconds) >= 3)
    monkeypatch.setattr(roofline, "SIZE", 64)
    monkeypatch.setattr(roofline, "SECONDS", 0.0)
    monkeypatch.setattr(bandwidth, "SECONDS", 0.0)
    monkeypatch.setattr(bandwidth, "LEAST_BYTES", 2**20)
    monkeypatch.setattr(bandwidth, "CACHES", 0)
    monkeypatch.setattr(trial, "SECONDS", 0.001)
    monkeypatch.setattr(trial, "ABOVE_PEAK", float("inf"))
    monkeypatch.setattr("bench.tune.search.forms_of", few)
    monkeypatch.setattr(Source, "build", lambda *_: mpd_11)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_it_leaves_a_plan_a_file_that_runs_and_their_proof(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "kept"))
    ran = tune(*SMALL, "--out", "out")
    assert ran.code == 0, ran
    out = tmp_path / "out"
    views = {"tune.html", "tune.md", "tune.json"}
    proof = {"mpd-11.parity.json", "ledger.jsonl"}
    assert files(out) == views | proof | {"plan.json", "mpd-11.onnx", "mpd-11.json"}
    last = ran.out.splitlines()[-1]
    assert (
        last == "plan: out/plan.json; mpd-11.onnx; report: out/tune.html; beside it .md and .json"
    )

    plan = read_plan(out / "plan.json")
    assert plan.origin.startswith("tuned for ort-cpu, 1 x 2048, outputs all, 1 threads, ")
    made = artifact.load(out / "mpd-11.onnx")
    assert made.manifest.lowering == plan
    assert made.manifest.sizes == {}
    assert ort.InferenceSession(made.path).get_inputs()[0].shape == ["batch", 1, "samples"]

    tuning = record_json.tuning_at(out / "tune.json")
    assert tuning.plan == plan.layers and len(tuning.layers) == 6
    assert [each.backend for each in tuning.results] == [
        "torch",
        "ort-cpu",
        "ort-cpu:lowering=out/plan.json",
    ]
    tried = {trial.form for layer in tuning.layers for trial in layer.trials}
    assert tried == {"plain", *FEW}
    (proved,) = json.loads((out / "mpd-11.parity.json").read_text())
    assert proved["sha256"] == made.sha256 and len(proved["cases"]) > 11

    def fail(*_: object, **__: object) -> Any:
        raise AssertionError("measured again")

    for place in ("bench.tune.search.try_forms", "bench.tune.search.improve"):
        monkeypatch.setattr(place, fail)
    monkeypatch.setattr("bench.suite.measure_group", fail)
    monkeypatch.setattr("bench.parity.run.of_file", fail)
    before = {path.name: path.read_bytes() for path in out.glob("*.onnx")}
    again = tune(*SMALL, "--out", "out")
    assert again.code == 0, again
    assert {path.name: path.read_bytes() for path in out.glob("*.onnx")} == before
    assert record_json.tuning_at(out / "tune.json").layers == tuning.layers


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is over."""
    monkeypatch.setattr(runs, "look", lambda *_: fake_tuning(()))


@pytest.mark.usefixtures("found")
def test_ctrl_c_in_the_comparison_keeps_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[dict[str, Any]] = []

    def stopped(plans: Any, *_: object, resume: bool, beside: object) -> Finished:
        asked.append({"limits": plans[0].limits, "resume": resume, "beside": beside})
        return Finished(fake_report(fake_tuning().results[0]), interrupted=True)

    monkeypatch.setattr(runs, "run", stopped)
    ran = tune(*SMALL, "--out", "out")
    assert ran.code == INTERRUPTED == 130
    assert ran.err.startswith("interrupted: what was measured is kept")
    assert "plan.json" in files(tmp_path / "out") and "tune.html" in files(tmp_path / "out")
    assert "mpd-11.parity.json" not in files(tmp_path / "out")
    tune(*SMALL, "--out", "out", "--again")
    assert [each["resume"] for each in asked] == [True, False]
    assert asked[0]["limits"] == Limits.up_to(0.5)
    assert asked[0]["beside"] == read_plan(tmp_path / "out" / "plan.json")


@pytest.mark.usefixtures("found")
def test_what_is_compared_and_proved_hears_the_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heard: list[list[str]] = []
    finished = Finished(fake_report(*fake_tuning().results), interrupted=False)

    def compared(plans: Any, *_: object, **__: object) -> Finished:
        heard.append([file.source for file in plans[0].inputs.values()])
        return finished

    def proved(_: Path, order: Any) -> Any:
        heard.append([file.source for file in order.inputs.values()])
        (told,) = heard[-1] or ["clip"]
        sha256 = artifact.load(tmp_path / "out" / "mpd-11.onnx").sha256
        return (
            replace(shown.fake_parity(), sha256=sha256, source=f"y: {told}" if heard[-1] else told),
        )

    monkeypatch.setattr(runs, "run", compared)
    monkeypatch.setattr("bench.parity.run.in_each_runtime", proved)
    for number in (1, 2):
        np.save("y.npy", np.full((1, 1, 4096), number / 4, np.float32))
        for _ in range(2):
            assert tune(*SMALL, "--out", "out", "--input", "y=y.npy").code == WRONG_ROW
    assert tune(*SMALL, "--out", "out").code == WRONG_ROW
    (one, two, *_), lasts = dict.fromkeys(each[0] for each in heard if each), heard[-2:]
    assert heard[:-2] == [[one], [one], [one], [two], [two], [two]], "proved once on each"
    assert lasts == [[], []]
    np.save("y.npy", np.ones((1, 2, 4096), np.float32))
    monkeypatch.setattr(runs, "look", lambda *_: pytest.fail("refused before any work"))
    ran = tune(*SMALL, "--out", "out", "--input", "y=y.npy")
    assert ran.code == 1 and ran.err.startswith("error: input y is (batch, 1, samples), y.npy")


@pytest.mark.usefixtures("found")
def test_ctrl_c_in_the_proof_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*_: object) -> Any:
        raise KeyboardInterrupt

    finished = Finished(fake_report(*fake_tuning().results), interrupted=False)
    monkeypatch.setattr(runs, "run", lambda *_, **__: finished)
    monkeypatch.setattr("bench.parity.run.of_file", stopped)
    ran = tune(*SMALL, "--out", "out")
    assert ran.code == INTERRUPTED and ran.err.startswith("interrupted: ")
    assert "plan.json" in files(tmp_path / "out")


@pytest.mark.usefixtures("found")
def test_a_tuned_file_outside_the_budget_has_exit_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failed:
        passed = False

    finished = Finished(fake_report(*fake_tuning().results), interrupted=False)
    monkeypatch.setattr(runs, "run", lambda *_, **__: finished)
    monkeypatch.setattr(runs, "_proved", lambda *_: (Failed(),))
    told = Verdict("it fails", good=False)
    monkeypatch.setattr("bench.render.views.parity.verdict", lambda _: told)
    ran = tune(*SMALL, "--out", "out")
    assert ran.code == WRONG_ROW == 3 and "it fails" in ran.out


def test_what_is_refused_is_refused_before_any_work(tmp_path: Path) -> None:
    for given, told in (
        (("--backend", "torch"), "torch runs no exported file"),
        (("--backend", "ort-cpu:lowering=default"), "leave out lowering"),
        (("--threads", 0), "0 threads: choose 1 to 1024"),
        (("--limit", 0), "a limit of 0 seconds: choose more than 0"),
        (("--out", "a,b"), "a,b has a comma, which parts the options of a backend: rename it"),
        (("--batch", 0), "batch 0 is too small for mpd-11"),
        (("--checkpoint", "nothing"), "nothing"),
    ):
        ran = tune(*SMALL, *given)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1), ran
        assert told in ran.err
    assert files(tmp_path) == set()


def test_options_of_the_backend_stay() -> None:
    place = Path("out/plan.json")
    assert tuned_backend("ort-cpu", place) == "ort-cpu:lowering=out/plan.json"
    assert tuned_backend("openvino:precision=bf16", place) == (
        "openvino:precision=bf16,lowering=out/plan.json"
    )
