"""Several networks together: how many times as fast as PyTorch."""

from dataclasses import replace

import pytest

from bench.records import Result, Skipped
from bench.render.as_html import sections
from bench.render.as_markdown import brief, markdown
from bench.render.speedups import together
from export.request import views_of
from fakes import WORKLOAD, fake_report, fake_result

BROKEN = Skipped("parity failed")


def row(backend: str, network: str, seconds: float, batch: int = 2, pair: bool = False) -> Result:
    load = replace(
        WORKLOAD,
        variant=network,
        sizes={**WORKLOAD.sizes, "batch": batch},
        views=views_of("all", pair),
    )
    return fake_result(backend, (seconds,) * 8, workload=load)


ROWS = (
    row("torch", "mpd", 0.3),
    row("ort-cpu", "mpd", 0.1),
    row("torch", "msd", 0.1),
    row("ort-cpu", "msd", 0.1),
)


def test_times_of_networks_are_added_before_they_are_compared() -> None:
    (table,) = together(fake_report(*ROWS))
    assert table.title == "mpd + msd, 2 x 11025: how many times as fast"
    assert table.header == ("backend", "median ms", "times torch", "SNR dB")
    assert table.rows == (
        ("torch", "400.00", "1.00x (1.00 to 1.00)", "120.0"),
        ("ort-cpu", "200.00", "2.00x (2.00 to 2.00)", "120.0"),
    )


def test_a_precision_is_no_other_shape() -> None:
    less = row("ort-cpu:precision=int8", "mpd", 0.05)
    less = replace(less, workload=replace(less.workload, precision="int8"))
    both = (less, replace(less, workload=replace(less.workload, variant="msd")))
    (table,) = together(fake_report(*ROWS, *both))
    assert table.rows[2][:3] == ("ort-cpu:precision=int8", "100.00", "4.00x (4.00 to 4.00)")


def test_each_shape_has_its_own_table() -> None:
    more = [replace(each, workload=replace(each.workload, views=("pair",))) for each in ROWS]
    titles = [table.title for table in together(fake_report(*ROWS, *more))]
    assert titles[1] == "mpd + msd, 2 x 11025 real and generated: how many times as fast"
    assert len(titles) == 2


def test_a_network_without_a_speed_is_a_hole_and_one_without_a_row_is_left_out() -> None:
    failed = fake_result(
        "openvino",
        BROKEN,
        BROKEN,
        replace(WORKLOAD, variant="msd", sizes={**WORKLOAD.sizes, "batch": 2}),
    )
    rows = (*ROWS, row("openvino", "mpd", 0.1), failed, row("torch-folded", "mpd", 0.1))
    (table,) = together(fake_report(*rows))
    assert table.rows[2:] == (("openvino", "-", "-", "-"),)


@pytest.mark.parametrize(
    "rows", [(), ROWS[:2], ROWS[1:2] + ROWS[3:], ROWS[1:]], ids=["none", "one", "no peer", "half"]
)
def test_there_is_no_table_where_nothing_can_be_compared(rows: tuple[Result, ...]) -> None:
    assert together(fake_report(*rows)) == ()


def test_pages_begin_with_it() -> None:
    report = fake_report(*ROWS)
    for page in (brief(report), markdown(report)):
        titles = [line.lstrip("# ") for line in page.splitlines() if line.startswith("##")]
        assert titles[0] == "mpd + msd, 2 x 11025: how many times as fast"
    assert "how many times as fast" in sections(report)[0].tables[0].title
