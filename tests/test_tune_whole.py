"""Winners on a whole graph: what does not make it faster does not stay."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from clockwork import Clockwork, Forms
from conftest import Given

from bench import backend
from bench.tune.trial import ROUNDS
from bench.tune.whole import CLEAR, GAIN, SURE_ROUNDS, Whole, improve
from bench.tuning_record import LayerTrials, Step
from export.cache import cached_export
from export.request import ExportRequest
from fakes import fake_trials
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

Plan = Mapping[str, str]
REQUEST = ExportRequest(Variant("mpd", "11"), sizes={"batch": 1, "samples": 512})


class Told(Whole):
    """Graphs that take as long as it is told, a plan at the end as many rounds as it is told."""

    def __init__(
        self, seconds: Callable[[Plan], float], at_the_end: tuple[float, ...] = (0.5,)
    ) -> None:
        self.seconds = seconds
        self.at_the_end = at_the_end
        self.asked: list[list[Plan]] = []

    def ratios(
        self, plans: Mapping[str, Plan], rounds: int = ROUNDS
    ) -> dict[str, tuple[float, ...]]:
        if rounds == SURE_ROUNDS:
            return dict(zip(plans, ((1.0,), self.at_the_end), strict=True))
        bare = {n: {k: v for k, v in plan.items() if v != "plain"} for n, plan in plans.items()}
        self.asked.append(list(bare.values()))
        taken = {name: self.seconds(plan) for name, plan in bare.items()}
        first = next(iter(taken.values()))
        return {name: (each / first,) for name, each in taken.items()}


def found(
    whole: Told, trials: Mapping[str, LayerTrials], floor_db: float = 108
) -> tuple[list[Step], dict[str, str]]:
    """Steps up to the one that judges the plan, and the plan."""
    *steps, plan = improve(whole, "mpd-11", trials, floor_db)
    assert isinstance(plan, dict)
    told = [step for step in steps if isinstance(step, Step)]
    assert len(told) == len(steps)
    if plan:
        assert told.pop() == Step("mpd-11", "", "plan", 0.5, kept=True)
    return told, plan


def test_where_no_form_wins_nothing_is_measured() -> None:
    trials = {"a": fake_trials("a", plain=0.5, wide=0.625), "b": fake_trials("b", plain=0.5)}
    whole = Told(lambda _: 1.0)
    assert found(whole, trials) == ([], {})
    assert whole.asked == []


def test_what_wins_alone_by_little_is_no_winner() -> None:
    near = 1 - CLEAR / 2
    assert found(Told(lambda _: 1.0), {"a": fake_trials("a", plain=1.0, wide=near)}) == ([], {})


def test_winners_that_make_the_graph_faster_stay() -> None:
    trials = {"a": fake_trials("a", plain=0.5, wide=0.25), "b": fake_trials("b", plain=0.5)}
    whole = Told(lambda plan: 1.0 - 0.25 * len(plan))
    steps, plan = found(whole, trials)
    assert plan == {"a": "wide"}
    assert steps[0] == Step("mpd-11", "", "winners", 0.75, kept=True)
    assert steps[1:] == [Step("mpd-11", "a", "plain", 1 / 0.75, kept=False)]
    assert whole.asked[0] == [{}, {"a": "wide"}]


def test_winners_that_slow_the_graph_go_and_each_may_come_back() -> None:
    trials = {
        "a": fake_trials("a", plain=0.5, wide=0.25),
        "b": fake_trials("b", plain=1.0, phase=0.5),
    }

    def seconds(plan: Plan) -> float:
        return 2.0 if "b" in plan else 0.5 if "a" in plan else 1.0

    steps, plan = found(Told(seconds), trials)
    assert plan == {"a": "wide"}
    assert steps[0] == Step("mpd-11", "", "winners", 2.0, kept=False)
    assert [(s.layer, s.form, s.kept) for s in steps[1:]] == [
        ("b", "phase", False),
        ("a", "wide", True),
    ]


def test_the_second_best_alone_may_be_the_best_in_the_graph() -> None:
    trials = {"a": fake_trials("a", plain=1.0, wide=0.5, phase=0.5625, rows=0.9375)}
    whole = Told(lambda plan: {"wide": 0.75, "phase": 0.5}.get(plan.get("a", ""), 1.0))
    steps, plan = found(whole, trials)
    assert plan == {"a": "phase"}
    assert {step.form for step in steps} == {"winners", "phase", "plain"}, "rows is far behind"
    assert whole.asked[-1] == [{"a": "wide"}, {"a": "phase"}], "what won is measured again"


def test_what_was_lucky_once_does_not_stay() -> None:
    trials = {"a": fake_trials("a", plain=1.0, wide=0.5, phase=0.5625)}
    # plain and the winners; the winners, phase and plain; the winners and phase again
    lucky = iter([1.0, 0.5, 0.5, 0.25, 2.0, 0.5, 0.5])
    steps, plan = found(Told(lambda _: next(lucky)), trials)
    assert plan == {"a": "wide"}
    assert [(s.form, s.ratio, s.kept) for s in steps[1:]] == [
        ("phase", 1.0, False),
        ("plain", 4.0, False),
    ]


def test_what_gains_too_little_does_not_stay() -> None:
    trials = {"a": fake_trials("a", plain=1.0, wide=0.5)}
    steps, plan = found(Told(lambda plan: 1 - GAIN / 2 if plan else 1.0), trials)
    assert plan == {} and not any(step.kept for step in steps)


def test_the_plain_form_may_come_back() -> None:
    trials = {
        "a": fake_trials("a", plain=1.0, wide=0.5),
        "b": fake_trials("b", plain=0.5, wide=0.25),
    }

    def seconds(plan: Plan) -> float:
        return {(): 2.0, ("a",): 0.5, ("a", "b"): 1.0, ("b",): 4.0}[tuple(sorted(plan))]

    steps, plan = found(Told(seconds), trials)
    assert plan == {"a": "wide"}
    assert steps[-1] == Step("mpd-11", "b", "plain", 0.5, kept=True)


def test_layers_go_by_their_length_and_small_ones_are_left() -> None:
    trials = {
        "small": fake_trials("small", plain=0.01, wide=0.005),
        "short": fake_trials("short", plain=0.25, wide=0.125),
        "long": fake_trials("long", plain=0.75, wide=0.5),
    }
    steps, plan = found(Told(lambda plan: 1 - 0.25 * len(plan)), trials)
    assert [step.layer for step in steps] == ["", "long", "short"]
    assert plan == dict.fromkeys(trials, "wide"), "as its trial says"


def test_forms_that_fail_or_are_not_exact_never_win() -> None:
    trials = {"a": fake_trials("a", plain=1.0, wide=0.5, phase="it failed")}
    whole = Told(lambda _: 1.0)
    assert found(whole, trials, floor_db=121) == ([], {}) and whole.asked == []
    steps, plan = found(Told(lambda plan: np.inf if plan else 1.0), trials)
    assert plan == {} and steps[0].ratio == np.inf and not steps[0].kept


@pytest.mark.parametrize(
    ("rounds", "kept"),
    [
        ((0.9, 0.91, 0.92, 0.93, 0.94) * 5, True),
        ((0.9, 0.95, 0.98, 1.03, 1.1) * 5, False),
        ((np.inf,), False),
    ],
    ids=["faster", "lucky", "failed"],
)
def test_a_plan_that_is_not_surely_faster_in_the_end_goes(
    rounds: tuple[float, ...], kept: bool
) -> None:
    trials = {"a": fake_trials("a", plain=1.0, wide=0.5)}
    whole = Told(lambda plan: 0.5 if plan else 1.0, rounds)
    *_, last, plan = improve(whole, "mpd-11", trials, 108)
    assert last == Step("mpd-11", "", "plan", np.median(rounds), kept)
    assert plan == ({"a": "wide"} if kept else {})


def test_a_layer_that_starts_in_phases_stays_so_in_the_plan() -> None:
    trials = {
        "up": fake_trials("up", polyphase=1.0, plain=2.0),
        "a": fake_trials("a", plain=1.0, wide=0.5),
    }
    whole = Told(lambda plan: 0.5 if "a" in plan else 1.0)
    _, plan = found(whole, trials)
    assert plan == {"up": "polyphase", "a": "wide"}
    assert whole.asked[0] == [{"up": "polyphase"}, plan]
    nothing = {"up": trials["up"]}
    assert found_alone(nothing) == {"up": "polyphase"}


def test_such_a_layer_may_be_written_plainly_where_that_is_faster() -> None:
    trials = {"up": fake_trials("up", polyphase=1.0, plain=0.5)}
    assert found_alone(trials) == {"up": "plain"}
    near = {"up": fake_trials("up", polyphase=1.0, plain=0.99)}
    late = Told(lambda plan: (1.0 if "up" in plan else 0.5) * (0.5 if "a" in plan else 1.0))
    both = {**near, "a": fake_trials("a", plain=1.0, wide=0.5)}
    assert list(improve(late, "mpd-11", both, 108))[-1] == {"up": "plain", "a": "wide"}
    slower = Told(lambda plan: 0.5 if plan else 1.0)
    assert list(improve(slower, "mpd-11", trials, 108))[-1] == {"up": "polyphase"}


def test_a_plan_that_goes_leaves_what_it_started_from() -> None:
    trials = {
        "up": fake_trials("up", polyphase=1.0, plain=2.0),
        "a": fake_trials("a", plain=1.0, wide=0.5),
    }
    whole = Told(lambda plan: 0.5 if "a" in plan else 1.0, at_the_end=(1.5,))
    assert list(improve(whole, "mpd-11", trials, 108))[-1] == {"up": "polyphase"}


def found_alone(trials: Mapping[str, LayerTrials]) -> Plan:
    """The plan where a graph takes as long as its layers do."""

    def seconds(plan: Plan) -> float:
        return sum(each.trial(plan.get(name, "plain")).median for name, each in trials.items())

    *_, plan = improve(Told(seconds), "mpd-11", trials, 108)
    assert isinstance(plan, dict)
    return plan


# in a runtime


@pytest.fixture(scope="module")
def member(mpd_11: Trained) -> Callable[[Clockwork], Whole]:
    weights = Given(mpd_11)
    file = cached_export(REQUEST, weights.identity, weights.build)

    def make(runtime: Clockwork) -> Whole:
        return Whole(runtime.bench(), REQUEST, ir.load(file.path), file)

    return make


def seconds(forms: Forms) -> float:
    if forms["convs.3"] == "rows" or forms["convs.2"] == "phase":
        raise OSError("no\nkernel")
    told = {"plain": 0.25, "columns": 0.125, "columns+fir-2-2": 0.0625}
    return sum(told[form] for form in forms.values())


def test_plans_are_timed_beside_the_first(
    member: Callable[[Clockwork], Whole], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runtime = Clockwork(seconds)
    monkeypatch.setattr(backend, "backends", runtime.backends)
    columns = {"mpd_11.convs.1": "columns"}
    ratios = member(runtime).ratios(
        {
            "plain": {},
            "one": columns,
            "two": {**columns, "mpd_11.convs.0": "columns+fir-2-2"},
            "refused": {"mpd_11.convs.4": "phase"},
            "fails": {"mpd_11.convs.2": "phase"},
            "others": {"mpd_7.convs.2": "phase"},
        }
    )
    assert ratios == {
        "plain": (1.0,) * ROUNDS,
        "one": (1.375 / 1.5,) * ROUNDS,
        "two": (1.1875 / 1.5,) * ROUNDS,
        "refused": (np.inf,),
        "fails": (np.inf,),
        "others": (1.0,) * ROUNDS,
    }
    assert runtime.closed == 4 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", ["load", "run", "wait"])
def test_a_plan_that_fails_while_it_runs_is_none(
    member: Callable[[Clockwork], Whole], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    runtime = Clockwork(seconds, fails_in={"columns": method})
    monkeypatch.setattr(backend, "backends", runtime.backends)
    ratios = member(runtime).ratios({"": {}, "first": {"mpd_11.convs.0": "columns"}})
    assert ratios == {"": (1.0,) * ROUNDS, "first": (np.inf,)}


def test_a_plain_graph_that_fails_fails(
    member: Callable[[Clockwork], Whole], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Clockwork(seconds, fails_in={"plain": "run"})
    monkeypatch.setattr(backend, "backends", runtime.backends)
    with pytest.raises(RuntimeError, match="run fails"):
        member(runtime).ratios({"": {}, "first": {"mpd_11.convs.0": "columns"}})
    assert runtime.closed == 1


def test_it_has_the_machine_to_itself(
    member: Callable[[Clockwork], Whole], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    @contextmanager
    def turn() -> Iterator[None]:
        held.append(True)
        yield
        held[-1] = False

    def told(forms: Forms) -> float:
        assert held == [True]
        return seconds(forms)

    monkeypatch.setattr("bench.tune.whole.turn", turn)
    runtime = Clockwork(told)
    monkeypatch.setattr(backend, "backends", runtime.backends)
    assert member(runtime).ratios({"": {}}, rounds=2) == {"": (1.0, 1.0)} and held == [False]
