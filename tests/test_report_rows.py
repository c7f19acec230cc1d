"""A report as comma-separated values: what a spreadsheet reads back."""

import csv
from dataclasses import replace
from io import StringIO
from math import inf

import pytest

from bench.records import Measurement, Report, Result, Skipped
from bench.render.formats import csv_lines
from bench.render.views.report import document
from fakes import PARITY, fake_report, fake_result

COLUMNS = (
    "backend,variant,batch,samples,pair,outputs,precision,threads,clock,n,median_s,ci_low_s,"
    "ci_high_s,mad_s,min_s,p90_s,p95_s,p99_s,max_s,gflop_per_s,percent_of_ceiling,x_real_time,"
    "real_time_factor,first_audio_s,snr_db,log_mel,torch_log_mel,budget_db,passed,reason"
)


def read(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(csv_lines.dump(document(report)).decode(), newline="")))


def on_gpu(device: float = 0.25) -> Result:
    def by(clock: str, seconds: float) -> Measurement:
        return Measurement((seconds,) * 6, 1, 10, True, True, clock)  # type: ignore[arg-type]

    return replace(
        fake_result("trt"),
        device=by("device", device),
        end_to_end=by("end-to-end", 1.0),
        throughput=by("throughput", 0.2),
    )


def test_the_columns_are_these_and_lines_end_as_the_rfc_says() -> None:
    page = csv_lines.dump(document(fake_report(fake_result()))).decode()
    head, line, rest = page.split("\r\n")
    assert head == COLUMNS
    assert line.count(",") == head.count(",") and rest == ""


def test_a_row_holds_the_numbers_of_the_record_unrounded() -> None:
    times = (0.1, 0.2, 0.3, 0.4, 0.5, 1 / 3)
    (line,) = read(fake_report(fake_result("ort-cpu", times)))
    found = Measurement(times, 1, 10, True, True)
    assert line["backend"] == "ort-cpu"
    assert (line["variant"], line["batch"], line["samples"]) == ("mpd-11", "2", "11025")
    assert (line["pair"], line["outputs"], line["precision"]) == ("false", "all", "fp32")
    assert (line["threads"], line["clock"], line["n"]) == ("1", "call", "6")
    assert float(line["median_s"]) == found.median
    assert (float(line["ci_low_s"]), float(line["ci_high_s"])) == found.interval
    assert (float(line["min_s"]), float(line["max_s"])) == (0.1, 0.5)
    assert float(line["mad_s"]) == found.mad
    assert float(line["gflop_per_s"]) == pytest.approx(4 / found.median)
    assert float(line["percent_of_ceiling"]) == pytest.approx(4 / found.median)
    assert float(line["x_real_time"]) == pytest.approx(1 / found.median)
    assert (line["snr_db"], line["budget_db"], line["passed"]) == ("120.0", "100.0", "true")
    assert line["reason"] == ""


def test_a_percentile_without_samples_for_it_is_empty() -> None:
    few, many = read(
        fake_report(fake_result(seconds=(0.5,) * 63), fake_result(seconds=(0.5,) * 130))
    )
    assert (few["p90_s"], few["p95_s"], few["p99_s"]) == ("", "", "")
    assert (many["p90_s"], many["p95_s"], many["p99_s"]) == ("0.5", "0.5", "")


def test_an_interval_without_samples_for_it_is_empty() -> None:
    (few,) = read(fake_report(fake_result(seconds=(0.5,) * 5)))
    assert (few["median_s"], few["ci_low_s"], few["ci_high_s"]) == ("0.5", "", "")


def test_every_clock_has_a_line_with_its_own_speed() -> None:
    lines = read(fake_report(on_gpu()))
    assert [line["clock"] for line in lines] == ["call", "device", "end-to-end", "throughput"]
    assert [float(line["gflop_per_s"]) for line in lines] == pytest.approx([8, 16, 4, 20])
    assert {line["percent_of_ceiling"] for line in lines} == {""}, "no ceiling of the GPU"


def test_a_hole_is_a_line_with_its_reason() -> None:
    hole = Skipped('no "runtime", here\nat all')
    (line,) = read(fake_report(fake_result("gone", hole, hole)))
    assert (line["backend"], line["clock"], line["reason"]) == ("gone", "call", hole.reason)
    empty = COLUMNS.partition(",clock,")[2].removesuffix(",reason").split(",")
    assert {line[name] for name in empty} == {""}


def test_a_clock_that_was_asked_for_and_missing_says_why() -> None:
    result = replace(fake_result(), device=Skipped("runs on the host"))
    call, device = read(fake_report(result))
    assert (call["clock"], call["reason"]) == ("call", "")
    assert (device["clock"], device["median_s"]) == ("device", "")
    assert device["reason"] == "runs on the host"


def test_what_to_distrust_is_told() -> None:
    result = fake_result()
    assert isinstance(result.measurement, Measurement)
    shaky = replace(result, measurement=replace(result.measurement, warm=False, converged=False))
    assert read(fake_report(shaky))[0]["reason"] == "not warm, unconverged"


@pytest.mark.parametrize(("snr", "passed"), [(inf, "true"), (-inf, "false"), (99.9, "false")])
def test_the_verdict_is_of_the_worst_output(snr: float, passed: str) -> None:
    parity = replace(PARITY, outputs=(replace(PARITY.outputs[0], snr_db=snr),))
    (line,) = read(fake_report(fake_result("x", Skipped("parity"), parity)))
    assert (line["snr_db"], line["passed"]) == (str(snr), passed)


def test_a_report_of_nothing_has_a_header() -> None:
    head = COLUMNS.replace("batch,samples,", "")  # of no network, no axes
    assert csv_lines.dump(document(fake_report())).decode() == f"{head}\r\n"
