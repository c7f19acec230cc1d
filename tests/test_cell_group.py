"""Cells side by side: rounds, what ends a cell, and what an interruption leaves."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bench.cell.group import Partial, Phase, Step, measure_group
from bench.cell.job import Command, Failed, Finished, Job, Prepared, Reply, Sampled, WarmedUp
from bench.hardware import Others
from bench.machine import busy
from bench.machine.busy import Moment
from bench.records import (
    Claim,
    ColdStart,
    GpuMoment,
    Layer,
    Measurement,
    OutputParity,
    Parity,
    Result,
    Skipped,
)
from bench.stopping import Limits
from export.request import ExportRequest
from fakes import PARITY, WORKLOAD
from hifigan_ref.variant import Variant

LIMITS = Limits(1.0, 3.0, 10.0)
GPU = Claim("provider", "a GPU", "a GPU", holds=True)
FALLEN_BACK = Claim("provider", "a GPU", "the CPU", holds=False)
BAD = Parity(100.0, (OutputParity("score", 60.0, 1.0, 1.0, 1.0, 120.0, (1,)),))
HOST = Skipped("runs on the host")
LAYERS = (Layer("conv", "Conv", 4 * 10**9, 1000), Layer("pool", "AveragePool", 0, 500))
PREPARED = Prepared(ColdStart(1.0, 2.0, 0.5), {"threads": "1"}, (GPU,), PARITY)
FINISHED = Finished(PARITY, 10, (), (0.5,) * 8, (), (0.25,) * 8, 123, HOST, HOST, LAYERS)


def job(name: str) -> Job:
    request = ExportRequest(Variant("mpd", "11"))
    return Job(name, WORKLOAD, request, Path("a"), Path("b"), None, 0, 4 * 10**9, LAYERS, LIMITS)


@dataclass
class FakeLane:
    """Answers as it was told; remembers what it was asked.

    Attributes:
        log: shared by all: who was asked what.
        name: its backend.
        answers: instead of the usual ones, by command.
        latency: of every call.
    """

    log: list[tuple[str, str]]
    name: str
    answers: dict[str, Reply | BaseException] = field(default_factory=dict)
    latency: Callable[[int], float] = lambda _: 0.5
    rounds: int = 0

    def ask(self, command: Command) -> Reply:
        self.log.append((self.name, command.name))
        answer = self.answers.get(command.name)
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            return answer
        if command.name == "sample":
            self.rounds += 1
            count = max(1, round(command.seconds / 0.1))
            return Sampled(tuple(self.latency(i) for i in range(count)))
        usual: dict[str, Reply] = {
            "prepare": PREPARED,
            "warm_up": WarmedUp(1.5, 12, warm=True),
            "finish": FINISHED,
        }
        return usual[command.name]

    def close(self) -> None:
        self.log.append((self.name, "close"))


class Group:
    """A group of fakes, run to its end."""

    def __init__(self, rounds: int = 5, **lanes: dict[str, object]) -> None:
        self.log: list[tuple[str, str]] = []
        self.rounds = rounds
        self.lanes = {
            name: FakeLane(self.log, name, **given)  # type: ignore[arg-type]
            for name, given in lanes.items()
        }

    def steps(self, seed: int = 0) -> list[Step]:
        found: list[Step] = []
        jobs = [job(name) for name in self.lanes]
        group = measure_group(
            jobs, lambda job: self.lanes[job.backend], self.rounds, random.Random(seed)
        )
        try:
            found.extend(group)
        except KeyboardInterrupt:
            self.interrupted = True
        return found

    def rows(self) -> dict[str, Result]:
        return {step.backend: step for step in self.steps() if isinstance(step, Result)}

    def asked(self, name: str) -> list[str]:
        return [what for who, what in self.log if who == name]


def test_a_cell_goes_all_the_way() -> None:
    group = Group(one={})
    (row,) = group.rows().values()
    assert group.asked("one") == ["prepare", "warm_up", *["sample"] * 5, "finish", "close"]
    assert isinstance(row.measurement, Measurement)
    assert row.measurement.rounds == (6,) * 5
    assert row.measurement.seconds == (0.5,) * 30
    assert (row.measurement.warmup_seconds, row.measurement.warmup_calls) == (1.5, 12)
    assert row.measurement.converged and row.measurement.warm
    assert (row.cold_start, row.prepare_seconds) == (PREPARED.cold_start, 2.5)
    assert (row.checked, row.peak_memory_bytes, row.repeat_gain) == (10, 123, 2.0)
    assert (row.layers, row.bytes_moved, row.flops) == (LAYERS, 1500, 4 * 10**9)
    assert isinstance(row.end_to_end, Measurement) and row.end_to_end.clock == "end-to-end"
    assert isinstance(row.device, Skipped) and isinstance(row.throughput, Skipped)


def test_a_row_tells_what_others_took_while_it_was_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks others take 1.5 CPUs; nobody looks while a cell is prepared."""
    looks: list[str] = []
    group = Group(rounds=3, one={}, two={"answers": {"finish": KeyboardInterrupt()}})

    def moment() -> Moment:
        looks.append(group.log[-1][1])
        return Moment(len(looks) / 2, len(looks) * 1.25, len(looks) * 0.5)

    monkeypatch.setattr(busy, "moment", moment)
    monkeypatch.setattr(busy, "cpus_and_cores", lambda: (4, 2))
    steps = group.steps()
    (row,) = (step for step in steps if isinstance(step, Result))
    (unfinished,) = (step.result for step in steps if isinstance(step, Partial))
    assert row.others == unfinished.others == Others(1.5, 4, 1.0), "one of two cores is ours"
    assert len(looks) == 2 * 2 * len(["warm up", *["round"] * 3, "finish"])
    assert [looks[number] for number in (0, 1, 2)] == ["prepare", "warm_up", "prepare"]


def test_what_the_gpu_was_is_told_with_the_samples_of_its_clock() -> None:
    hot = GpuMoment(1500, 2619, ("software power cap",), 700.0, 80, 0)
    cool, silent = replace(hot, throttle_reasons=()), Skipped("no NVIDIA driver answers")
    finished = replace(FINISHED, device=(0.5,) * 8, throughput=(0.5,) * 8)
    finished = replace(finished, gpu={"end-to-end": silent, "device": hot, "throughput": cool})
    lane = Group(rounds=3, one={"answers": {"finish": finished}})
    told = iter((cool, silent, hot))
    usual = lane.lanes["one"].ask

    def ask(command: Command) -> Reply:
        reply = usual(command)
        return replace(reply, gpu=next(told)) if isinstance(reply, Sampled) else reply

    lane.lanes["one"].ask = ask  # type: ignore[method-assign]
    row = lane.rows()["one"]
    found = [row.measurement, row.device, row.end_to_end, row.throughput]
    assert all(isinstance(each, Measurement) for each in found)
    gpus = [each.gpu for each in found if isinstance(each, Measurement)]
    assert gpus == [(cool, hot), (hot,), silent, (cool,)]
    states = [each.states for each in found if isinstance(each, Measurement)]
    assert states == [("throttled: software power cap",)] * 2 + [()] * 2


def test_cells_take_turns_at_random_in_every_round() -> None:
    group = Group(a={}, b={}, c={})
    group.steps()
    sampled = [who for who, what in group.log if what == "sample"]
    rounds = [sampled[i : i + 3] for i in range(0, 15, 3)]
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert len({tuple(each) for each in rounds}) > 1, "not always the same order"
    again = Group(a={}, b={}, c={})
    again.steps()
    assert again.log == group.log, "the same seed draws the same order"


def test_all_are_prepared_before_the_first_is_sampled() -> None:
    group = Group(a={}, b={})
    group.steps()
    first = group.log.index(("a", "sample"))
    assert first > group.log.index(("b", "warm_up"))


def test_an_unsettled_cell_gets_more_rounds_until_its_time_is_over() -> None:
    group = Group(noisy={"latency": lambda i: 0.5 if i % 2 else 0.125}, quiet={})
    rows = group.rows()
    noisy, quiet = rows["noisy"].measurement, rows["quiet"].measurement
    assert isinstance(noisy, Measurement) and isinstance(quiet, Measurement)
    assert quiet.converged and len(quiet.rounds) == 5
    assert not noisy.converged and len(noisy.rounds) > 5
    assert LIMITS.most <= sum(noisy.seconds) < LIMITS.most + 3


@pytest.mark.parametrize("command", ["prepare", "warm_up", "sample", "finish"])
def test_a_cell_that_fails_is_a_row_and_the_others_go_on(command: str) -> None:
    failure = Failed("its process was ended by SIGSEGV: it said nothing")
    group = Group(bad={"answers": {command: failure}}, good={})
    rows = group.rows()
    assert rows["bad"].measurement == Skipped(failure.reason)
    assert group.asked("bad")[-2:] == [command, "close"]
    assert isinstance(rows["good"].measurement, Measurement)
    assert group.asked("good").count("sample") == 5


def test_a_broken_claim_is_invalid_and_never_timed() -> None:
    broken = replace(PREPARED, proof=(GPU, FALLEN_BACK))
    group = Group(bad={"answers": {"prepare": broken}})
    row = group.rows()["bad"]
    assert row.measurement == Skipped("INVALID: provider: asked for a GPU, found the CPU")
    assert (row.proof, row.parity) == ((GPU, FALLEN_BACK), PARITY)
    assert group.asked("bad") == ["prepare", "close"]


def test_a_wrong_first_pass_is_never_timed() -> None:
    group = Group(bad={"answers": {"prepare": replace(PREPARED, parity=BAD)}})
    row = group.rows()["bad"]
    assert isinstance(row.measurement, Skipped)
    assert row.measurement.reason.startswith("parity failed: score has an SNR of 60.0 dB")
    assert group.asked("bad") == ["prepare", "close"]


def test_a_timed_pass_that_was_wrong_takes_the_speed_away() -> None:
    group = Group(bad={"answers": {"finish": replace(FINISHED, parity=BAD)}})
    row = group.rows()["bad"]
    assert isinstance(row.measurement, Skipped)
    assert row.measurement.reason.startswith("parity failed: score")
    assert row.parity == BAD


def test_an_interruption_tells_what_there_is_and_closes_everything() -> None:
    group = Group(a={}, b={})
    lane = group.lanes["b"]
    usual = lane.ask

    def interrupted(command: Command) -> Reply:
        if command.name == "sample" and lane.rounds == 2:
            raise KeyboardInterrupt
        return usual(command)

    lane.ask = interrupted  # type: ignore[method-assign]
    steps = group.steps()
    assert group.interrupted
    partial = {step.result.backend: step.result for step in steps if isinstance(step, Partial)}
    assert set(partial) == {"a", "b"}
    for row in partial.values():
        assert isinstance(row.measurement, Measurement)
        assert not row.measurement.converged, "it was not let finish"
        assert len(row.measurement.rounds) in (2, 3)
    assert not any(isinstance(step, Result) for step in steps)
    assert group.log[-2:] == [("a", "close"), ("b", "close")]


def test_an_interruption_before_any_sample_tells_nothing() -> None:
    group = Group(a={"answers": {"warm_up": KeyboardInterrupt()}})
    steps = group.steps()
    assert group.interrupted
    assert [type(step) for step in steps] == [Phase]
    assert group.log[-1] == ("a", "close")


def test_each_phase_is_told_before_it_begins() -> None:
    group = Group(rounds=2, a={})
    told = [step.label for step in group.steps() if isinstance(step, Phase)]
    assert told == [
        "mpd-11 x 2 on a: prepare and warm up",
        "mpd-11 x 2 on a: round 1 of 2",
        "mpd-11 x 2 on a: round 2 of 2",
        "mpd-11 x 2 on a: the other clocks",
    ]
