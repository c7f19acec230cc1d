"""The table of layers: graph order, shares, and the distance of each from its own bound."""

from dataclasses import replace

from bench.machine.bound import profiled_seconds
from bench.records import Ceiling, Layer, Measurement, Result, Skipped
from bench.render.as_markdown import markdown
from bench.render.layer_tables import layers
from bench.render.tables import latency
from fakes import fake_report, fake_result

GIGA = 10**9
CEILING = Ceiling(100.0, 2048, 1, "fp32", 10.0)
LAYERS = (
    Layer("pad", "Pad", 0, GIGA // 1000, Skipped("computed within a")),
    Layer("a", "Conv + LeakyRelu", GIGA, GIGA // 1000, 0.020),
    Layer("b", "Conv", GIGA, GIGA, 0.400),
    Layer("fast", "Slice", 0, 8, 0.0),
    Layer("other", "Reorder", 0, 0, 0.080),
)


def row(timed: tuple[Layer, ...] = LAYERS) -> Result:
    return replace(fake_result(), layers=timed, bytes_moved=sum(each.bytes for each in timed))


REPORT = replace(fake_report(row()), ceilings=(CEILING,))


def test_a_row_of_a_layer_says_everything() -> None:
    (found,) = layers(REPORT)
    assert found.title == "Layers of fake on mpd-11, 2 x 11025"
    assert found.header == ("layer", "kind", "ms", "share %", "GFLOP/s", "% bound")
    assert found.rows == (
        ("pad", "Pad", "-", "-", "-", "-"),
        ("a", "Conv + LeakyRelu", "20.00", "4.0", "50.0", "50"),
        ("b", "Conv", "400.00", "80.0", "2.5", "25"),
        ("fast", "Slice", "0.00", "0.0", "-", "-"),
        ("other", "Reorder", "80.00", "16.0", "-", "-"),
    )


def test_the_sum_stands_beside_the_measured_median() -> None:
    (found,) = layers(REPORT)
    total, within = found.remarks
    assert total.startswith("sum 500.00 ms, 100 % of the median 500.00 ms without a profiler")
    assert within == "pad: computed within a"
    assert profiled_seconds(LAYERS) == 0.5


def test_on_a_gpu_it_stands_beside_the_device_clock() -> None:
    device = Measurement((0.25,) * 4, 1.0, 10, warm=True, converged=True, clock="device")
    (found,) = layers(replace(REPORT, results=(replace(row(), device=device),)))
    assert "200 % of the median 250.00 ms" in found.remarks[0]


def test_without_a_time_there_is_no_table_and_the_reason_stands_beside_the_row() -> None:
    hole = Skipped("torch has no profiler of its layers here")
    asked = row(tuple(replace(layer, seconds=hole) for layer in LAYERS))
    report = replace(fake_report(asked), ceilings=(CEILING,))
    assert layers(report) == ()
    (table,) = latency(report)
    assert table.remarks == (f"fake: no times of its layers: {hole.reason}",)
    assert layers(fake_report(fake_result())) == ()
    assert latency(fake_report(fake_result()))[0].remarks == ()


def test_the_latency_says_bytes_and_the_bound() -> None:
    (found,) = latency(REPORT)
    told = dict(zip(found.header, found.rows[0], strict=True))
    # 2.002 GB in 0.5 s; the least is 10 ms for a, 100 ms for b and 0.1 ms for the pad
    assert (told["GB/s"], told["% bound"]) == ("2.0", "22")


def test_a_row_above_its_bound_says_why() -> None:
    """A cache may hold what the bound counts."""
    small = replace(CEILING, gb_per_second=1.0)
    (found,) = latency(replace(REPORT, ceilings=(small,)))
    told = dict(zip(found.header, found.rows[0], strict=True))
    assert told["% bound"] == "202"
    (remark,) = found.remarks
    assert remark.startswith("fake: above the bound: caches held what it counts as moved")


def test_markdown_holds_the_layers() -> None:
    page = markdown(REPORT)
    assert "## Layers of fake on mpd-11" in page and "| a | Conv + LeakyRelu | 20.00 |" in page
    assert "copy 10.0 GB/s" in page and "% bound: " in page
