"""What was finished stays finished, whatever happens to the file."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.cell.job import Job
from bench.cell.ledger import Ledger, alone_in, key_of
from bench.records import Skipped
from bench.stopping import Limits
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from fakes import WORKLOAD, fake_result
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

REQUEST = ExportRequest(Variant("mpd", "11"))
JOB = Job("ort-cpu", WORKLOAD, REQUEST, Path("a"), Path("b"), None, 0, 1, (), Limits())
ROW = fake_result("ort-cpu")
MIXED = PrecisionPlan("fp16", {"mpd_11.convs.1": "fp32"})
HOLE = fake_result("trt", seconds=Skipped("no\nGPU"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    ledger = Ledger(tmp_path / "deep" / "ledger.jsonl")
    ledger.append("one", ROW)
    ledger.append("two", HOLE)
    return tmp_path / "deep" / "ledger.jsonl"


def test_rows_come_back_as_they_were(path: Path) -> None:
    ledger = Ledger(path)
    assert ledger.find("one") is None, "nothing is taken over unless it is asked for"
    assert ledger.resume() == 2
    assert (ledger.find("one"), ledger.find("two"), ledger.find("three")) == (ROW, HOLE, None)


@pytest.mark.parametrize("cut", [1, 50, 500])
def test_a_line_that_a_kill_cut_off_is_measured_again(path: Path, cut: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    ledger = Ledger(path)
    assert ledger.resume() == (2 if cut == 1 else 1)
    assert ledger.find("one") == ROW


def test_no_file_and_garbage_hold_nothing(tmp_path: Path) -> None:
    assert Ledger(tmp_path / "missing").resume() == 0
    (tmp_path / "garbage").write_text("x\n{}\nkey {}\n\n")
    assert Ledger(tmp_path / "garbage").resume() == 0


def test_a_new_run_begins_anew(path: Path) -> None:
    ledger = Ledger(path)
    ledger.clear()
    assert Ledger(path).resume() == 0
    ledger.clear()


def test_a_key_is_of_what_is_measured_and_not_of_where() -> None:
    key = key_of(JOB, "seed 0", 5)
    assert key_of(replace(JOB, folder=Path("c"), artifact=Path("d")), "seed 0", 5) == key
    others = {
        key_of(JOB, "seed 1", 5),
        key_of(JOB, "seed 0", 6),
        key_of(replace(JOB, backend="torch"), "seed 0", 5),
        key_of(
            replace(JOB, workload=replace(WORKLOAD, sizes={**WORKLOAD.sizes, "batch": 3})),
            "seed 0",
            5,
        ),
        key_of(replace(JOB, limits=Limits(1, 2, 3)), "seed 0", 5),
        key_of(replace(JOB, request=replace(REQUEST, views=("pair",))), "seed 0", 5),
        key_of(replace(JOB, layers=True), "seed 0", 5),
        key_of(replace(JOB, runtime="bf16"), "seed 0", 5),
        key_of(replace(JOB, budget_db=30.0), "seed 0", 5),
        key_of(replace(JOB, request=replace(REQUEST, precision=MIXED)), "seed 0", 5),
    }
    assert len(others | {key}) == 11


def test_a_folder_has_one_sweep_at_a_time(tmp_path: Path) -> None:
    told = "another sweep writes to .*: give another --out"
    with alone_in(tmp_path), pytest.raises(HifiError, match=told), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_row_of_another_group_is_none_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path).within("first-").append("peer", fake_result("peer"))
    resumed = Ledger(path)
    assert resumed.resume() == 1
    assert resumed.within("first-").find("peer") == fake_result("peer")
    assert resumed.within("second-").find("peer") is None and resumed.find("peer") is None
