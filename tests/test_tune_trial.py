"""Forms side by side: all are tried, the near ones race, whatever fails has a reason."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from clockwork import Clockwork, Forms
from numpy.typing import NDArray

from bench import backend
from bench.geometry import Geometry
from bench.hole import Skipped
from bench.timing import measure
from bench.tune import layer_file
from bench.tune import trial as trials
from bench.tune.trial import LEAST_CALLS, ROUNDS, Racer, race, try_forms
from bench.tuning_record import LayerTrials, Trial
from export.lowering.rule import parse_form
from fakes import FakeSession, TickingClock
from hifigan_ref.errors import HifiError

LAYER = Geometry((2, 8, 40), (8, 8), (5,), (2,), (1,), (2,), (2,), 2, 0.1)
POOL = [{"y": np.zeros((1, 1, 4), np.float32)}]
FORMS = ["plain", "wide", "phase", "phase+wide", "merge-2", "rows", "fir-2-2"]
TIMES = {"plain": 0.5, "wide": 0.25, "phase": 0.625, "phase+wide": 0.3125, "merge-2": 0.375}


def seconds(forms: Forms) -> float:
    (form,) = forms.values()
    return TIMES.get(form, 1.0)


def tried(
    runtime: Clockwork,
    monkeypatch: pytest.MonkeyPatch,
    peak: float = np.inf,
    floor_db: float = 108.0,
    forms: list[str] = FORMS,
) -> LayerTrials:
    monkeypatch.setattr(backend, "backends", runtime.backends)
    given = [parse_form(form) for form in forms]
    return try_forms(runtime.bench(peak, floor_db), LAYER, ("a", "b"), given)


def test_every_form_that_applies_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Clockwork(seconds)
    found = tried(runtime, monkeypatch)
    assert found.names == ("a", "b") and found.geometry == str(LAYER)
    forms = [each.form for each in found.trials]
    assert forms == ["plain", "wide", "phase", "phase+wide", "merge-2", "fir-2-2"], "rows: refused"
    assert [next(iter(each.values())) for each in runtime.opened] == forms
    assert {each.form: each.median for each in found.trials} == {**TIMES, "fir-2-2": 1.0}
    assert all(isinstance(t.snr_db, float) and t.snr_db >= 110 for t in found.trials)
    assert found.plain.flops == 2 * 2 * 8 * 20 * 4 * 5
    assert found.trial("merge-2").flops == 2 * found.plain.flops
    assert found.contenders(108)[0].form == "wide"


def test_only_the_near_ones_and_the_plain_one_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tried(Clockwork(seconds), monkeypatch)
    rounds = {each.form: len(each.seconds) for each in found.trials}
    near = {"plain", "wide", "phase+wide"}  # 0.3125 is 1.25 times the best
    assert rounds == {form: ROUNDS if form in near else 1 for form in rounds}


def test_what_the_peak_rules_out_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Clockwork(seconds)
    flops = 2 * 2 * 8 * 20 * 4 * 5
    found = tried(runtime, monkeypatch, peak=flops / 0.2)  # merged: 0.4 s / 1.25 > 0.25 s
    assert found.trial("merge-2").seconds == ()
    reason = found.trial("merge-2").snr_db
    assert isinstance(reason, Skipped) and reason.reason.startswith("not timed: at the machine's")
    assert {"conv": "merge-2"} not in runtime.opened
    assert found.trial("merge-2").median == np.inf


def test_the_plain_form_runs_whatever_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tried(Clockwork(seconds), monkeypatch, peak=1e-9)
    assert found.plain.median == 0.5
    assert [each.form for each in found.trials if each.seconds] == ["plain"]


@pytest.mark.parametrize("method", ["load", "run", "wait", "outputs"])
def test_a_runtime_that_fails_at_a_form_is_its_reason(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    runtime = Clockwork(seconds, fails_in={"wide": method})
    found = tried(runtime, monkeypatch)
    assert found.trial("wide").snr_db == Skipped(f"RuntimeError: {method} fails; as it was told")
    assert found.trial("wide").seconds == ()
    assert found.contenders(108)[0].form == "phase+wide"
    opened = 5 if method == "load" else 6  # what was not opened needs no closing
    assert runtime.closed == opened


def test_a_runtime_that_fails_at_the_plain_form_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Clockwork(seconds, fails_in={"plain": "wait"})
    with pytest.raises(RuntimeError, match="wait fails"):
        tried(runtime, monkeypatch)
    assert runtime.closed == len(runtime.opened) == 1


def test_the_first_form_takes_the_place_of_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Clockwork(seconds, fails_in={"plain": "load"})
    found = tried(runtime, monkeypatch, peak=1e-9, forms=["phase", "plain", "wide"])
    assert found.plain.form == "phase" and found.plain.median == 0.625
    assert [each.form for each in found.trials if each.seconds] == ["phase"]
    found = tried(runtime, monkeypatch, forms=["phase", "plain", "wide"])
    assert found.trial("plain").snr_db == Skipped("RuntimeError: load fails; as it was told")
    with pytest.raises(RuntimeError, match="load fails"):
        tried(Clockwork(seconds, fails_in={"phase": "load"}), monkeypatch, forms=["phase", "plain"])


def test_a_wrong_form_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the fastest by far; the others race, and are pruned, as if it were not there."""
    times = {**TIMES, "fir-2-2": 0.0625}
    runtime = Clockwork(lambda forms: times[forms["conv"]], wrong={"fir-2-2": 1.001})
    forms = ["plain", "fir-2-2", *FORMS[1:-1]]
    found = tried(runtime, monkeypatch, forms=forms, peak=2 * 2 * 8 * 20 * 4 * 5 / 0.2)
    wrong = found.trial("fir-2-2")
    assert wrong.snr_db == pytest.approx(60, abs=0.1)
    assert wrong.seconds == (0.0625,)
    assert len(found.trial("wide").seconds) == len(found.trial("phase+wide").seconds) == ROUNDS
    assert [each.form for each in found.contenders(108)][:2] == ["wide", "phase+wide"]
    loose = tried(runtime, monkeypatch, forms=forms, floor_db=50)
    assert len(loose.trial("fir-2-2").seconds) == ROUNDS
    assert len(loose.trial("wide").seconds) == 1


def test_an_output_of_another_shape_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def exact(geometry: Geometry, noise: NDArray[np.float32]) -> NDArray[np.float64]:
        return layer_file.exact(geometry, noise)[..., :-1]

    monkeypatch.setattr("bench.tune.trial.exact", exact)
    found = tried(Clockwork(seconds), monkeypatch)
    assert {each.snr_db for each in found.trials} == {-np.inf}
    assert [each.form for each in found.contenders(108)] == ["plain"]


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runtime = Clockwork(seconds, fails_in={"wide": "run"})
    tried(runtime, monkeypatch)
    assert runtime.closed == len(runtime.opened) == 6
    assert list(tmp_path.iterdir()) == []


def test_it_has_the_machine_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []

    @contextmanager
    def turn() -> Iterator[None]:
        held.append(True)
        yield
        held[-1] = False

    def told(forms: Forms) -> float:
        assert held == [True]
        return seconds(forms)

    monkeypatch.setattr(trials, "turn", turn)
    tried(Clockwork(told), monkeypatch)
    assert held == [False]


# rounds


def racer_of(clock: TickingClock, *lengths: float) -> Racer[str]:
    return Racer("", FakeSession(clock=clock, lengths=lengths), POOL, clock)


def test_a_round_is_the_median_of_its_calls_without_the_cold_one() -> None:
    clock = TickingClock()
    racer = racer_of(clock, 8.0, 0.5, 0.25, 0.5, *[4.0] * 9)
    racer.round()
    assert racer.rounds == [0.5] and clock.now == 9.25, "a slow form has its least calls"
    assert LEAST_CALLS == 3


def test_a_round_of_short_calls_lasts_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "SECONDS", 0.0625)
    clock = TickingClock()
    short = 0.0625 / 16
    racer = racer_of(clock, *[short] * 17)
    racer.round()
    assert racer.rounds == [short]
    with pytest.raises(StopIteration):
        racer.round()


def test_a_device_is_timed_by_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        def __init__(self, stream: int) -> None:
            assert stream == 77

        def __call__(self, session: FakeSession) -> float:
            session.run()
            session.wait()
            return 0.125

    monkeypatch.setattr(measure, "DeviceClock", Device)
    clock = TickingClock()
    session = FakeSession(clock=clock, lengths=[1.0] * 4)
    session.stream = 77
    racer = Racer("", session, POOL, clock)
    racer.round()
    assert racer.rounds == [0.125] and clock.now == 4.0


class Shuffle:
    """Turns the order around."""

    def shuffle(self, racers: list[object]) -> None:
        racers.reverse()


def test_rounds_are_in_another_order_each_time() -> None:
    log: list[str] = []

    class Logged(FakeSession):
        def __init__(self, name: str, seconds: float) -> None:
            super().__init__(clock=clock, lengths=iter([seconds] * 99))
            self.name = name

        def run(self) -> None:
            super().run()
            if log[-1:] != [self.name]:
                log.append(self.name)

    clock = TickingClock()
    times: Mapping[str, float] = {"plain": 2.0, "b": 1.0, "c": 1.25, "far": 1.5}
    racers = [Racer(name, Logged(name, each), POOL, clock) for name, each in times.items()]
    for racer in racers:
        racer.round()
    race(racers, Shuffle(), rounds=3)  # type: ignore[arg-type]
    assert log == ["plain", "b", "c", "far", "c", "b", "plain", "b", "c"]
    assert [len(racer.rounds) for racer in racers] == [3, 3, 3, 1]


def test_contenders_ran_and_are_exact_enough() -> None:
    layer = LayerTrials(
        ("a",),
        "",
        (
            Trial("plain", 1, 1, (0.5, 0.5), 90.0),
            Trial("wide", 1, 1, (0.25, 0.5, 0.75), 110.0),
            Trial("phase", 1, 1, (0.125,), 107.9),
            Trial("rows", 1, 1, (), Skipped("it failed")),
            Trial("merge-2", 1, 1, (0.25,), 108.0),
            Trial("merge-4", 1, 1, (0.25,), float("nan")),
        ),
    )
    assert [t.form for t in layer.contenders(108)] == ["merge-2", "plain", "wide"]
    assert layer.contenders(np.inf) == (layer.plain,)


def test_a_layer_has_no_network() -> None:
    with pytest.raises(HifiError, match="a layer has no network"):
        trials._no_network()
