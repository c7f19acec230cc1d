"""Views of a search for precisions: nothing computed twice, nothing lost."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench.machine.hardware import Others
from bench.mix.records import SCHEMA, MemberTrials, Mixing, Promise, Trial
from bench.render import as_mixed
from fakes import fake_report
from hifigan_ref.errors import HifiError

BASE = Trial({}, {"score": 1e-11}, 1.0)
COARSE = Trial({"convs.1": "int8", "convs.2": "int8"}, {"score": 1e-2}, 0.5)
FINE = Trial({"convs.1": "int8"}, {"score": 1e-4}, 0.8, 0.9, 35.5)
SLOW = Trial({"convs.2": "int8"}, {"score": 9.9e-3}, 0.9)
MEMBER = MemberTrials("mpd-11", 0.1, (BASE, FINE, SLOW, COARSE), chosen=1)
MIXING = Mixing(
    schema=SCHEMA,
    created="2026-01-01T00:00:00+00:00",
    tool="hifi-export 0",
    machine=fake_report().machine,
    backend="openvino",
    base="fp32",
    min_snr_db=30.0,
    sizes={"batch": 2, "samples": 8192},
    views=(),
    threads=2,
    source="clip",
    weights="seed 0",
    calibration="the shipped clip's second half",
    members=(MEMBER, replace(MEMBER, member="mpd-2", seconds=0.3, chosen=3)),
    promises=(Promise("mpd", "ab" * 32, {"score": 1e-4}),),
)


def printed(mixing: Mixing) -> list[str]:
    file = StringIO()
    as_mixed.print_mixing(mixing, Console(file=file, width=120, color_system=None))
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def test_the_terminal_shows_the_plan_the_front_and_the_promise() -> None:
    lines = printed(MIXING)
    assert "mpd-11 100.00 1.25x 40.0 35.5 score 1 int8 4" in lines
    assert "mpd-2 300.00 2.00x 20.0 - score 2 int8 4" in lines
    assert "all 400.00 1.74x 20.0 35.5 8" in lines, "400 over 80 + 150"
    assert "1.25x 40.0 35.5 score yes int8: 1" in lines
    assert not any(line.startswith("1.11x") for line in lines), "it is beaten in both"
    assert f"mpd {'ab' * 8} 40.0000 score" in lines


def test_every_layer_alone_is_in_the_page() -> None:
    text = as_mixed.markdown(MIXING)
    assert "| convs.1 | int8 | 1.25x | 40.0 | score | 1% |" in text.replace("  ", " ")
    assert "Pareto front" in text and "budget 30 dB" in text


def test_what_does_not_run_is_told() -> None:
    failed = replace(MEMBER, failed=("int8: convs.1: RuntimeError: no such kernel",))
    told = " ".join(printed(replace(MIXING, members=(failed,))))
    assert "1 did not run: int8: convs.1: RuntimeError: no such kernel" in told


def test_a_busy_machine_is_told_first() -> None:
    busy = replace(MIXING, others=Others(1.4, 2, 0.0))
    told = "this machine was busy: other processes took 1.4 of 2 cores"
    assert printed(busy)[0].startswith(told)
    assert told in as_mixed.markdown(busy).splitlines()[2]
    assert as_mixed.brief(busy).startswith(f"> **{told}")
    assert told in as_mixed._html(busy).decode().partition("<ul>")[0]
    assert "busy" not in as_mixed.markdown(MIXING) + "".join(printed(MIXING))


def test_json_keeps_every_number(tmp_path: Path) -> None:
    place = tmp_path / "mixed.json"
    place.write_bytes(as_mixed.dump(MIXING))
    assert as_mixed.load(place) == MIXING


def test_json_of_something_else_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "mixed.json"
    place.write_text("{}")
    with pytest.raises(HifiError, match="no search of this version: search again"):
        as_mixed.load(place)
