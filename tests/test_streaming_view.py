"""What chunks of a signal cost as a document, beside sums that were done by hand."""

from dataclasses import replace

import pytest

from bench.hole import Skipped
from bench.render.views.streaming import document
from bench.streaming_record import Streaming
from shown import fake_streaming, markdown, printed


def lines_of(found: Streaming) -> list[str]:
    return [" ".join(line.split()) for line in printed(document(found), 160).splitlines()]


def test_the_terminal_shows_latency_speed_and_work() -> None:
    lines = lines_of(fake_streaming())
    # 10 s must be there, then 2 or 2.5 s of work: 2.25 s is the median, of 10 s
    assert "whole 12250.00 10000.00 2250.00 0.225 0 2250.00 too few - - 120.0" in lines
    # the second call gives audio, when 0.4 s are there; 0.25 or 0.5 s after that it is out
    # compute 0.375 and 0.625; a call has 0.1875 of median for 0.2 s; 22 of 20 FLOPs
    # played from 0.7 s on: 0.65, 0.775 for 0.8, 1.1 for 1.0; and 0.9 for 0.7
    assert "state, 2 775.00 400.00 500.00 0.938 10 187.50 too few 50.0 2 110.0" in lines
    assert "state, 4 600.00 400.00 200.00 0.500 0 200.00 200.00 0.0 1 110.0" in lines
    assert any(line.startswith("window, 2 ") and line.endswith(" 9.0") for line in lines)
    assert "generator-v3, 100 frames, 10.00 s; context 3 + 3 frames" in lines
    assert sum(line.startswith("window: ") for line in lines) == 1, "notes stand there once"


def test_what_fails_is_told() -> None:
    first, *others = fake_streaming().rows
    assert not replace(first, snr_db=99.9).passed
    wrong = replace(fake_streaming(), rows=(replace(first, snr_db=99.9), *others))
    lines = lines_of(wrong)
    assert "ort-cpu, whole: 99.9 dB, 100 dB is promised" in lines
    assert "not measured: openvino, state, chunks of 2: it cannot" in lines


def test_the_chart_has_a_line_for_each_way() -> None:
    (chart,) = document(fake_streaming()).sections[0].charts
    assert [key.name for key in chart.keys] == [
        *("ort-cpu, whole", "ort-cpu, state", "ort-cpu, window", "openvino, whole"),
    ]
    state = chart.figure["data"][1]
    assert state["x"] == pytest.approx([775.0, 600.0]), "the shorter chunk first"
    assert state["y"] == pytest.approx([0.2 / 0.1875, 2.0])
    marks = {key.mark for key in chart.keys}
    assert len(marks) == 3 and chart.keys[0].mark == chart.keys[3].mark


def test_an_axis_that_is_no_time_has_calls_and_no_seconds_of_audio() -> None:
    rows = tuple(replace(row, unit_s=None, streams=Skipped("")) for row in fake_streaming().rows)
    found = replace(fake_streaming(), rows=rows)
    assert "state, 2 - - 500.00 - 10 187.50 too few - - 110.0" in lines_of(found)
    assert "generator-v3, 100 frames; context" in markdown(document(found))
    assert [section.title for section in document(found).sections] == ["Chunks"]
