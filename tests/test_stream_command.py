"""``hifi-bench stream``: what it measures on a small network, and what it refuses."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cli
from bench.exit_code import INTERRUPTED, NOTHING_MEASURED, WRONG_ROW
from bench.stream import run
from bench.stream.caller import Caller
from fakes import Ran, run_main

bench = partial(run_main, cli.bench_main, "stream")
SMALL = ("--network", "generator-v3@upsample_initial_channel=32")
QUICK = (*SMALL, "--backend", "ort-cpu", "--chunk", 4, "--axis", "frames=30", "--rounds", 1)
MOMENT = ("--limit", 0.05, "--threads", 1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in an empty folder, and few streams are tried."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "MOST_STREAMS", 1)
    return tmp_path


def record(ran: Ran) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran.out)
    return found


@pytest.mark.parametrize("backend", ["ort-cpu", "openvino"])
def test_every_way_is_measured_and_as_exact_as_it_can_be(backend: str, folder: Path) -> None:
    quick = [backend if each == "ort-cpu" else each for each in QUICK]
    ran = bench(*quick, *MOMENT, "--out", "out", "--json")
    assert ran.code == 0
    found = record(ran)
    assert found == json.loads((folder / "out/stream.json").read_text())
    assert {path.name for path in (folder / "out").iterdir()} == {
        *("stream.html", "stream.md", "stream.json"),
    }
    rows = {row["way"]: row for row in found["rows"]}
    assert list(rows) == ["whole", "window", "context", "state"] and not found["missing"]
    assert all(rows[way]["snr_db"] > 100 for way in ("whole", "context", "state"))
    assert rows["window"]["snr_db"] < 40 and rows["window"]["budget_db"] is None
    assert (found["length"], found["needed"], found["unit"]) == (30, [11, 11], "frames")
    paces = {way: (row["pace"]["chunk"], row["pace"]["ahead"]) for way, row in rows.items()}
    assert paces == {"whole": (30, 0), "window": (4, 11), "context": (4, 11), "state": (4, 0)}
    assert 10 < rows["state"]["pace"]["delay"] < 11
    work = {way: row["flops"] / row["pace"]["chunk"] for way, row in rows.items()}
    assert work["window"] == pytest.approx(26 / 4 * work["whole"])
    assert work["whole"] == found["flops_per_element"]
    assert 1 <= work["state"] / work["whole"] < 1.05 < work["context"] / work["whole"] < 2
    (passed,) = rows["whole"]["passes"][:1]
    assert len(passed) == 1 and passed[0] > 0
    assert (
        rows["context"]["streams"] in (0, 1) and "no stream" in rows["whole"]["streams"]["reason"]
    )


def test_chunks_that_are_not_the_whole_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Caller.take

    def forgets(self: Caller, call: int) -> float:
        self._states = {name: np.zeros_like(zeros) for name, zeros in self._zeros.items()}
        return right(self, call)

    monkeypatch.setattr(Caller, "take", forgets)
    ran = bench(*QUICK, *MOMENT)
    assert ran.code == WRONG_ROW
    assert "ort-cpu, state, 4: " in ran.out and "100 dB is promised" in ran.out
    assert "ort-cpu, context" not in ran.out and "report: reports/stream/stream.html" in ran.out


def test_what_a_runtime_refuses_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Caller:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(run, "open_caller", broken)
    ran = bench(*QUICK, *MOMENT)
    assert ran.code == NOTHING_MEASURED
    told = "not measured: ort-cpu, state, chunks of 4: RuntimeError: no such kernel"
    assert told in ran.out


def test_ctrl_c_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "files_of", stopped)
    ran = bench(*QUICK, *MOMENT)
    assert ran.code == INTERRUPTED
    assert ran.err == "interrupted: nothing was saved, exported files are kept\n"


NET = """
from torch import nn

class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, x):
        return self.conv(x) - x.mean(-1, keepdim=True)

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, x):
        return self.conv(x)

class Strided(Plain):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 4, stride=4)
"""
MODULE = ("--input", "x=batch,4,steps")
REFUSED = {
    "torch": ((*SMALL, "--backend", "torch"), 1, "runs no file of a chunk on a CPU: choose from"),
    "unknown": ((*SMALL, "--backend", "orc-cpu"), 2, "no backend 'orc-cpu': did you mean"),
    "none": ((), 1, "0 networks: one is measured at a time: name it with --network"),
    "no chunk": ((*SMALL, "--chunk", 0), 1, "--chunk 0: choose 1 or more"),
    "grain": (("--network", "net.py:Strided", *MODULE, "--axis", "steps=9"), 1, "a multiple of 4"),
    "no signal": ((*SMALL, "--seconds", 0), 1, "a signal of 0 seconds: choose more than 0"),
    "twice": ((*SMALL, "--axis", "frames=3", "--seconds", 1), 1, "give one of the two"),
    "rounds": ((*SMALL, "--rounds", 0), 1, "0 rounds: choose 1 to 100"),
    "rate": ((*SMALL, "--rate", 22050), 1, "itself says how long one of its frames lasts"),
    "no rate": ((*SMALL, "--rate", 0), 1, "--rate 0: choose 1 or more, as in --rate 22050"),
    "mean": (("--network", "net.py:Mean", *MODULE), 1, "mean (ReduceMean) has no finite field"),
    "no time": (("--network", "net.py:Plain", *MODULE), 1, "with --axis steps=4096"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_gets_one_line(name: str, folder: Path) -> None:
    (folder / "net.py").write_text(NET)
    given, code, told = REFUSED[name]
    ran = bench(*given)
    lines = [line for line in ran.err.splitlines() if not line.startswith("warning: ")]
    assert ran.code == code and len(lines) == 1
    assert lines[0].startswith("error: ") and told in lines[0]
    assert not (folder / "reports/stream/stream.json").exists()


def test_a_network_of_no_audio_has_calls(folder: Path) -> None:
    (folder / "net.py").write_text(NET)
    more = ("--backend", "ort-cpu", "--chunk", 2, "--axis", "steps=9", "--limit", 0.02)
    ran = bench("--network", "net.py:Plain", *MODULE, *more, "--json")
    assert ran.code == 0
    found = record(ran)
    assert (found["length"], found["unit"], found["needed"]) == (9, "steps", [1, 1])
    assert {row["unit_s"] for row in found["rows"]} == {None}
    ran = bench("--network", "net.py:Plain", *MODULE, *more, "--rate", 4, "--json")
    assert {row["unit_s"] for row in record(ran)["rows"]} == {0.25}, "as many come out as go in"
