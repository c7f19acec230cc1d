"""Costs beside latency, as text."""

from dataclasses import replace

from bench.records import ColdStart, Skipped
from bench.render.tables import latency
from bench.render.tables_costs import HEADER, costs
from fakes import fake_report, fake_result

ROW = replace(
    fake_result("trt"),
    cold_start=ColdStart(1.234, 20.5, 0.0123),
    peak_memory_bytes=1_234_500_000,
    device_memory_bytes=Skipped("runs on the host"),
    joules_per_item=0.5,
    checked=10,
    repeat_gain=1.2,
)


def test_every_cost_has_its_column() -> None:
    (row,) = costs(fake_report(ROW, fake_result("old"))).rows
    assert dict(zip(HEADER, row, strict=True)) == {
        "row": "trt on mpd-11, 2 x 11025",
        "import s": "1.23",
        "prepare s": "20.50",
        "first call s": "0.012",
        "process MB": "1234",
        "GPU MB": "-",
        "J per item": "0.500",
        "checked passes": "10",
        "repeat gain": "1.20",
    }


def test_an_input_that_is_faster_again_is_told() -> None:
    (told,) = latency(fake_report(ROW))
    assert told.remarks == ("trt: the same input again is 20 % faster",)
    (quiet,) = latency(fake_report(replace(ROW, repeat_gain=1.09)))
    assert quiet.remarks == ()
