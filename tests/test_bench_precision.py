"""``hifi-bench --precision``: from the command line to the rows, in processes of their own."""

import json
from pathlib import Path
from typing import Any

import pytest

import cli
from fakes import Ran, run_main

SMALL = ("--period", 11, "--batch", 1, "--samples", 2310, "--threads", 1, "--rounds", 1)


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "reports"


def bench(*arguments: object) -> Ran:
    return run_main(cli.bench_main, *SMALL, "--limit", 0.001, *arguments)


def rows(out: Path) -> dict[str, dict[str, Any]]:
    found = json.loads((out / "report.json").read_bytes())["results"]
    return {row["backend"]: row for row in found}


def test_every_backend_comes_in_every_precision(out: Path) -> None:
    chosen = ("--backend", "torch-folded", "--backend", "openvino")
    ran = bench(*chosen, "--precision", "fp32", "--precision", "int8", "--min-snr", 12)
    assert ran.code == 0, ran
    found = rows(out)
    assert list(found) == [
        "torch-folded",
        "torch-folded:precision=int8",
        "openvino",
        "openvino:precision=int8",
    ]
    precisions = [row["workload"]["precision"] for row in found.values()]
    assert precisions == ["fp32", "int8"] * 2
    lacking = found["torch-folded:precision=int8"]["measurement"]["reason"]
    assert lacking.endswith("choose from fp32, bf16, fp16")
    eighths = found["openvino:precision=int8"]
    assert eighths["parity"]["budget_db"] == 12 and eighths["measurement"]["seconds"]
    own = [output["torch_snr_db"] for output in eighths["parity"]["outputs"]]
    assert 10 < min(own) < 60, "PyTorch's own in int8"
    assert "PyTorch's own in that precision" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--precision", "f16"), 2, "no precision 'f16': did you mean 'fp16'? choose from fp32, "),
        (
            ("--backend", "openvino:precision=bf16", "--precision", "int8"),
            1,
            "leave its precision out",
        ),
        (("--min-snr", "nan"), 1, "a least SNR of nan dB: choose a number"),
    ],
)
def test_what_contradicts_itself_is_refused_before_any_work(
    out: Path, arguments: tuple[object, ...], code: int, told: str
) -> None:
    ran = bench(*arguments)
    assert (ran.code, ran.err.count("\n")) == (code, 1)
    assert told in ran.err
    assert not out.exists()


def test_help_names_both_options() -> None:
    ran = run_main(cli.bench_main, "--help")
    assert "--precision" in ran.out and "--min-snr" in ran.out
