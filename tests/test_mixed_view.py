"""What a search for precisions found as a document."""

from dataclasses import replace

from bench.hardware import Others
from bench.mixing_record import Mixing
from bench.render.views.mixed import brief, document
from shown import MEMBER, fake_mixing, markdown, printed


def lines_of(mixing: Mixing) -> list[str]:
    return [" ".join(line.split()) for line in printed(document(mixing), 120).splitlines()]


def test_the_terminal_shows_the_plan_the_front_and_the_promise() -> None:
    lines = lines_of(fake_mixing())
    assert "mpd-11 100.00 1.25x 40.0 35.5 score 1 int8 4" in lines
    assert "mpd-2 300.00 2.00x 20.0 - score 2 int8 4" in lines
    assert "all 400.00 1.74x 20.0 35.5 8" in lines, "400 over 80 + 150"
    assert "1.25x 40.0 35.5 score yes int8: 1" in lines
    assert not any(line.startswith("1.11x") for line in lines), "it is beaten in both"
    assert f"mpd {'ab' * 8} 40.0000 score" in lines


def test_every_layer_alone_is_in_the_page() -> None:
    text = markdown(document(fake_mixing()))
    assert "| convs.1 | int8 | 1.25x | 40.0 | score | 1% |" in text.replace("  ", " ")
    assert "Pareto front" in text and "budget 30 dB" in text


def test_what_does_not_run_is_told() -> None:
    failed = replace(MEMBER, failed=("int8: convs.1: RuntimeError: no such kernel",))
    told = " ".join(lines_of(replace(fake_mixing(), members=(failed,))))
    assert "1 did not run: int8: convs.1: RuntimeError: no such kernel" in told


def test_a_busy_machine_is_told() -> None:
    busy = replace(fake_mixing(), others=Others(1.4, 2, 0.0))
    for made in (brief(busy), document(busy)):
        (line,) = made.warnings
        assert line.startswith("this machine was busy: other processes took 1.4 of 2 cores")
    assert document(fake_mixing()).warnings == ()


def test_the_chart_shows_what_was_tried_the_front_and_the_choice() -> None:
    chart, _ = document(fake_mixing()).sections[1].charts
    tried, front, choice = chart.figure["data"]
    assert len(tried["x"]) == 4 and front["x"] == [1 / 0.5, 1 / 0.8, 1.0]
    assert (choice["x"], choice["y"]) == ([1 / 0.8], [40.0])
    assert [key.name for key in chart.keys] == ["tried", "front"]
    (budget,) = chart.figure["layout"]["shapes"]
    assert budget["y0"] == budget["y1"] == 30.0
