"""Records: statistics of known samples, and JSON that loses nothing and refuses what is wrong."""

import dataclasses
import json
from collections.abc import Callable
from contextlib import suppress
from math import comb, inf, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import record_json
from bench.records import (
    MAKES_NONE,
    NO_AUDIO,
    NOT_TAKEN,
    PERCENTILE_FLOORS,
    SCHEMA,
    Ceiling,
    ColdStart,
    GpuMoment,
    Machine,
    Measurement,
    OutputParity,
    Parity,
    Report,
    Result,
    Skipped,
    Workload,
)
from bench.render.formats import markdown_page
from bench.render.views.report import document
from bench.stopping import median_interval
from fakes import PARITY, WORKLOAD, fake_report, fake_result
from hifigan_ref.errors import HifiError


def measurement(*seconds: float, warm: bool = True, converged: bool = True) -> Measurement:
    return Measurement(seconds, 1.5, 12, warm, converged)


def test_statistics_of_a_known_sample() -> None:
    taken = measurement(4.0, 1.0, 10.0, 2.0, 3.0)
    assert taken.count == 5
    assert taken.median == 3.0
    assert taken.mad == 1.0  # of 2, 1, 0, 1, 7
    assert (taken.minimum, taken.maximum) == (1.0, 10.0)
    assert taken.variation == pytest.approx(sqrt(10) / 4)
    assert taken.seconds == (4.0, 1.0, 10.0, 2.0, 3.0), "raw samples keep their order"


def test_the_interval_is_that_of_the_stop_rule() -> None:
    seconds = tuple(np.random.default_rng(1).normal(1.0, 0.05, 40).tolist())
    taken = measurement(*seconds)
    assert taken.interval == median_interval(seconds)
    assert taken.interval[0] <= taken.median <= taken.interval[1]


@pytest.mark.parametrize("percent", PERCENTILE_FLOORS)
def test_a_percentile_needs_its_samples(percent: int) -> None:
    floor = PERCENTILE_FLOORS[percent]
    few = measurement(*range(1, floor)).percentile(percent)
    assert isinstance(few, Skipped)
    assert str(floor) in few.reason and str(floor - 1) in few.reason
    enough = measurement(*range(1, floor + 1)).percentile(percent)
    assert enough == pytest.approx(np.percentile(np.arange(1, floor + 1), percent))


@pytest.mark.parametrize("percent", PERCENTILE_FLOORS)
def test_floors_follow_from_99_percent_confidence(percent: int) -> None:
    def chance_of_one_over_at_most(count: int) -> float:
        below = percent / 100
        return sum(comb(count, k) * (1 - below) ** k * below ** (count - k) for k in (0, 1))

    floor = PERCENTILE_FLOORS[percent]
    assert chance_of_one_over_at_most(floor) <= 0.01 < chance_of_one_over_at_most(floor - 1)


@pytest.mark.parametrize(
    ("warm", "converged", "states"),
    [
        (True, True, ()),
        (False, True, ("not warm",)),
        (True, False, ("unconverged",)),
        (False, False, ("not warm", "unconverged")),
    ],
)
def test_states_say_what_to_distrust(warm: bool, converged: bool, states: tuple[str, ...]) -> None:
    assert measurement(1.0, warm=warm, converged=converged).states == states


def test_a_throttled_gpu_is_a_state_and_a_fixed_clock_is_none() -> None:
    def states(*reasons: tuple[str, ...]) -> tuple[str, ...]:
        gpu = tuple(GpuMoment(1980, 2619, each, 300.0, 60, 0) for each in reasons)
        return dataclasses.replace(measurement(1.0, warm=False), gpu=gpu).states

    cap, heat = "software power cap", "hardware thermal slowdown"
    assert states((), ()) == states((), ("applications clocks setting",)) == ("not warm",)
    assert states((cap,), (), (heat, cap)) == ("not warm", f"throttled: {cap} and {heat}")


def with_snrs(*snrs: float) -> Parity:
    outputs = [OutputParity(f"o{i}", snr, 0, 0, 1, 120, (1,)) for i, snr in enumerate(snrs)]
    return Parity(100.0, tuple(outputs))


def test_parity_passes_when_every_output_is_within_the_budget() -> None:
    assert with_snrs(inf, 100.0).passed
    assert not with_snrs(120.0, 99.999).passed
    assert not with_snrs(120.0, -inf).passed
    assert not with_snrs(float("nan")).passed
    assert with_snrs(120.0, 101.0, inf).worst.name == "o1"


def test_speeds_are_said_in_the_fields_units() -> None:
    result = fake_result(seconds=(0.4, 0.5, 0.6))
    assert result.gflop_per_second == pytest.approx(8.0)  # 4 GFLOP in half a second
    assert result.audio_seconds_per_second == pytest.approx(2.0)  # 2 x 11025 samples in 0.5 s
    assert result.real_time_factor == pytest.approx(0.5)
    timeless = dataclasses.replace(WORKLOAD, audio_seconds=None)
    assert dataclasses.replace(result, workload=timeless).real_time_factor == NO_AUDIO
    assert dataclasses.replace(result, workload=timeless).audio_seconds_per_second == NO_AUDIO


def test_a_row_without_times_has_no_speed_but_the_reason() -> None:
    result = fake_result(seconds=Skipped("no runtime"))
    assert result.gflop_per_second == Skipped("no runtime")
    assert result.audio_seconds_per_second == Skipped("no runtime")


def test_the_time_to_first_audio_is_cold_with_loading_and_warm_at_the_median() -> None:
    cold = ColdStart(imported=7.0, prepared=2.0, first_call=1.5)
    result = dataclasses.replace(fake_result(), cold_start=cold)
    assert result.first_audio_cold == result.first_audio_warm == MAKES_NONE
    vocoder = dataclasses.replace(WORKLOAD, makes_audio=True)
    made = dataclasses.replace(result, workload=vocoder)
    assert (made.first_audio_cold, made.first_audio_warm) == (3.5, 0.5)
    gone = fake_result("gone", Skipped("no runtime"), workload=vocoder)
    assert gone.first_audio_cold == NOT_TAKEN
    assert gone.first_audio_warm == gone.real_time_factor == Skipped("no runtime")


def test_records_are_frozen() -> None:
    for record in (fake_report(), fake_result(), WORKLOAD, PARITY, measurement(1.0), Skipped("")):
        name = dataclasses.fields(record)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, None)


# JSON

numbers = st.floats(allow_nan=False, allow_infinity=False)
decibels = st.floats(allow_nan=False)  # with both infinities
counts = st.integers(0, 2**63)
skipped = st.builds(Skipped, st.text())
workloads = st.builds(
    Workload,
    sizes=st.dictionaries(st.text(), counts, max_size=3),
    audio_seconds=st.none() | st.floats(0, 1e6),
)
output_parities = st.builds(
    OutputParity,
    name=st.text(),
    snr_db=st.sampled_from((inf, -inf)) | decibels,
    max_abs=decibels,
    max_relative=decibels,
    cosine=decibels,
    torch_snr_db=st.sampled_from((inf, -inf)) | decibels,
    shape=st.lists(counts, max_size=4).map(tuple),
)
parities = st.builds(
    Parity, budget_db=decibels, outputs=st.lists(output_parities, min_size=1, max_size=3).map(tuple)
)
measurements = st.builds(
    Measurement,
    seconds=st.lists(st.floats(1e-9, 1e6), min_size=1, max_size=5).map(tuple),
    warmup_seconds=st.floats(0, 1e6),
    warmup_calls=st.integers(0),
    warm=st.booleans(),
    converged=st.booleans(),
)
texts = st.dictionaries(st.text(), st.text(), max_size=3)
results = st.builds(
    Result,
    backend=st.text(),
    workload=workloads,
    prepare_seconds=st.floats(0, 1e6) | skipped,
    parity=parities | skipped,
    measurement=measurements | skipped,
    settings=texts,
    flops=counts,
)
reports = st.builds(
    Report,
    schema=st.just(SCHEMA),
    machine=st.builds(Machine, load=st.floats(0, 1e3), versions=texts),
    ceiling=st.builds(Ceiling, gflop_per_second=st.floats(1e-3, 1e9)),
    sample_rate=st.integers(1, 10**6),
    notes=st.lists(st.text(), max_size=2).map(tuple),
    results=st.lists(results, max_size=3).map(tuple),
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports") / "report.json"


@settings(deadline=None, max_examples=100)
@given(report=reports)
def test_json_loses_nothing(scratch: Path, report: Report) -> None:
    content = record_json.dump(report)
    scratch.write_bytes(content)
    again = record_json.report_at(scratch)
    assert again == report
    assert record_json.dump(again) == content
    json.loads(content, parse_constant=_refuse)  # strict JSON has no infinity


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize("snr", [inf, -inf])
def test_json_keeps_infinite_ratios(scratch: Path, snr: float) -> None:
    report = fake_report(fake_result(parity=with_snrs(snr)))
    scratch.write_bytes(record_json.dump(report))
    found = record_json.report_at(scratch).results[0].parity
    assert isinstance(found, Parity)
    assert found.outputs[0].snr_db == snr


def test_json_keeps_errors_that_are_not_numbers(scratch: Path) -> None:
    nan = float("nan")
    bad = Parity(100.0, (OutputParity("score", -inf, nan, nan, nan, 120.0, (1,)),))
    content = record_json.dump(fake_report(fake_result(parity=bad)))
    scratch.write_bytes(content)
    assert record_json.dump(record_json.report_at(scratch)) == content


def test_a_report_that_went_through_an_editor_opens(scratch: Path) -> None:
    content = record_json.dump(fake_report(fake_result())).decode()
    scratch.write_text(content, encoding="utf-8-sig")
    assert record_json.dump(record_json.report_at(scratch)).decode() == content
    scratch.write_text(content, encoding="utf-16")
    assert "it is text in UTF-16: save it as UTF-8" in refusal(scratch)


def refusal(path: Path) -> str:
    with pytest.raises(HifiError) as caught:
        record_json.report_at(path)
    told = str(caught.value)
    assert "\n" not in told
    assert str(path) in told
    return told


def sample() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(record_json.dump(fake_report(fake_result())))
    return content


def test_no_report_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "report.json")
    assert "directory" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"[]", b"null", b"{}", b"<html>"])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    refusal(path)


Edit = Callable[[dict[str, Any]], object]

MEANINGLESS: dict[str, Edit] = {
    "results gone": lambda r: r.pop("results"),
    "results are text": lambda r: r.update(results="none"),
    "a field gone": lambda r: r["results"][0]["workload"].pop("sizes"),
    "a number as text": lambda r: r["results"][0].update(flops="many"),
    "an unknown view": lambda r: r["results"][0]["workload"].update(views=["some"]),
    "another clock": lambda r: r["results"][0]["measurement"].update(clock="sundial"),
    "a hole without a reason": lambda r: r["results"][0].update(measurement=None),
}


@pytest.mark.parametrize("edit", MEANINGLESS.values(), ids=MEANINGLESS.keys())
def test_an_edited_report_is_refused(tmp_path: Path, edit: Edit) -> None:
    path = tmp_path / "report.json"
    content = sample()
    edit(content)
    path.write_text(json.dumps(content))
    refusal(path)


IMPOSSIBLE: dict[str, Edit] = {
    "no samples": lambda r: r["results"][0]["measurement"].update(seconds=[]),
    "a pass in no time": lambda r: r["results"][0]["measurement"].update(seconds=[0.0] * 4),
    "parity of nothing": lambda r: r["results"][0]["parity"].update(outputs=[]),
    "a ceiling of nothing": lambda r: r["ceiling"].update(gflop_per_second=0),
    "waveforms without a rate": lambda r: r.update(sample_rate=0),
}


@pytest.mark.parametrize("edit", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_an_impossible_report_is_refused_or_rendered(tmp_path: Path, edit: Edit) -> None:
    path = tmp_path / "report.json"
    content = sample()
    edit(content)
    path.write_text(json.dumps(content))
    report = None
    with suppress(HifiError):
        report = record_json.report_at(path)
    if report is not None:
        markdown_page.dump(document(report))
