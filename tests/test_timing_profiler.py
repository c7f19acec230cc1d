"""Times of a runtime's nodes, joined to the layers of the graph."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from bench.backend import Case
from bench.records import NOT_TAKEN, Layer, Skipped
from bench.timing.profiler import (
    OTHER,
    UNTOLD,
    LayerTime,
    graph_layers,
    join,
    medians,
    profile,
    untimed,
    why_untimed,
    with_times,
)
from export.layers import GraphLayer
from fakes import FakeBackend, fake_result
from hifigan_ref.errors import HifiError

PAD = GraphLayer("pad", "Pad", ("pad",), ("padded",), 0, 10)
FIRST = GraphLayer("a", "Conv + Relu", ("a", "r"), ("a_out", "r_out"), 100, 20)
SECOND = GraphLayer("b", "Conv", ("b",), ("score",), 300, 30)
LAYERS = (PAD, FIRST, SECOND)


def seconds(*times: LayerTime) -> list[float | Skipped]:
    return [layer.seconds for layer in join(LAYERS, times)]


def test_names_of_nodes_and_of_values_are_joined() -> None:
    assert seconds(
        LayerTime(("score",), "Conv", 3.0),
        LayerTime(("pad",), "Pad", 1.0),
        LayerTime(("unknown", "r"), "Conv", 2.0),
    ) == [1.0, 2.0, 3.0], "in graph order"


def test_what_the_layer_computes_and_moves_is_kept() -> None:
    found = join(LAYERS, [LayerTime(("b",), "Conv", 3.0)])
    assert found[2] == Layer("b", "Conv", 300, 30, 3.0)


def test_several_nodes_of_a_layer_add_up() -> None:
    """A runtime that fuses less."""
    times = (LayerTime(("a",), "Conv", 2.0), LayerTime(("r",), "Relu", 0.5))
    assert seconds(*times)[1] == 2.5


def test_a_node_of_several_layers_counts_for_the_largest_and_the_others_say_so() -> None:
    found = seconds(LayerTime(("pad", "a", "r", "b"), "Conv", 5.0))
    within = Skipped("computed within b")
    assert found == [within, within, 5.0]


def test_a_layer_that_is_not_told_of_says_so() -> None:
    assert seconds(LayerTime(("b",), "Conv", 5.0)) == [UNTOLD, UNTOLD, 5.0]


def test_whatever_else_ran_stands_behind_by_kind() -> None:
    *layers, reorder, cast = join(
        LAYERS,
        [
            LayerTime((), "Reorder", 1.0),
            LayerTime(("b",), "Conv", 5.0),
            LayerTime(("ReorderOutput_1",), "Reorder", 2.0),
            LayerTime((), "Cast", 4.0),
        ],
    )
    assert len(layers) == 3
    assert reorder == Layer(OTHER, "Reorder", 0, 0, 3.0)
    assert cast == Layer(OTHER, "Cast", 0, 0, 4.0)


def test_a_node_wins_over_a_value_of_the_same_name() -> None:
    odd = (replace(FIRST, values=("b", "r_out")), SECOND)
    found = join(odd, [LayerTime(("b",), "Conv", 5.0)])
    assert [layer.seconds for layer in found] == [UNTOLD, 5.0]
    found = join((SECOND, replace(FIRST, values=("b", "r_out"))), [LayerTime(("b",), "Conv", 5.0)])
    assert [layer.seconds for layer in found] == [5.0, UNTOLD]


def test_the_median_of_the_passes_counts() -> None:
    passes = [{"b": 1.0, "a": 4.0}, {"b": 9.0, "a": 5.0}, {"b": 2.0}]
    assert list(medians(passes).items()) == [("b", 2.0), ("a", 4.5)]


# A backend


@dataclass(frozen=True)
class Profiling(FakeBackend):
    """A backend that tells a time of the first convolution, or fails."""

    error: Exception | None = None

    def layers(self, case: Case) -> tuple[LayerTime, ...]:
        del case
        if self.error is not None:
            raise self.error
        return (LayerTime(("convs.0",), "Conv", 0.5),)


def test_a_backend_that_can_is_asked(case_of: Callable[..., Case]) -> None:
    case = case_of("ort-cpu")
    found = profile(Profiling("fake"), case)
    assert isinstance(found, tuple)
    assert {layer.name: layer.seconds for layer in found}["convs.0"] == 0.5
    plain = tuple(replace(layer, seconds=NOT_TAKEN) for layer in found)
    assert plain == untimed(graph_layers(case.artifact.path, case.workload))


def test_a_backend_that_cannot_says_why(case_of: Callable[..., Case]) -> None:
    found = profile(FakeBackend("fake"), case_of("ort-cpu"))
    assert found == Skipped("fake has no profiler of its layers here")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (HifiError("no CUPTI"), "no CUPTI"),
        (RuntimeError("out of memory\nat 0x5"), "the profiler failed: RuntimeError: out of memory"),
        (RuntimeError(), "the profiler failed: RuntimeError"),
    ],
)
def test_a_failure_is_a_reason_in_one_line(
    case_of: Callable[..., Case], error: Exception, reason: str
) -> None:
    assert profile(Profiling("fake", error=error), case_of("ort-cpu")) == Skipped(reason)


def test_the_reason_travels_with_every_layer_and_is_told_once() -> None:
    layers = untimed(LAYERS)
    hole = Skipped("no profiler")
    row = replace(fake_result(), layers=with_times(layers, hole))
    assert [layer.seconds for layer in row.layers] == [hole] * 3
    assert why_untimed(row) == "no profiler"
    assert why_untimed(replace(row, layers=layers)) is None, "nobody asked"
    assert why_untimed(fake_result()) is None
    timed = join(LAYERS, [LayerTime(("b",), "Conv", 5.0)])
    assert with_times(layers, timed) == timed
    assert why_untimed(replace(row, layers=timed)) is None
