"""Views of what a tuner found: nothing computed twice, nothing lost."""

import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bench.hole import Skipped
from bench.machine.hardware import Others
from bench.records import Result
from bench.render import as_tuning
from bench.tune.records import Tuning
from bench.tune.run import Tuned
from export.lowering.plan import LoweringPlan
from fakes import fake_report, fake_result, fake_trials, fake_tuning
from hifigan_ref.errors import HifiError

ROWS = fake_tuning().results


def tuned(tuning: Tuning, rows: Sequence[Result] = ROWS, interrupted: bool = False) -> Tuned:
    found = replace(tuning, results=tuple(rows))
    plan = LoweringPlan("", tuning.plan)
    return Tuned(found, plan, (), fake_report(*rows), (), interrupted)


def printed(found: Tuned) -> list[str]:
    file = StringIO()
    as_tuning.print_tuned(found, Console(file=file, width=110, color_system=None))
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def test_the_terminal_shows_speeds_and_the_plan() -> None:
    lines = printed(tuned(fake_tuning()))
    assert "mpd-11, 2 x 11025: how many times as fast" in lines
    assert "torch 400.00 1.00x (1.00 to 1.00) 0.50x (0.50 to 0.50) 120.0" in lines
    assert "ort-cpu 200.00 2.00x (2.00 to 2.00) 1.00x (1.00 to 1.00) 120.0" in lines
    assert "tuned 100.00 4.00x (4.00 to 4.00) 2.00x (2.00 to 2.00) 120.0" in lines
    assert "mpd_11.convs.4 columns 40.00 10.00 4.00x 1.00x 120 2" in lines
    assert not any(line.startswith("mpd_11.conv_post") for line in lines), "it stays plain"
    assert as_tuning.OTHER in " ".join(lines)


@pytest.mark.parametrize("during", ["trials", "rows"])
def test_a_busy_machine_is_told_first(tmp_path: Path, during: str) -> None:
    others = Others(1.4, 2, 0.0)
    quiet = fake_tuning()
    if during == "trials":
        found = tuned(replace(quiet, others=others))
    else:
        found = tuned(quiet, tuple(replace(row, others=others) for row in ROWS))
    told = "this machine was busy: other processes took 1.4 of 2 cores"
    assert printed(found)[0].startswith(told)
    as_tuning.save(found, tmp_path)
    kept = as_tuning.load(tmp_path / "tune.json")
    assert as_tuning.brief(kept).startswith(f"> **{told}")
    assert told in as_tuning.markdown(found).splitlines()[2]
    assert told in (tmp_path / "tune.html").read_text().partition("<ul>")[0]
    assert "busy" not in as_tuning.markdown(tuned(quiet)) + "".join(printed(tuned(quiet)))


def test_a_plan_that_changes_nothing_says_so() -> None:
    lines = printed(tuned(replace(fake_tuning(), plan={}, layers=())))
    assert "every layer is plain" in " ".join(lines)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("last", [False, True])
def test_an_interrupted_comparison_shows_what_there_is(
    tmp_path: Path, count: int, last: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ROWS[3 - count :] if last else ROWS[:count]
    told = as_tuning.save(tuned(fake_tuning(), rows, interrupted=True), tmp_path)
    assert told.endswith("report: " + str(tmp_path / "tune.html"))
    table = as_tuning.speeds(rows)
    assert [len(each.rows) for each in table] == ([count] if count else [])
    if count == 1 and last:
        assert table[0].rows[0][:4] == ("tuned", "100.00", "-", "-")
    assert "The plan" in capsys.readouterr().out


def test_a_row_without_a_speed_is_a_hole() -> None:
    broken = fake_result(ROWS[2].backend, Skipped("parity failed"), Skipped("parity failed"))
    ((_, _, (name, *cells)),) = (each.rows for each in as_tuning.speeds((*ROWS[:2], broken)))
    assert (name, cells) == ("tuned", ["-"] * 4)


def test_every_form_is_shown_the_fastest_first() -> None:
    layer = fake_trials("a", "b", plain=0.5, wide=0.25, rows="it failed | in words")
    table = as_tuning.tried(layer)
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
    (row,) = as_tuning.winners(replace(fake_tuning(), layers=(layer,), plan={"b": "phase"})).rows
    assert row == ("a, b", layer.geometry, "500.00", "wide", "250.00", "2.00x", "plain, phase")


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    tuning = fake_tuning()
    trials = tuning.layers[0].trials
    endless = replace(trials[0], snr_db=np.inf)
    tuning = replace(
        tuning,
        layers=(replace(tuning.layers[0], trials=(endless, *trials[1:])), tuning.layers[1]),
        steps=(replace(tuning.steps[0], ratio=np.inf),),
    )
    (tmp_path / "tune.json").write_bytes(as_tuning.dump(tuning))
    assert as_tuning.load(tmp_path / "tune.json") == tuning
    assert json.loads(as_tuning.dump(tuning))["plan"] == {"mpd_11.convs.4": "columns"}


def test_what_is_no_tuning_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tune.json"
    with pytest.raises(HifiError, match="cannot read .*tune.json"):
        as_tuning.load(path)
    for content in (b"", b"{}", as_tuning.dump(fake_tuning())[:-40]):
        path.write_bytes(content)
        with pytest.raises(HifiError, match="is no tuning of this version: tune again"):
            as_tuning.load(path)


def test_the_page_holds_every_section(tmp_path: Path) -> None:
    as_tuning.save(tuned(fake_tuning()), tmp_path)
    page = (tmp_path / "tune.html").read_text()
    for heading in ("Speed", "Plan", "Forms tried", "Layers of the plan", "On whole graphs"):
        assert heading in page, heading
    for told in ("hifi-bench tune: ort-cpu", "mpd_11.convs.4", "it failed | in words", "columns"):
        assert told in page, told
    assert "<script src=" not in page


def test_markdown_holds_every_table(tmp_path: Path) -> None:
    as_tuning.save(tuned(fake_tuning()), tmp_path)
    page = (tmp_path / "tune.md").read_text()
    headings = [line for line in page.splitlines() if line.startswith("#")]
    problem = "8 -> 8, 5 taps on 2 x 8 x 32 x 11"
    assert headings == [
        "# hifi-bench tune: ort-cpu",
        "## mpd-11, 2 x 11025: how many times as fast",
        "## The plan",
        "## On whole graphs",
        f"## mpd_11.convs.4: {problem}",
        f"## mpd_11.conv_post: {problem}",
    ]
    assert "| mpd-11 | all | winners | 0.800 | yes |" in page
    assert "it failed / in words" in page, "a bar would end the cell"


def test_every_view_of_one_tuning_is_of_the_same_numbers(tmp_path: Path) -> None:
    as_tuning.save(tuned(fake_tuning()), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tune.html", "tune.md", "tune.json"}
    kept = as_tuning.load(tmp_path / "tune.json")
    again = tuned(kept, kept.results)
    assert as_tuning.markdown(again) == (tmp_path / "tune.md").read_text()


def of(variant: str, rows: Sequence[Result] = ROWS) -> tuple[Result, ...]:
    return tuple(replace(r, workload=replace(r.workload, variant=variant)) for r in rows)


def test_networks_together_come_first() -> None:
    together, *apart = as_tuning.speeds((*of("mpd"), *of("msd")))
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
    together, *_ = as_tuning.speeds((*of("mpd"), *of("msd", left)))
    assert len(together.rows) == len(left)
    none_shared = as_tuning.speeds((*of("mpd", ROWS[:1]), *of("msd", ROWS[1:2])))
    assert [table.title.partition(",")[0] for table in none_shared] == ["mpd", "msd"]
