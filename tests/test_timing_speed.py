"""Times in other words."""

from dataclasses import replace

import pytest

from bench.records import Ceiling, Measurement, Skipped
from bench.timing.speed import (
    all_ceilings,
    audio_seconds_per_second,
    gflop_per_second,
    intensity,
    percent_of_ceiling,
    reach,
    ridge,
)
from fakes import WORKLOAD, fake_report, fake_result

HALF = Measurement((0.5,), 1, 10, True, True)
ROOF = Ceiling(100.0, 2048, 1, gb_per_second=10.0)


def test_the_same_time_agrees_with_the_record() -> None:
    pair = replace(WORKLOAD, views=("pair",), audio_seconds=2.0)
    result = fake_result(workload=pair)
    assert gflop_per_second(result, HALF) == result.gflop_per_second == 8
    audio = audio_seconds_per_second(result, HALF)
    assert audio == result.audio_seconds_per_second == 4


def test_the_share_of_the_ceiling_needs_a_time_and_a_ceiling() -> None:
    result = fake_result()
    report = fake_report(result)
    assert percent_of_ceiling(report, result, HALF) == pytest.approx(8)
    hole = Skipped("gone")
    assert percent_of_ceiling(report, result, hole) == hole
    on_gpu = replace(result, device=HALF)
    assert isinstance(percent_of_ceiling(report, on_gpu, HALF), Skipped)


def test_the_lower_of_both_ceilings_binds() -> None:
    assert ridge(ROOF) == 10
    assert [reach(ROOF, where) for where in (1, 10, 100)] == [10, 100, 100]


def test_intensity_needs_counted_bytes() -> None:
    assert intensity(replace(fake_result(), bytes_moved=2 * 10**9)) == 2
    assert isinstance(intensity(fake_result()), Skipped)


def test_each_ceiling_is_there_once() -> None:
    report = replace(fake_report(), ceiling=ROOF, ceilings=(ROOF, replace(ROOF, precision="bf16")))
    assert [each.precision for each in all_ceilings(report)] == ["fp32", "bf16"]
