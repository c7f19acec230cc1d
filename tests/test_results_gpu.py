"""The one command for a machine with a GPU, led here by fakes: a mistake there would cost hours."""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import record_json
from bench.backend import find
from bench.cell.group import Phase, Step
from bench.cell.ledger import Ledger
from bench.records import Ceiling, Skipped
from bench.render.saved import files, why_no_html
from bench.render.views.report import document
from bench.results import gpu as gpu_results
from bench.results import gpu_questions
from bench.results.clock import Clock
from bench.results.gpu import empty_report, file_stem, measure_all
from bench.results.gpu_matrix import PARTS, Part, plan_of
from bench.results.gpu_questions import asked_apart, findings, other_libraries
from bench.results.in_time import Ended
from export.gpu import Gpu
from fakes import fake_result
from hifigan_ref.errors import HifiError

H200 = Gpu("NVIDIA H200 (80GB)", "9.0", "580.1", "13.0", 2**37)


@pytest.mark.parametrize("part", PARTS, ids=range(len(PARTS)))
def test_every_row_can_be_asked_for(part: Part) -> None:
    for spec in part.backends:
        find(spec)
    plan = plan_of(part, 3.0)
    assert plan.cells and plan.limits.most == 3.0
    assert len(set(part.backends)) == len(part.backends)
    assert part.backends[0] == "torch-cuda" and 4 <= len(part.backends) <= 6


def test_the_matrix_has_what_was_asked_for() -> None:
    specs = {spec for part in PARTS for spec in part.backends}
    assert {"torch-cuda", "torch-cuda-compile", "ort-cuda", "ort-trt", "trt"} <= specs
    assert {n for part in PARTS for n in part.batches} == {1, 16, 32}
    pairs = [part for part in PARTS if part.pair]
    assert {part.batches for part in pairs} == {(16,)}
    found = [find(spec) for part in pairs for spec in part.backends]
    asked = {(backend.name, options["precision"]) for backend, options in found}
    for name in ("torch-cuda", "torch-cuda-compile", "trt"):
        assert {(name, each) for each in ("fp32", "fp16", "bf16")} <= asked
    assert {("ort-cuda", "fp32"), ("ort-cuda", "fp16")} <= asked
    halves = [options for _, options in found if options["precision"] in ("fp16", "bf16")]
    assert {options.get("norms", "folded") for options in halves} == {"folded"}
    assert ("trt", "int8") in asked
    searches = {spec for spec in specs if spec.startswith("ort-cuda:cudnn_conv_algo_search")}
    assert len(searches) == 3 and len([s for s in specs if "build=" in s]) == 5
    assert len({part.samples for part in PARTS if searches & set(part.backends)}) >= 3


def test_a_file_is_named_by_gpu_and_day() -> None:
    day = datetime(2026, 1, 2, tzinfo=UTC)
    assert file_stem(H200, day) == "nvidia-h200-80gb-2026-01-02"


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[Part]:
    """Parts that were measured; each has two rows at once."""
    done: list[Part] = []

    def results_of(part: Part, limit: float, timeout: float, ledger: Ledger) -> Iterator[Step]:
        assert limit == 0.5 and 1 <= timeout <= 180 and ledger
        done.append(part)
        yield Phase("weights")
        yield fake_result("trt")
        yield fake_result("ort-trt", seconds=Skipped("no such library"))

    monkeypatch.setattr(gpu_results, "results_of", results_of)
    monkeypatch.setattr(gpu_results, "measure_ceilings", lambda _: (Ceiling(100.0, 64, 1),))
    monkeypatch.setattr(gpu_results, "measure_gpu_ceilings", lambda: (Ceiling(50_000.0, 64, 0),))
    return done


def test_every_part_is_measured_and_saved(rows: list[Part], tmp_path: Path) -> None:
    stem = tmp_path / "h200-2026-01-02"
    report = measure_all(stem, empty_report((str(H200), "engines load")), 0.5, Clock(60))
    assert rows == list(PARTS)
    assert len(report.results) == 2 * len(PARTS)
    saved = record_json.report_at(stem.with_name("h200-2026-01-02.json"))
    assert saved == report
    page = stem.with_name("h200-2026-01-02.md").read_text()
    assert "engines load" in page and str(H200) in page and "no such library" in page
    assert "50000 GFLOP/s" in page
    for end, content in files(document(report), report).items():
        assert stem.with_name(f"h200-2026-01-02.{end}").read_bytes() == content


def test_without_what_draws_it_there_is_no_html_and_the_rest_is_saved(
    rows: list[Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    told = why_no_html()
    assert told is not None and told.startswith("plotly") and told.endswith("pip install plotly")
    measure_all(tmp_path / "stem", empty_report(()), 0.5, Clock(0))
    assert rows and sorted(p.suffix for p in tmp_path.iterdir()) == [".csv", ".json", ".md"]


def test_every_row_is_in_the_record_before_its_part_ends(
    rows: list[Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stem = tmp_path / "h100-1.5"

    def lost(part: Part, limit: float, timeout: float, ledger: Ledger) -> Iterator[Step]:
        del part, limit, timeout, ledger
        yield fake_result("trt")
        raise KeyboardInterrupt

    monkeypatch.setattr(gpu_results, "results_of", lost)
    with pytest.raises(KeyboardInterrupt):
        measure_all(stem, empty_report(()), 0.5, Clock(60))
    assert len(record_json.report_at(tmp_path / "h100-1.5.json").results) == 1
    assert rows == []


def test_it_ends_in_time_with_what_there_is(rows: list[Part], tmp_path: Path) -> None:
    report = measure_all(tmp_path / "stem", empty_report(()), 0.5, Clock(0))
    assert len(rows) == 1
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".csv", ".html", ".json", ".md"]
    assert report.notes[-1] == f"ended after 0 minutes in part 1 of {len(PARTS)}"
    assert record_json.report_at(tmp_path / "stem.json") == report


def test_without_a_gpu_it_says_where_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Gpu:
        raise HifiError("no CUDA device: nothing there")

    monkeypatch.setattr(gpu_results, "find_gpu", fail)
    import typer

    app = typer.Typer()
    app.command()(gpu_results.main)
    ran = CliRunner().invoke(app, ["docs/results"])
    assert ran.exit_code == 1
    assert ran.output == (
        "error: no CUDA device: nothing there: run this on a machine with a GPU\n"
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, rows: list[Part]) -> list[str]:
    """What main() did, in order; its tests and questions are answered at once."""
    done: list[str] = []

    def answer(name: str) -> Callable[[float], tuple[str, ...]]:
        def ask(seconds: float) -> tuple[str, ...]:
            assert 0 < seconds <= 900 and rows, "the matrix comes first"
            done.append(name)
            return (f"{name} answered",)

        return ask

    monkeypatch.setattr(gpu_results, "find_gpu", lambda: H200)
    monkeypatch.setattr(gpu_results, "tests_told", answer("tests"))
    monkeypatch.setattr(gpu_results, "asked_apart", answer("questions"))
    return done


def test_tests_and_questions_follow_the_matrix(asked: list[str], tmp_path: Path) -> None:
    gpu_results.main(tmp_path, minutes=60, limit=0.5, tests=True)
    assert asked == ["tests", "questions"]
    (record,) = tmp_path.glob("*.json")
    report = record_json.report_at(record)
    assert report.notes[-2:] == ("tests answered", "questions answered")
    assert len(report.results) == 2 * len(PARTS)


def test_without_time_left_they_are_told_as_not_run(asked: list[str], tmp_path: Path) -> None:
    gpu_results.main(tmp_path, minutes=0, limit=0.5, tests=True)
    assert asked == []
    (record,) = tmp_path.glob("*.json")
    assert record_json.report_at(record).notes[-2:] == (
        "tests that need a GPU: not run, no time was left",
        "questions about engines: not run, no time was left",
    )


def test_a_report_without_rows_is_saved_before_the_first(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> Iterator[Step]:
        raise KeyboardInterrupt

    monkeypatch.setattr(gpu_results, "results_of", lost)
    with pytest.raises(KeyboardInterrupt):
        gpu_results.main(tmp_path, minutes=60, limit=0.5, tests=True)
    (record,) = tmp_path.glob("*.json")
    assert record_json.report_at(record).results == () and asked == []


def test_a_crash_over_an_engine_is_a_note_after_the_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = Ended(("answer: portable loads", "[W] beside it"), -11, 9)
    monkeypatch.setattr(gpu_questions, "run_python", lambda *_: ended)
    assert asked_apart(9) == (
        "portable loads",
        "questions about engines: ended by SIGSEGV: [W] beside it",
    )
    ended = Ended(("answer: portable loads", "[W] beside it"), 0, 9)
    assert asked_apart(9) == ("portable loads",)


def test_other_libraries_are_looked_for(tmp_path: Path) -> None:
    assert other_libraries((str(tmp_path),)) == "TensorRT on this machine: none"
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libnvinfer.so.10").write_text("")
    assert other_libraries((str(tmp_path),)).endswith("lib/libnvinfer.so.10")


def test_each_engine_is_tried_and_told_in_the_librarys_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[bytes] = []

    def deserialize(library: object, plan: bytes) -> None:
        del library
        tried.append(plan)
        if len(tried) > 1:
            raise HifiError("refuses the engine: unsupported cc")

    monkeypatch.setattr(gpu_questions, "deserialize", deserialize)
    monkeypatch.setattr(gpu_questions, "PLACES", ())
    monkeypatch.setattr(gpu_questions, "targets_of", lambda _: ("sm80",))
    _, portable, target = findings(H200)
    assert portable.endswith(f"engine for every GPU, on {H200}: loads")
    assert target.endswith(f"engine for sm80, on {H200}: refuses the engine: unsupported cc")
    assert all(len(plan) > 30_000_000 for plan in tried)
