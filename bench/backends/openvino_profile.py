"""Time of each node of a network that OpenVINO compiled, from its own counters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.backend import Case
from bench.timing.profiler import PASSES, WARM_PASSES, LayerTime, medians

if TYPE_CHECKING:
    from openvino import CompiledModel

WITHOUT_BIAS = "/WithoutBiases"  # what it calls a convolution whose bias it took apart
ORIGINAL = "originalLayersNames"


def node_times(compiled: "CompiledModel", case: Case) -> tuple[LayerTime, ...]:
    """Over several passes.

    Args:
        compiled: with ``PERF_COUNT`` on.
        case: inputs.
    """
    request = compiled.create_infer_request()
    inputs = {name: array.copy() for name, array in case.inputs.items()}
    passes: list[dict[str, float]] = []
    kinds: dict[str, str] = {}
    for _ in range(WARM_PASSES + PASSES):
        request.infer(inputs)
        ran = [each for each in request.profiling_info if each.status == each.Status.EXECUTED]
        passes.append({each.node_name: each.real_time.total_seconds() for each in ran})
        kinds |= {each.node_name: each.node_type for each in ran}
    names = {
        node.get_friendly_name(): original_names(node.get_rt_info())
        for node in compiled.get_runtime_model().get_ops()
    }
    times = medians(passes[WARM_PASSES:])
    return tuple(LayerTime(names.get(n, ()), kinds[n], seconds) for n, seconds in times.items())


def original_names(information: Mapping[str, Any]) -> tuple[str, ...]:
    """The graph's nodes and values that a compiled node computes."""
    value = dict(information.items()).get(ORIGINAL, "")
    told = str(getattr(value, "value", value))
    return tuple(name.removesuffix(WITHOUT_BIAS) for name in told.split(",") if name)
