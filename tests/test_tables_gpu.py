"""What the GPU was while it was timed, and that a throttled row says so in every view."""

from dataclasses import replace

import pytest

from bench.records import GpuMoment, Measurement, Result, Skipped
from bench.render import as_csv, as_html, as_json, as_markdown
from bench.render.tables import latency
from bench.render.tables_gpu import HEADER, gpu_at_work
from fakes import fake_report, fake_result

FREE = GpuMoment(1980, 2619, (), 650.4, 61, 0)
CAPPED = replace(FREE, sm_mhz=1500, throttle_reasons=("software power cap",), watts=700.1)


def row(call: tuple[GpuMoment, ...], device: tuple[GpuMoment, ...] | Skipped) -> Result:
    timed = fake_result("trt")
    assert isinstance(timed.measurement, Measurement)
    by_call = replace(timed.measurement, gpu=call)
    by_device = replace(timed.measurement, clock="device", gpu=device)
    return replace(timed, measurement=by_call, device=by_device)


def test_every_clock_that_was_asked_has_a_line() -> None:
    silent = row((FREE,), Skipped("no NVIDIA driver answers"))
    found = gpu_at_work(fake_report(fake_result("ort-cpu"), row((FREE, CAPPED), (FREE,)), silent))
    assert found.header == HEADER
    name = "trt on mpd-11, 2 x 11025"
    free = ("1980", "2619", "650", "61", "0", "no")
    ranges = ("1500 to 1980", "2619", "650 to 700", "61", "0", "software power cap")
    assert found.rows == (
        (f"{name}, call", *ranges),
        (f"{name}, device", *free),
        (f"{name}, call", *free),
    )


def test_without_a_gpu_there_is_no_table() -> None:
    assert gpu_at_work(fake_report(fake_result(), fake_result("x", Skipped("gone")))).rows == ()


@pytest.mark.parametrize(
    ("call", "device", "remark"),
    [
        (FREE, FREE, ()),
        (CAPPED, CAPPED, ("trt: throttled: software power cap",)),
        (FREE, CAPPED, ("trt: device throttled: software power cap",)),
    ],
)
def test_a_throttled_row_says_so_above_its_other_clocks(
    call: GpuMoment, device: GpuMoment, remark: tuple[str, ...]
) -> None:
    (found,) = latency(fake_report(row((call,), (device,))))
    assert found.remarks == remark


def test_a_throttled_row_says_so_in_every_view() -> None:
    report = fake_report(row((CAPPED,), (FREE,)))
    for view in (as_csv, as_html, as_json, as_markdown):
        page = view.dump(report).decode()
        assert "software power cap" in page, view
    assert "throttled: software power cap" in as_csv.dump(report).decode()
