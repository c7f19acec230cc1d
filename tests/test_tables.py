"""Tables of proofs, holes and the machine."""

from dataclasses import replace

from bench.records import Claim, GpuState, Report, Skipped
from bench.render.tables_machine import machine
from bench.render.tables_proof import holes, proofs
from fakes import fake_report, fake_result

ROW = "fake on mpd-11, 2 x 11025"
GPU = GpuState(
    "A GPU", "9.0", "575.1", "12.9", 80 * 2**30, 2**30, 1980, 2619, ("power cap",), 310.4, 51,
    ecc=True, mig=False, other_processes=2,
)  # fmt: skip


def told_of(report: Report) -> dict[str, str]:
    return {row[0]: row[1] for row in machine(report).rows}


def test_every_claim_has_a_row() -> None:
    claims = (Claim("device", "GPU", "CPU", holds=False), Claim("tf32", "off", "off", holds=True))
    found = proofs(fake_report(replace(fake_result(seconds=Skipped("INVALID")), proof=claims)))
    assert found.rows == (
        (ROW, "device", "GPU", "CPU", "NO: INVALID"),
        (ROW, "tf32", "off", "off", "yes"),
    )


def test_a_reason_is_told_once_with_its_rows() -> None:
    hole, host = Skipped("pip install it"), Skipped("runs on the host")
    on_host = replace(fake_result(), device=host)
    found = holes(fake_report(fake_result("gone", hole, hole), on_host, on_host))
    assert found.rows == (
        ("prepare seconds, parity, measurement", hole.reason, "gone on mpd-11, 2 x 11025"),
        ("device", host.reason, f"{ROW}; {ROW}"),
    )


def test_a_reason_of_all_rows_does_not_name_them() -> None:
    on_host = replace(fake_result(), device=Skipped("runs on the host"))
    assert holes(fake_report(on_host, on_host)).rows == (
        ("device", "runs on the host", "every row"),
    )


def test_what_was_never_asked_for_is_no_hole() -> None:
    assert holes(fake_report(fake_result())).rows == ()


def test_the_machine_is_told_with_its_gpu() -> None:
    report = fake_report()
    there = replace(
        report.machine, features=("avx2", "fma"), quota=1.5, governor="performance", gpu=GPU
    )
    told = told_of(replace(report, machine=there))
    assert told["CPU features"] == "avx2, fma"
    assert (told["CPU quota"], told["governor"]) == ("1.5 cores", "performance")
    assert told["GPU"] == "A GPU, compute capability 9.0"
    assert told["GPU memory"] == "1.0 of 80.0 GiB used, ECC on, MIG off"
    assert (told["GPU throttled"], told["GPU power"]) == ("power cap", "310 W, 51 °C")
    assert told["GPU shared with"] == "2 other processes"
    assert told["ceiling 1"] == "fp32 on 1 threads: 100 GFLOP/s"


def test_what_a_machine_does_not_tell_is_left_out() -> None:
    told = told_of(fake_report())
    assert (told["CPU"], told["GPU"]) == ("A CPU", "not taken")
    assert "governor" not in told and "commit" not in told
