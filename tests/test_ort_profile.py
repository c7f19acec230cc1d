"""onnxruntime's trace: medians of the passes after the warm-up, and kernels where a GPU ran."""

from collections.abc import Callable
from typing import Any

import pytest

from bench.backend import Case
from bench.backends.ort_cpu import OrtCpu
from bench.backends.ort_profile import NO_KERNELS, read
from bench.timing.profiler import OTHER, PASSES, WARM_PASSES, LayerTime, profile
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Trained

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def node(name: str, microseconds: int, index: int, provider: str = CPU) -> dict[str, Any]:
    args = {"op_name": name.partition(".")[0], "provider": provider, "node_index": str(index)}
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": microseconds, "args": args}


def kernel(microseconds: int) -> dict[str, Any]:
    return {"cat": "Kernel", "name": "implicit_gemm", "dur": microseconds, "args": {}}


def repeated(*events: dict[str, Any], slow: int = 0) -> list[dict[str, Any]]:
    """A trace of all passes, the warm-up slower by so much."""
    session = {"cat": "Session", "name": "model_run", "dur": 5, "args": {}}
    warm = [{**event, "dur": event["dur"] + slow} for event in events]
    return [*(warm * WARM_PASSES), *((*events, session) * PASSES)]


def test_the_warm_up_is_left_out() -> None:
    trace = repeated(node("Conv.a", 100, 1), node("Relu.b", 20, 2), slow=10**6)
    convolution, activation = read(trace)
    assert convolution == LayerTime(("Conv.a",), "Conv", convolution.seconds)
    assert activation == LayerTime(("Relu.b",), "Relu", activation.seconds)
    assert (convolution.seconds, activation.seconds) == pytest.approx((100e-6, 20e-6))


def test_no_pass_of_the_warm_up_moves_the_median() -> None:
    lengths = [*[10**6] * WARM_PASSES, *range(PASSES)]
    (found,) = read([node("Conv.a", length, 1) for length in lengths])
    assert found.seconds == pytest.approx((PASSES - 1) / 2 * 1e-6)


def test_one_slow_pass_changes_nothing() -> None:
    trace = [*repeated(node("Conv.a", 100, 1))[:-2], node("Conv.a", 10**6, 1)]
    assert read(trace)[0].seconds == pytest.approx(100e-6)


def test_nodes_of_one_name_are_apart() -> None:
    trace = repeated(node("Conv.a", 100, 1), node("Conv.a", 30, 2))
    assert [time.seconds for time in read(trace)] == pytest.approx([100e-6, 30e-6])


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("fmap_0_nchwc", ("fmap_0_nchwc", "fmap_0")),
        ("fmap_0_nchwc_token_3", ("fmap_0_nchwc_token_3", "fmap_0")),
        ("convs.0", ("convs.0",)),
        ("ReorderOutput_token_15", ("ReorderOutput_token_15", "ReorderOutput")),
    ],
)
def test_what_an_optimiser_appended_is_taken_off(name: str, names: tuple[str, ...]) -> None:
    assert read(repeated(node(name, 1, 1)))[0].names == names


def test_a_gpus_kernels_count_and_not_how_long_they_took_to_start() -> None:
    trace = repeated(
        node("Conv.a", 9, 1, CUDA), kernel(200), kernel(100), node("Conv.b", 9, 2, CUDA), kernel(50)
    )
    assert [time.seconds for time in read(trace)] == pytest.approx([300e-6, 50e-6])


def test_without_a_gpus_kernels_there_is_no_time() -> None:
    with pytest.raises(HifiError, match="built with --enable_cuda_profiling") as told:
        read(repeated(node("Conv.a", 9, 1, CUDA)))
    assert str(told.value) == NO_KERNELS


def test_a_trace_of_nothing_is_an_error() -> None:
    with pytest.raises(HifiError, match="no trace of its nodes"):
        read([{"cat": "Session", "name": "model_run", "dur": 5, "args": {}}])


@pytest.mark.parametrize("network", ["mpd_11", "msd_0"])
def test_every_convolution_has_a_time(
    network: str, request: pytest.FixtureRequest, case_of: Callable[..., Case]
) -> None:
    trained: Trained = request.getfixturevalue(network)
    case = case_of("ort-cpu", trained)
    found = profile(OrtCpu(), case)
    assert isinstance(found, tuple), found
    convolutions = [layer for layer in found if layer.kind.startswith("Conv")]
    assert len(convolutions) == {"mpd_11": 6, "msd_0": 8}[network]
    assert all(isinstance(layer.seconds, float) and layer.seconds > 0 for layer in convolutions)
    layers = [layer for layer in found if layer.name != OTHER]
    assert all(isinstance(layer.seconds, float) for layer in layers)
    assert sum(layer.flops for layer in found) == sum(layer.flops for layer in convolutions) > 0


def test_the_largest_layer_takes_longer_than_the_smallest(case_of: Callable[..., Case]) -> None:
    """Times are of the layers that they stand beside: the fifth has 5000 times the work."""
    found = profile(OrtCpu(), case_of("ort-cpu", samples=8192))
    assert isinstance(found, tuple)
    seconds = {layer.name: layer.seconds for layer in found}
    last, largest = seconds["conv_post"], seconds["convs.4"]
    assert isinstance(last, float) and isinstance(largest, float)
    assert largest > 5 * last
