"""One bar over nested phases."""

import sys
from io import StringIO

from rich.console import Console

from export.engine.progress import BuildProgress


def test_an_inner_phase_moves_the_outer_bar_by_parts_of_a_step() -> None:
    progress = BuildProgress("mpd-11", Console(file=StringIO()))
    seen = []
    progress.begin("build", None, 4)
    progress.step("build", 0)
    seen.append(progress.fraction)
    progress.begin("optimise", "build", 2)
    progress.step("optimise", 0)
    seen.append(progress.fraction)
    progress.step("optimise", 1)
    progress.end("optimise")
    progress.step("build", 1)
    seen.append(progress.fraction)
    assert seen == [0.25, 0.25 + 0.125, 0.5]


def test_odd_reports_do_no_harm() -> None:
    progress = BuildProgress("mpd-11", Console(file=StringIO()))
    progress.step("unknown", 3)
    progress.end("unknown")
    progress.begin("empty", None, 0)
    progress.step("empty", 7)
    assert progress.fraction == 1.0


def test_the_bar_names_the_work_and_leaves_nothing_behind() -> None:
    file = StringIO()
    console = Console(file=file, force_terminal=True, width=80)
    with BuildProgress("mpd-11", console) as progress:
        progress.begin("Cloning [network]", None, 2)
        progress.step("Cloning [network]", 0)
    shown = file.getvalue()
    assert "mpd-11: Cloning [network]" in shown and "50 %" in shown
    assert shown.rstrip("\n").endswith("\x1b[2K"), "the line is erased at the end"


def test_standard_output_stays_clean() -> None:
    before = sys.stdout
    with BuildProgress("mpd-11", Console(file=StringIO(), force_terminal=True)):
        assert sys.stdout is before
