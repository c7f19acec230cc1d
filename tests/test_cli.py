"""The command lines: exit codes, and what is printed where."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
import torch
from numpy.typing import NDArray

import cli
from bench import backend, record_json, suite
from bench.backend import Backend, Case, Session
from bench.backends.ort_session import OrtSession
from bench.exit_code import NOTHING_MEASURED, REGRESSION, WRONG_ROW
from bench.judge import reference
from bench.machine import bandwidth, roofline
from bench.timing import measure
from fakes import FakeBackend, FakeSession, Here, Ran, fake_report, fake_result, run_main
from hifigan_ref.trained import Trained
from hifigan_ref.version import VERSION

ROOT = Path(cli.__file__).parent
HEAVY = ("torch", "onnx", "onnx_ir", "onnxruntime", "onnxscript", "numpy", "scipy", "soundfile")
HELP_SECONDS = 1.5
DRY_RUN_SECONDS = 3.0  # a third of it where nothing else runs; PyTorch alone takes twice as long
SMALL = ("--period", "11", "--samples", "1024", "--limit", "0.2", "--threads", "1")

export = partial(run_main, cli.export_main)
bench = partial(run_main, cli.bench_main)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Cells run here, warm after three calls; the ceiling is that of a small product."""
    monkeypatch.setattr(suite, "Apart", Here)
    monkeypatch.setattr(measure, "is_warm", lambda seconds: len(seconds) >= 3)
    monkeypatch.setattr(roofline, "SIZE", 64)
    monkeypatch.setattr(roofline, "SECONDS", 0.0)
    monkeypatch.setattr(bandwidth, "SECONDS", 0.0)
    monkeypatch.setattr(bandwidth, "LEAST_BYTES", 2**20)
    monkeypatch.setattr(bandwidth, "CACHES", 0)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def report(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return content


# hifi-export


def test_export_writes_a_graph_and_its_manifest(folder: Path) -> None:
    ran = export("onnx", "--period", 2, "--opset", 13, "--out", "out")
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out.splitlines()) == 1
    assert "out/mpd-2.onnx" in ran.out and "opset 13" in ran.out
    assert files(folder) == {"out/mpd-2.onnx", "out/mpd-2.json"}
    assert onnx.load(folder / "out/mpd-2.onnx").opset_import[0].version == 13


def test_json_is_the_manifest_and_nothing_else(folder: Path) -> None:
    ran = export("onnx", "--period", 2, "--outputs", "scores", "--out", "one.onnx", "--json")
    assert (ran.code, ran.err) == (0, "")
    manifest = json.loads(ran.out)
    assert (manifest["variant"], manifest["file"]) == ("mpd-2", "one.onnx")
    assert manifest == json.loads((folder / "one.json").read_text())
    assert files(folder) == {"one.onnx", "one.json"}


def test_a_file_s_name_may_be_in_capitals(folder: Path) -> None:
    ran = export("onnx", "--period", 2, "--outputs", "scores", "--out", "ONE.ONNX")
    assert (ran.code, ran.err) == (0, "")
    assert files(folder) == {"ONE.ONNX", "ONE.json"}
    assert "fits its manifest" in export("inspect", "ONE.ONNX").out


def test_json_of_several_graphs_is_a_list() -> None:
    ran = export("onnx", "--period", 3, "--period", 2, "--period", 3, "--json")
    assert [manifest["variant"] for manifest in json.loads(ran.out)] == ["mpd-3", "mpd-2"]


def test_inspect_says_what_a_file_holds(folder: Path) -> None:
    export("onnx", "--period", 2)
    path = folder / "artifacts/mpd-2.onnx"
    told = export("inspect", path)
    assert told.code == 0
    assert "mpd-2" in told.out and "Conv 6" in told.out and "fits its manifest" in told.out
    found = json.loads(export("inspect", path, "--json").out)
    assert found["intact"] is True and found["opset"] == {"ai.onnx": 18}
    path.write_bytes(path.read_bytes()[:-1000])


def test_inspect_sees_a_changed_weight(folder: Path) -> None:
    export("onnx", "--period", 2)
    path = folder / "artifacts/mpd-2.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "DOES NOT FIT its manifest" in export("inspect", path).out


def test_the_version_is_printed() -> None:
    assert export("--version") == bench("--version") == Ran(0, f"{VERSION}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [("onnx", "--period", "x"), ("onnx", "--model", "rvc"), ("onnx", "--bogus"), ("tensorflow",)],
)
def test_wrong_usage_has_exit_code_2(folder: Path, arguments: tuple[str, ...]) -> None:
    ran = export(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: " in ran.err and "Traceback" not in ran.err
    assert files(folder) == set()


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("export.pipeline.export_onnx", fail)
    with pytest.raises(ZeroDivisionError):
        export("onnx", "--period", 2)


# hifi-bench


def test_bench_measures_and_reports(folder: Path) -> None:
    ran = bench(*SMALL, "--backend", "torch", "--backend", "ort-cpu", "--batch", 1, "--batch", 2)
    assert ran.code == 0
    report_files = {f"reports/report.{end}" for end in ("csv", "html", "json", "md")}
    assert files(folder) == {"reports/ledger.jsonl", *report_files}
    results = report(folder / "reports")["results"]
    cells = [(r["backend"], r["workload"]["sizes"]["batch"]) for r in results]
    assert cells == [("torch", 1), ("ort-cpu", 1), ("torch", 2), ("ort-cpu", 2)]
    assert all(len(result["measurement"]["seconds"]) > 0 for result in results)
    assert {result["settings"]["threads"] for result in results} == {"1"}
    assert "mpd-11, 1 x 1024" in ran.out and "mpd-11, 2 x 1024" in ran.out
    assert ran.out.splitlines()[-1] == "report: reports/report.html; beside it .md, .csv and .json"
    page = (folder / "reports/report.md").read_text()
    again = bench("report", "reports")
    assert again.code == 0
    assert again.out == ran.out
    assert (folder / "reports/report.md").read_text() == page


ABSENT = "absent"


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that is known, and not here."""
    known = {**backend.backends(), ABSENT: FakeBackend(ABSENT, reason="pip install absent")}
    monkeypatch.setattr(backend, "backends", lambda: known)


@pytest.mark.usefixtures("absent")
def test_nothing_measured_is_5_and_every_backend_has_its_reason(folder: Path) -> None:
    ran = bench(*SMALL, "--backend", ABSENT, "--out", "out")
    assert ran.code == NOTHING_MEASURED == 5
    assert "Traceback" not in ran.err
    (result,) = report(folder / "out")["results"]
    assert result["measurement"]["reason"] == "pip install absent"


@pytest.mark.usefixtures("absent")
def test_a_backend_that_is_not_here_beside_one_that_is_is_no_failure(folder: Path) -> None:
    lacking = "ort-cpu:precision=bf16"  # a precision, and not one of this backend
    assert bench(*SMALL, *(f"--backend={each}" for each in (ABSENT, lacking, "ort-cpu"))).code == 0
    rows = report(folder / "reports")["results"]
    assert [row["backend"] for row in rows] == [ABSENT, lacking, "ort-cpu"]


MISSPELT = {
    "nope": "no backend 'nope': choose from torch",
    "ort-cup": "no backend 'ort-cup': did you mean 'ort-cpu'? choose from torch",
    "ort_cpu:lowering=none": "did you mean 'ort-cpu'?",
    "": "no backend ''",
    "ort-cpu:precisoin=int8": "ort-cpu has no option 'precisoin': did you mean 'precision'?",
    "openvino:precision=bf61": "'bf61' is no value of openvino's precision: did you mean 'bf16'?",
    "ort-cpu:lowering=defualt": "no value of ort-cpu's lowering: did you mean 'default'?",
    "ort-cpu:lowering=": "'' is no value of ort-cpu's lowering",
}


@pytest.mark.parametrize("spec", MISSPELT)
@pytest.mark.parametrize("command", ["bench", "tune", "mixed"])
def test_a_misspelt_backend_is_wrong_usage_before_anything_runs(
    folder: Path, spec: str, command: str
) -> None:
    mixed = ("onnx", "--period", 11, "--precision", "mixed", "--min-snr", 30)
    ran = {
        "bench": lambda: bench(*SMALL, "--backend", "ort-cpu", "--backend", spec),
        "tune": lambda: bench("tune", "--period", 11, "--backend", spec),
        "mixed": lambda: export(*mixed, "--lowering", "default", "--for", spec),
    }[command]()
    assert (ran.code, ran.out) == (2, ""), ran
    assert ran.err.startswith("error: ") and ran.err.count("\n") == 1
    assert MISSPELT[spec] in ran.err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--precision", "bf61"), "no precision 'bf61': did you mean 'bf16'? choose from fp32"),
        (("--precision", "INT8"), "did you mean 'int8'?"),
    ],
)
def test_a_misspelt_precision_is_wrong_usage(
    folder: Path, arguments: tuple[str, ...], told: str
) -> None:
    ran = bench(*SMALL, *arguments)
    assert (ran.code, ran.out) == (2, "") and told in ran.err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--precision", "bf61"), "no precision 'bf61': did you mean 'bf16'? choose from fp32"),
        (("--lowering", "defualt"), "no lowering 'defualt': did you mean 'default'? choose from"),
        (("--lowering", "foo"), "no lowering 'foo': choose from none, default, or a plan's .json"),
    ],
)
@pytest.mark.parametrize("command", ["onnx", "trt"])
def test_a_misspelt_choice_of_an_export_is_wrong_usage(
    folder: Path, command: str, arguments: tuple[str, ...], told: str
) -> None:
    ran = export(command, "--period", 11, *arguments)
    assert (ran.code, ran.out) == (2, "") and told in ran.err, ran.err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--backend", "ort-cpu:lowering=none.json"),
        ("--backend", "openvino:precision=none.json"),
        ("--precision", "none.json"),
    ],
)
def test_a_plan_that_is_not_there_is_an_error_before_anything_runs(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    ran = bench(*SMALL, *arguments)
    assert (ran.code, ran.out) == (1, "") and "none.json: No such file" in ran.err
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize("others", [(), ("--backend", "torch"), ("--backend", ABSENT)])
def test_a_wrong_backend_has_exit_code_3_and_no_speed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, others: tuple[str, ...]
) -> None:
    right = OrtSession.outputs

    def wrong(session: OrtSession) -> dict[str, NDArray[np.floating]]:
        return {name: array * np.float32(1.001) for name, array in right(session).items()}

    monkeypatch.setattr(OrtSession, "outputs", wrong)
    ran = bench(*SMALL, "--backend", "ort-cpu", *others)
    assert ran.code == WRONG_ROW == 3
    assert "ort-cpu: parity failed: " in " ".join(ran.out.split())
    result = report(folder / "reports")["results"][0]
    assert "60.0 dB" in result["measurement"]["reason"]
    assert "seconds" not in result["measurement"]


def test_by_default_every_backend_that_can_run_here_is_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(case: Case) -> Session:
        return FakeSession(found=reference(case.trained, case.request, case.inputs).torch)

    fakes: dict[str, Backend] = {
        "here": FakeBackend("here", make),
        "absent": FakeBackend("absent", make, reason="pip install absent[gpu]"),
    }
    monkeypatch.setattr(backend, "backends", lambda: fakes)
    ran = bench(*SMALL, "--limit", 0.001)
    assert ran.code == 0, ran
    assert [r["backend"] for r in report(folder / "reports")["results"]] == ["here"]
    listed = bench("list")
    assert listed.code == 0
    here, absent, reason = listed.out.splitlines()
    assert "runs here" in here and "missing" in absent
    assert reason.strip() == "pip install absent[gpu]", "brackets are no markup"
    assert bench(*SMALL, "--backend", "absent").code == NOTHING_MEASURED


def test_list_shows_every_backend() -> None:
    ran = bench("list")
    assert (ran.code, ran.err) == (0, "")
    for name, each in backend.backends().items():
        assert any(line.startswith(name) and each.purpose in line for line in ran.out.splitlines())


def test_a_wav_of_another_rate_is_used_as_samples_and_says_so(folder: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3000).astype(np.float32)
    soundfile.write(folder / "x.wav", noise, 16000)
    ran = bench(*SMALL, "--backend", "ort-cpu", "--wav", "x.wav")
    assert ran.code == 0
    assert "x.wav is at 16000 Hz" in ran.out and "not resampled" in " ".join(ran.out.split())
    assert report(folder / "reports")["sample_rate"] == 16000


def test_layers_are_timed_where_the_runtime_can(folder: Path) -> None:
    two = ("--backend", "torch", "--backend", "ort-cpu")
    ran = bench(*two, *SMALL, "--layers")
    assert ran.code == 0, ran
    told = " ".join(ran.out.split())
    assert "no times of its layers: torch has no profiler of its layers here" in told
    assert "Layers of ort-cpu on mpd-11, 1 x 1024" in told
    assert "Layers of torch" not in told
    torch_row, ort_row = report(folder / "reports")["results"]
    assert [each["name"] for each in torch_row["layers"]] == [
        each["name"] for each in ort_row["layers"] if each["name"] != "other"
    ]
    assert all(isinstance(each["seconds"], float) for each in ort_row["layers"])
    assert sum(each["flops"] for each in ort_row["layers"]) == ort_row["flops"]
    ceilings = report(folder / "reports")["ceilings"]
    assert ceilings[0]["precision"] == "fp32" and ceilings[0]["gb_per_second"] > 0


def saved(folder: Path, seconds: float, **machine: str) -> Path:
    """A folder with a report of one row."""
    found = fake_report(fake_result("ort-cpu", (seconds,) * 6))
    found = replace(found, machine=replace(found.machine, **machine))  # type: ignore[arg-type]
    folder.mkdir()
    (folder / "report.json").write_bytes(record_json.dump(found))
    return folder


def test_compare_tells_a_regression_by_exit_code_4(folder: Path) -> None:
    before, after = saved(folder / "a", 0.5), saved(folder / "b", 0.55)
    ran = bench("compare", before, after / "report.json")
    assert ran.code == REGRESSION == 4
    assert "SLOWER" in ran.out and ran.out.splitlines()[-1].startswith("1 regression ")
    assert bench("compare", before, after, "--threshold", 15).code == 0
    told = bench("compare", after, before, "--json")
    assert (told.code, told.err) == (0, "")
    assert json.loads(told.out)["cells"][0]["verdict"] == "FASTER"


def test_compare_refuses_another_machine_and_what_is_no_report(folder: Path) -> None:
    before, after = saved(folder / "a", 0.5), saved(folder / "b", 0.5, cpu="another")
    ran = bench("compare", before, after)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert "cpu: A CPU in A, another in B" in ran.err and "--across-machines" in ran.err
    assert bench("compare", before, after, "--across-machines").code == 0
    missing = bench("compare", before, "c")
    assert (missing.code, missing.out, len(missing.err.splitlines())) == (1, "", 1)
    assert "c/report.json" in missing.err


def test_sweep_measures_every_table_into_one_report(folder: Path) -> None:
    (folder / "sweep.toml").write_text("""
        backends = ["ort-cpu"]
        variants = ["mpd-11"]
        samples = [1024]
        threads = 1
        limit = 0.1
        [[matrix]]
        seed = 3
        [[matrix]]
        batches = [2]
        pair = true
    """)
    ran = bench("sweep", "sweep.toml", "--out", "out")
    assert ran.code == 0, ran
    written = {f"out/report.{kind}" for kind in ("html", "json", "md", "csv")}
    assert files(folder) == {"sweep.toml", "out/ledger.jsonl"} | written
    loads = [result["workload"] for result in report(folder / "out")["results"]]
    shapes = [(load["weights"], load["sizes"]["batch"], load["views"]) for load in loads]
    assert shapes == [("seed 3", 1, []), ("seed 0", 2, ["pair"])]


def test_a_dry_run_runs_nothing_and_answers_at_once() -> None:
    code = f"""
import sys, cli
try:
    cli.bench_main()
finally:
    print(*sorted((set({HEAVY}) - {{"numpy"}}) & set(sys.modules)), file=sys.stderr)
"""
    seconds = []
    for _ in range(5):
        start = perf_counter()
        ran = python(code, "sweep", "docs/sweep.toml", "--dry-run")
        seconds.append(perf_counter() - start)
        assert (ran.returncode, ran.stderr) == (0, "\n"), ran.stderr
        assert "24 cells, about " in ran.stdout
    assert min(seconds) < DRY_RUN_SECONDS


# --help


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )


HELP = [
    ("export", "--help"),
    ("export", "onnx", "--help"),
    ("export", "inspect", "--help"),
    ("bench", "--help"),
    ("bench", "list", "--help"),
    ("bench", "report", "--help"),
    ("bench", "compare", "--help"),
    ("bench", "sweep", "--help"),
    ("bench", "tune", "--help"),
    ("bench", "stream", "--help"),
]


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    program, *rest = arguments
    code = f"""
import sys, cli
try:
    cli.{program}_main()
except SystemExit as end:
    print(end.code or 0, *sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)
"""
    ran = python(code, *rest)
    assert ran.stderr == "0\n", ran.stderr
    assert "--help" in ran.stdout


@pytest.mark.parametrize("program", ["export", "bench"])
def test_help_answers_at_once(program: str) -> None:
    """The fastest of five, so that a busy machine is not taken for a slow program."""
    seconds = []
    for _ in range(5):
        start = perf_counter()
        ran = python(f"import cli; cli.{program}_main()", "--help")
        seconds.append(perf_counter() - start)
        assert ran.returncode == 0
    assert min(seconds) < HELP_SECONDS


@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("export", "--period --scale --model --checkpoint --seed --opset --batch --samples"),
        ("export", "--outputs --pair --out --json"),
        ("bench", "--backend --batch --period --scale --model --samples --checkpoint --outputs"),
        ("bench", "--pair --threads --wav --out --limit --seed"),
    ],
)
def test_help_names_every_option(program: str, options: str) -> None:
    ran = export("onnx", "--help") if program == "export" else bench("--help")
    assert ran.code == 0
    assert all(option in ran.out for option in options.split())


def test_a_checkpoint_without_one_of_the_families_is_refused_before_any_work(
    folder: Path, mpd: Trained
) -> None:
    torch.save({"mpd": mpd.module.state_dict()}, folder / "do_00000001")
    given = ("--checkpoint", folder / "do_00000001")
    told = (
        "error: do_00000001 holds mpd, not msd: choose one it holds, as in --network mpd, or give "
        "a file of jik876/hifi-gan (do_*, g_*)\n"
    )
    for ran in (export("onnx", "--period", 3, "--scale", 1, *given), bench(*given)):
        assert (ran.code, ran.out, ran.err) == (1, "", told)
    assert files(folder) == {"do_00000001"}


def test_what_a_user_must_know_of_a_checkpoint_is_said_once(folder: Path, mpd: Trained) -> None:
    """On standard error: what a program reads stays as it was."""
    path = folder / "do_00000001"
    torch.save({"mpd": mpd.module.state_dict(), "disc": {"disc.x": torch.ones(3)}}, path)
    told = "note: do_00000001: disc: other discriminators, which are not read\n"
    given = ("--period", 2, "--checkpoint", path)
    ran = export("onnx", *given, "--json")
    assert (ran.code, ran.err) == (0, told)
    assert json.loads(ran.out)["weights"] == "do_00000001"
    assert export("onnx", *given, "--period", 3).err == told
    assert bench("--backend", "ort-cpu", *SMALL, "--checkpoint", path).err.count(told) == 1
    ran = bench("parity", *given, "--samples", 50)
    assert (ran.code, ran.err) == (0, told)
    assert export("onnx", "--period", 2).err == ""


def test_what_is_named_twice_is_measured_once(folder: Path) -> None:
    twice = ("--backend", "ort-cpu") * 2 + ("--batch", 1) * 2 + SMALL
    assert bench(*twice, "--limit", 0.001).code == 0
    assert len(report(folder / "reports")["results"]) == 1


def test_a_report_may_be_named_by_its_file(folder: Path) -> None:
    assert bench("--backend", "ort-cpu", *SMALL, "--limit", 0.001).code == 0
    by_folder, by_file = (bench("report", p) for p in ("reports", folder / "reports/report.json"))
    assert by_folder.code == by_file.code == 0


def test_nothing_is_written_beside_the_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").write_text("")
    monkeypatch.setenv("HIFI_EXPORT_CACHE", str(folder / "file" / "below"))
    ran = bench("--backend", "ort-cpu", *SMALL)
    assert ran.code == 1
    assert ran.err.startswith("error: cannot write the cache") and ran.err.count("\n") == 1


def test_a_full_standard_output_is_an_error_in_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    script = Path(sys.executable).with_name("hifi-export")
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [script, "cache", "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "no space left" in ran.stderr
