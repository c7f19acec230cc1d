"""What a tuner found as a document: every layer and speed, nothing computed twice."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.hardware import Others
from bench.hole import Skipped
from bench.records import Result
from bench.render.views import tuning as view
from bench.tuning_record import Tuning
from fakes import fake_result, fake_trials, fake_tuning
from shown import fake_tuned, markdown, printed

ROWS = fake_tuning().results


def lines_of(tuning: Tuning) -> list[str]:
    page = printed(view.document(replace(fake_tuned(), tuning=tuning)), 110)
    return [" ".join(line.split()) for line in page.splitlines()]


def test_the_terminal_shows_speeds_and_the_plan() -> None:
    lines = lines_of(fake_tuning())
    assert "mpd-11, 2 x 11025: how many times as fast" in lines
    assert "torch 400.00 1.00x (1.00 to 1.00) 0.50x (0.50 to 0.50) 120.0" in lines
    assert "ort-cpu 200.00 2.00x (2.00 to 2.00) 1.00x (1.00 to 1.00) 120.0" in lines
    assert "tuned 100.00 4.00x (4.00 to 4.00) 2.00x (2.00 to 2.00) 120.0" in lines
    assert "mpd_11.convs.4 columns 40.00 10.00 4.00x 1.00x 120 2" in lines
    assert not any(line.startswith("mpd_11.conv_post") for line in lines), "it stays plain"
    assert view.OTHER in " ".join(lines)


@pytest.mark.parametrize("during", ["trials", "rows"])
def test_a_busy_machine_is_told(during: str) -> None:
    others = Others(1.4, 2, 0.0)
    rows = tuple(replace(row, others=others) for row in ROWS)
    changes = {"trials": {"others": others}, "rows": {"results": rows}}[during]
    found = replace(fake_tuning(), **changes)  # type: ignore[arg-type]
    for made in (view.brief(found), view.document(replace(fake_tuned(), tuning=found))):
        (line,) = made.warnings
        assert line.startswith("this machine was busy: other processes took 1.4 of 2 cores")


def test_a_plan_that_changes_nothing_says_so() -> None:
    assert "every layer is plain" in lines_of(replace(fake_tuning(), plan={}, layers=()))


@pytest.mark.parametrize("rows", [(), ROWS[:1], ROWS[:2], ROWS[2:], ROWS[1:]], ids=len)
def test_an_interrupted_comparison_shows_what_there_is(rows: tuple[Result, ...]) -> None:
    tables = view.speeds(rows)
    assert [len(each.rows) for each in tables] == ([len(rows)] if rows else [])
    if rows == ROWS[2:]:
        assert tables[0].rows[0][:4] == ("tuned", "100.00", "-", "-")
    assert "The plan" in lines_of(replace(fake_tuning(), results=rows))


def test_a_row_without_a_speed_is_a_hole() -> None:
    broken = fake_result(ROWS[2].backend, Skipped("parity failed"), Skipped("parity failed"))
    ((_, _, (name, *cells)),) = (each.rows for each in view.speeds((*ROWS[:2], broken)))
    assert (name, cells) == ("tuned", ["-"] * 4)


def test_every_form_is_shown_the_fastest_first() -> None:
    layer = fake_trials("a", "b", plain=0.5, wide=0.25, rows="it failed | in words")
    table = view.tried(layer)
    assert table.title == "a, b: 8 -> 8, 5 taps on 2 x 8 x 32 x 11"
    assert [row[:3] for row in table.rows] == [
        ("wide", "250.00", "2.00x"),
        ("plain", "500.00", "1.00x"),
        ("rows", "-", "-"),
    ]
    assert [row[5] for row in table.rows] == ["120", "120", "it failed | in words"]


def test_layers_show_their_fastest_form_that_is_exact_enough() -> None:
    layer = fake_trials("a", "b", plain=0.5, wide=0.25, phase=0.125)
    wrong = replace(layer.trials[2], snr_db=60.0)
    layer = replace(layer, trials=(*layer.trials[:2], wrong))
    (row,) = view.winners(replace(fake_tuning(), layers=(layer,), plan={"b": "phase"})).rows
    assert row == ("a, b", layer.geometry, "500.00", "wide", "250.00", "2.00x", "plain, phase")


def test_the_page_is_in_this_order() -> None:
    page = markdown(view.document(fake_tuned()))
    headings = [line for line in page.splitlines() if line.startswith("#")]
    problem = "8 -> 8, 5 taps on 2 x 8 x 32 x 11"
    assert headings[:9] == [
        "# hifi-bench tune: ort-cpu",
        "## Speed",
        "### mpd-11, 2 x 11025: how many times as fast",
        "## Plan",
        "### The plan",
        "### On whole graphs",
        "## Forms tried",
        f"### mpd_11.convs.4: {problem}",
        f"### mpd_11.conv_post: {problem}",
    ]
    assert "| mpd-11 | all | winners | 0.800 | yes |" in page


def of(variant: str, rows: Sequence[Result] = ROWS) -> tuple[Result, ...]:
    return tuple(replace(r, workload=replace(r.workload, variant=variant)) for r in rows)


def test_networks_together_come_first() -> None:
    together, *apart = view.speeds((*of("mpd"), *of("msd")))
    assert [table.title.partition(",")[0] for table in (together, *apart)] == [
        "mpd + msd",
        "mpd",
        "msd",
    ]
    assert together.rows[2] == (
        "tuned",
        "200.00",
        "4.00x (4.00 to 4.00)",
        "2.00x (2.00 to 2.00)",
        "120.0",
    )


@pytest.mark.parametrize("left", [ROWS[:1], ROWS[1:2], ROWS[1:]], ids=["torch", "plain", "two"])
def test_what_an_interrupted_network_lacks_is_not_together(left: tuple[Result, ...]) -> None:
    together, *_ = view.speeds((*of("mpd"), *of("msd", left)))
    assert len(together.rows) == len(left)
    none_shared = view.speeds((*of("mpd", ROWS[:1]), *of("msd", ROWS[1:2])))
    assert [table.title.partition(",")[0] for table in none_shared] == ["mpd", "msd"]


def test_the_chart_has_the_layers_of_the_plan() -> None:
    (chart,) = view.document(fake_tuned()).sections[1].charts
    plain, tuned = chart.figure["data"]
    assert plain["y"] == tuned["y"] == ["mpd_11.convs.4"]
    assert (plain["x"], tuned["x"], tuned["text"]) == ([40.0], [10.0], ["columns"])
    assert [key.name for key in chart.keys] == ["as exported", "tuned"]
