"""The least time that a machine could take, and how near a row comes to it."""

from dataclasses import replace

import pytest

from bench.machine.bound import (
    bound_seconds,
    bound_share,
    ceiling_of,
    gb_per_second,
    percent_of_bound,
)
from bench.records import NOT_TAKEN, Ceiling, Layer, Measurement, Precision, Result, Skipped
from fakes import WORKLOAD, fake_report, fake_result

GIGA = 10**9
CPU = Ceiling(100.0, 2048, 1, "fp32", 10.0)
GPU = Ceiling(50_000.0, 8192, 0, "fp32", 4000.0)
BUSY = Layer("busy", "Conv", 4 * GIGA, GIGA // 10)  # 40 ms to compute, 10 ms to move
HEAVY = Layer("heavy", "Conv", GIGA, GIGA)  # 10 ms to compute, 100 ms to move
PAD = Layer("pad", "Pad", 0, GIGA // 100)  # 1 ms to move


def test_each_layer_is_bound_by_what_takes_longer() -> None:
    assert bound_seconds([BUSY], CPU) == pytest.approx(0.040)
    assert bound_seconds([HEAVY], CPU) == pytest.approx(0.100)
    assert bound_seconds([PAD], CPU) == pytest.approx(0.001)


def test_layers_follow_one_another() -> None:
    """Not the larger of the two sums, which is 111 ms here."""
    assert bound_seconds([BUSY, HEAVY, PAD], CPU) == pytest.approx(0.141)


def test_a_ceiling_without_a_bandwidth_bounds_by_computing_alone() -> None:
    slow = replace(CPU, gb_per_second=0.0)
    assert bound_seconds([BUSY, HEAVY, PAD], slow) == pytest.approx(0.050)


def test_a_time_twice_the_bound_is_half_of_it() -> None:
    assert percent_of_bound(0.080, [BUSY], CPU) == pytest.approx(50)


def row(precision: Precision = "fp32", on_gpu: bool = False) -> Result:
    """Of 0.5 s a pass."""
    made = fake_result(workload=replace(WORKLOAD, precision=precision))
    layers = (BUSY, HEAVY, PAD)
    made = replace(made, layers=layers, bytes_moved=sum(layer.bytes for layer in layers))
    measured = Measurement((0.4,) * 4, 1.0, 10, warm=True, converged=True, clock="device")
    return replace(made, device=measured) if on_gpu else made


def test_a_row_is_told_in_per_cent_and_bytes() -> None:
    report = replace(fake_report(), ceilings=(CPU,))
    assert bound_share(report, row()) == pytest.approx(100 * 0.141 / 0.5)
    assert gb_per_second(row()) == pytest.approx(1.11 / 0.5)


def test_a_row_without_a_time_or_layers_or_a_bandwidth_has_none() -> None:
    hole = Skipped("no runtime")
    report = replace(fake_report(), ceilings=(CPU,))
    assert bound_share(report, fake_result(seconds=hole)) == hole
    assert gb_per_second(fake_result(seconds=hole)) == hole
    assert bound_share(report, fake_result()) == NOT_TAKEN
    assert gb_per_second(fake_result()) == NOT_TAKEN
    assert bound_share(fake_report(), row()) == NOT_TAKEN, "an older report has no bandwidth"
    assert isinstance(bound_share(fake_report(), row(on_gpu=True)), Skipped)


def test_the_ceiling_is_of_the_rows_device_and_precision() -> None:
    halves = (replace(CPU, precision="bf16"), replace(GPU, precision="bf16"))
    tf32 = replace(GPU, precision="tf32")
    report = replace(fake_report(), ceilings=(CPU, *halves, GPU, tf32), gpu_ceiling=GPU)
    assert ceiling_of(report, row()) is CPU
    assert ceiling_of(report, row("bf16")) is halves[0]
    assert ceiling_of(report, row("bf16", on_gpu=True)) is halves[1]
    assert ceiling_of(report, row(on_gpu=True)) is GPU
    assert ceiling_of(report, row("tf32", on_gpu=True)) is tf32
    assert ceiling_of(report, row("fp16", on_gpu=True)) is GPU, "not measured: float32's"
    assert ceiling_of(report, row("int8")) == Skipped("no ceiling of int8 was measured")
