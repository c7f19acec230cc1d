"""What may be tuned, what is measured, and that nothing is measured twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cli
from bench import backend
from bench.backend import LOWERING
from bench.bar import Doing
from bench.exit_code import INTERRUPTED
from bench.geometry import Geometry
from bench.hardware import Ceiling
from bench.tune import search as searches
from bench.tune.search import Wish, search
from bench.tune.trial import Bench
from bench.tune.whole import Whole
from bench.tuning_record import LayerTrials, Step
from export import store
from export.lowering.rule import Form, form_text
from fakes import FakeBackend, fake_report, fake_trials, run_main
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

PERIOD = Variant("mpd", "11")
MACHINE = fake_report().machine
LAYERS = [*(f"mpd_11.convs.{i}" for i in range(5)), "mpd_11.conv_post"]
WISH = partial(
    Wish,
    variants=(PERIOD,),
    sizes={"batch": 1, "samples": 256},
    views=(),
    threads=1,
    weights=Source(),
)


# what may be tuned


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("torch", "torch runs no exported file: tune one that does"),
        ("torch-folded", "torch-folded runs no exported file: tune one that does"),
        ("nope", "no backend 'nope': choose from torch"),
        ("ort-cpu:bogus=1", "ort-cpu has no option 'bogus'"),
        ("openvino:precision=int4", "'int4' is no value of openvino's precision"),
        ("openvino:precision=p.json", "in one precision for all layers: choose from fp32, bf16"),
        ("ort-cpu:lowering=none", "leave out lowering, which is what is looked for"),
        ("ort-cpu:lowering=plan.json", "leave out lowering, which is what is looked for"),
        ("openvino:precision=bf16,lowering=default", "leave out lowering"),
    ],
)
def test_what_cannot_be_tuned_is_refused(given: str, told: str) -> None:
    with pytest.raises(HifiError) as refused:
        WISH(given)
    assert told in str(refused.value)


def test_a_backend_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeBackend("absent", reason="pip install absent[gpu]", options=(LOWERING,))
    monkeypatch.setattr(backend, "backends", lambda: {"absent": fake})
    with pytest.raises(HifiError, match=r"^absent cannot run here: pip install absent\[gpu\]$"):
        WISH("absent")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sizes": {"batch": 0}}, "batch 0 is too small for mpd-11"),
        ({"sizes": {"samples": 5}}, "samples 5 is too small for mpd-11"),
        ({"threads": 0}, "0 threads: choose 1 to 1024"),
        ({"threads": 1025}, "1025 threads: choose 1 to 1024"),
        ({"variants": (Variant("mpd", "4"),)}, "period 4 is not in mpd"),
    ],
)
def test_values_out_of_range_are_refused(change: Mapping[str, Any], told: str) -> None:
    with pytest.raises(HifiError, match=told):
        WISH("ort-cpu", **change)


def test_the_precision_decides_how_exact_a_form_must_be() -> None:
    assert (WISH("ort-cpu").precision, WISH("ort-cpu").floor_db) == ("fp32", 108.0)
    half = WISH("openvino:precision=bf16")
    assert (half.precision, half.floor_db) == ("bf16", 46.0)
    eighth = WISH("openvino:precision=int8")
    assert (eighth.precision, eighth.floor_db) == ("int8", 28.0)


def test_members_of_networks_are_tuned_once() -> None:
    wish = WISH("ort-cpu", variants=(Variant("msd"), Variant("mpd", "3"), Variant("msd", "1")))
    assert list(map(str, wish.members)) == ["msd-0", "msd-1", "msd-2", "mpd-3"]
    request = wish.request(Variant("msd", "1"))
    assert (request.sizes, request.lowering.layers) == (wish.sizes, {})


# what is measured


@dataclass
class Lab:
    """Trials and whole graphs by a table; counts what was measured.

    Attributes:
        tried: names of the layers of each trial.
        asked: number of graphs beside the first of each comparison.
        stop_at: number of the trial at which Ctrl-C comes.
        stop_in_whole: whether it comes in the first comparison of graphs.
    """

    tried: list[tuple[str, ...]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    stop_at: int = 0
    stop_in_whole: bool = False

    def try_forms(
        self, bench: Bench, geometry: Geometry, names: tuple[str, ...], forms: Sequence[Form]
    ) -> LayerTrials:
        assert forms[0] == () and bench.floor_db == 108.0
        if len(self.tried) + 1 == self.stop_at:
            raise KeyboardInterrupt
        self.tried.append(names)
        return fake_trials(*names, problem=str(geometry), plain=0.5, columns=0.25, rows="no")

    def ratios(self, plans: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[float, ...]]:
        if self.stop_in_whole:
            raise KeyboardInterrupt
        self.asked.append(len(plans) - 1)
        first = next(iter(plans.values()))
        return {name: ((8 - len(plan)) / (8 - len(first)),) for name, plan in plans.items()}


@pytest.fixture
def lab(
    mpd_11: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Lab:
    found = Lab()
    monkeypatch.setattr(searches, "try_forms", found.try_forms)
    monkeypatch.setattr(Whole, "ratios", lambda _, plans, *_rounds: found.ratios(plans))
    monkeypatch.setattr(searches, "measure_ceilings", lambda _: (Ceiling(100.0, 64, 1),))
    monkeypatch.setattr(Source, "build", lambda *_: mpd_11)
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path_factory.mktemp("own")))
    return found


def steps_of(wish: Wish) -> tuple[list[LayerTrials], list[Step], dict[str, str]]:
    *found, plan = search(wish, MACHINE)
    assert isinstance(plan, dict)
    layers = [each for each in found if isinstance(each, LayerTrials)]
    return layers, [each for each in found if isinstance(each, Step)], plan


def test_every_layer_is_tried_and_the_graph_decides(lab: Lab) -> None:
    progress = list(search(WISH("ort-cpu"), MACHINE))
    assert progress[-1] == dict.fromkeys(LAYERS, "columns")
    assert lab.tried == [(name,) for name in LAYERS]
    doing = [each for each in progress if isinstance(each, Doing)]
    assert doing[0] == Doing("export", 0, 1)
    assert [each.done for each in doing[1:]] == list(range(7))
    assert {each.total for each in doing[1:]} == {7}
    assert doing[1].label.startswith("mpd_11.convs.0: 1 -> 32, 5 taps, stride 3 on 1 x 1 x ")
    assert doing[-1].label == "mpd-11: the whole graph"


def test_a_second_search_measures_nothing(lab: Lab) -> None:
    first = steps_of(WISH("ort-cpu"))
    measured = (list(lab.tried), list(lab.asked))
    assert len(measured[0]) == 6 and measured[1]
    assert steps_of(WISH("ort-cpu")) == first
    assert (lab.tried, lab.asked) == measured
    assert steps_of(WISH("ort-cpu", again=True)) == first
    assert (len(lab.tried), len(lab.asked)) == (2 * len(measured[0]), 2 * len(measured[1]))


def test_another_shape_is_measured_anew(lab: Lab) -> None:
    steps_of(WISH("ort-cpu"))
    steps_of(WISH("ort-cpu", sizes={"batch": 2, "samples": 256}))
    assert len(lab.tried) == 12
    before = len(lab.asked)
    steps_of(WISH("ort-cpu", views=("scores",)))
    assert len(lab.tried) == 12, "a layer alone has the same output whatever the graph returns"
    assert len(lab.asked) > before


def test_what_is_damaged_is_measured_again(lab: Lab) -> None:
    first = steps_of(WISH("ort-cpu"))
    damaged = sorted((store.folder() / "tuning").rglob("found.json"))
    assert len(damaged) == 7
    for path in damaged[:3]:
        path.write_text("{")
    tried, asked = len(lab.tried), len(lab.asked)
    assert steps_of(WISH("ort-cpu")) == first
    again = 3 - (len(lab.asked) > asked)  # one of the three may be the whole graph's
    assert len(lab.tried) == tried + again


@pytest.mark.parametrize("stop", [1, 4])
def test_what_was_measured_before_ctrl_c_is_kept(lab: Lab, stop: int) -> None:
    lab.stop_at = stop
    with pytest.raises(KeyboardInterrupt):
        steps_of(WISH("ort-cpu"))
    assert len(lab.tried) == stop - 1
    lab.stop_at = 0
    steps_of(WISH("ort-cpu"))
    assert lab.tried == [(name,) for name in LAYERS], "each once, the rest in the second run"


def test_ctrl_c_in_a_whole_graph_keeps_the_layers(lab: Lab) -> None:
    lab.stop_in_whole = True
    with pytest.raises(KeyboardInterrupt):
        steps_of(WISH("ort-cpu"))
    lab.stop_in_whole = False
    _, steps, plan = steps_of(WISH("ort-cpu"))
    assert len(lab.tried) == 6 and steps and plan


def test_the_command_ends_with_130_and_goes_on(lab: Lab, tmp_path: Path) -> None:
    lab.stop_at = 3
    given = ("--period", 11, "--batch", 1, "--samples", 256, "--threads", 1, "--out", tmp_path)
    ran = run_main(cli.bench_main, "tune", *given)
    assert ran.code == INTERRUPTED == 130
    assert ran.err.splitlines() == [
        "mpd_11.convs.0: columns, 2.00x",
        "mpd_11.convs.1: columns, 2.00x",
        "interrupted: what was measured is kept; the same command goes on, without --again",
    ]
    assert ran.out == "" and not (tmp_path / "plan.json").exists()
    assert len(lab.tried) == 2


def test_layers_of_one_problem_share_their_trials(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Geometry((1, 4, 9), (4, 4), (5,), (1,), (1,), (2,), (2,), 1, 0.1)
    same = {"mpd_11.convs.0": one, "mpd_11.convs.1": one, "mpd_11.conv_post": replace(one, group=2)}
    monkeypatch.setattr(searches, "geometries", lambda *_: same)
    layers, _, plan = steps_of(WISH("ort-cpu"))
    assert lab.tried == [("mpd_11.convs.0", "mpd_11.convs.1"), ("mpd_11.conv_post",)]
    assert [layer.names for layer in layers] == lab.tried
    assert plan == dict.fromkeys(same, "columns")
    renamed = {"mpd_11.convs.3": one}
    monkeypatch.setattr(searches, "geometries", lambda *_: renamed)
    (layer,), _, _ = steps_of(WISH("ort-cpu"))
    assert layer.names == ("mpd_11.convs.3",) and len(lab.tried) == 2


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("openvino:precision=bf16", "polyphase"),
        ("openvino", "plain"),
        ("openvino:precision=int8", "plain"),
        ("ort-cpu", "plain"),
    ],
)
def test_a_transposed_layer_in_bf16_starts_in_phases(
    asked: str, first: str, monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> None:
    """The runtimes compute its plain form in float32, or not at all."""
    given: list[str] = []

    def tried(
        _bench: Bench, _geometry: Geometry, names: tuple[str, ...], forms: Sequence[Form]
    ) -> LayerTrials:
        given.extend(map(form_text, forms))
        return fake_trials(*names, plain=0.5)

    del lab
    monkeypatch.setattr(searches, "try_forms", tried)
    up = Geometry((1, 4, 9), (4, 4), (4,), (2,), (1,), (1,), (1,), 1, None, transposed=True)
    monkeypatch.setattr(searches, "geometries", lambda *_: {"mpd_11.convs.0": up})
    steps_of(WISH(asked))
    assert given[0] == first and {"plain", "polyphase"} <= set(given)
    assert len(given) == len(set(given))


# the peak


def test_the_peak_is_that_of_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    ceilings = (Ceiling(100.0, 64, 1), Ceiling(300.0, 64, 1, "bf16"))
    monkeypatch.setattr(searches, "measure_ceilings", lambda _: ceilings)
    assert searches._peak(WISH("ort-cpu"), MACHINE) == 1e11
    assert searches._peak(WISH("openvino:precision=bf16"), MACHINE) == 3e11
    monkeypatch.setattr(searches, "measure_ceilings", lambda _: ceilings[:1])
    assert searches._peak(WISH("openvino:precision=bf16"), MACHINE) == float("inf")
