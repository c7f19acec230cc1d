"""Time of each layer by a runtime's own profiler, joined to what the layer computes and moves.

A profiler slows its runtime down and is never on while latency is measured: layers are timed in a
session of their own, and their sum stands beside the latency, not for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Protocol, runtime_checkable

from bench.backend import Backend, Case
from bench.records import NOT_TAKEN, Layer, Result, Skipped, Workload
from export.layers import GraphLayer, count_layers
from hifigan_ref.errors import HifiError, named

WARM_PASSES = 3
PASSES = 10
OTHER = "other"
UNTOLD = Skipped("the runtime tells no time of it")


@dataclass(frozen=True)
class LayerTime:
    """What a runtime says of one of its own nodes.

    Attributes:
        names: of the graph's nodes or values that it computes, as far as the runtime kept them;
            none of a layer for a node that the runtime added or that only reshapes.
        kind: the runtime's word for it.
        seconds: median of the passes.
    """

    names: tuple[str, ...]
    kind: str
    seconds: float


@runtime_checkable
class Profiler(Protocol):
    """A backend whose runtime can time its layers."""

    def layers(self, case: Case) -> tuple[LayerTime, ...]:
        """Every node of the runtime that ran, in a session of its own with the case's options."""


def graph_layers(path: Path, load: Workload) -> tuple[GraphLayer, ...]:
    """The layers of an exported file for the shapes of a workload."""
    import onnx_ir as ir

    return count_layers(ir.load(path), load.sizes)


def profile(backend: Backend, case: Case) -> tuple[Layer, ...] | Skipped:
    """The layers of a case with a backend's times, or why it has none."""
    if not isinstance(backend, Profiler):
        return Skipped(f"{backend.name} has no profiler of its layers here")
    try:
        return join(graph_layers(case.artifact.path, case.workload), backend.layers(case))
    except HifiError as error:
        return Skipped(str(error))
    # A runtime fails in types of its own; whatever it says becomes the reason.
    except Exception as error:  # noqa: BLE001
        return Skipped(f"the profiler failed: {named(error)}")


def with_times(layers: tuple[Layer, ...], found: tuple[Layer, ...] | Skipped) -> tuple[Layer, ...]:
    """What a row holds: the profile, or its layers with the reason for the lack of one."""
    if isinstance(found, Skipped):
        return tuple(replace(layer, seconds=found) for layer in layers)
    return found


def why_untimed(result: Result) -> str | None:
    """Why a row has no times of its layers although somebody asked, or None."""
    reasons = {each.seconds for each in result.layers}
    if len(reasons) != 1 or not isinstance(reason := reasons.pop(), Skipped):
        return None
    return None if reason == NOT_TAKEN else reason.reason


def untimed(layers: Iterable[GraphLayer]) -> tuple[Layer, ...]:
    """The record of layers that nobody has timed."""
    return tuple(Layer(each.name, each.kind, each.flops, each.bytes) for each in layers)


def join(layers: tuple[GraphLayer, ...], times: Iterable[LayerTime]) -> tuple[Layer, ...]:
    """Layers in graph order with their times, then whatever else ran, by kind.

    A node of the runtime that computes several layers counts for the one with the most FLOPs, and
    the others say so.
    """
    owners = {name: layer for layer in layers for name in layer.values}
    owners |= {name: layer for layer in layers for name in layer.nodes}
    seconds: dict[str, float] = {}
    within: dict[str, str] = {}
    other: dict[str, float] = {}
    for each in times:
        mine = list(dict.fromkeys(owners[name] for name in each.names if name in owners))
        if not mine:
            other[each.kind] = other.get(each.kind, 0.0) + each.seconds
            continue
        largest = max(mine, key=lambda layer: layer.flops)
        seconds[largest.name] = seconds.get(largest.name, 0.0) + each.seconds
        within |= {layer.name: largest.name for layer in mine if layer is not largest}
    return (
        *(replace(layer, seconds=_told(layer, seconds, within)) for layer in untimed(layers)),
        *(Layer(OTHER, kind, 0, 0, total) for kind, total in other.items()),
    )


def medians(passes: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Median over the passes of each node's time, in the order in which nodes were first seen.

    Args:
        passes: seconds by node.
    """
    found: dict[str, list[float]] = {}
    for each in passes:
        for name, seconds in each.items():
            found.setdefault(name, []).append(seconds)
    return {name: median(times) for name, times in found.items()}


def _told(layer: Layer, seconds: Mapping[str, float], within: Mapping[str, str]) -> float | Skipped:
    if layer.name in seconds:
        return seconds[layer.name]
    if layer.name in within:
        return Skipped(f"computed within {within[layer.name]}")
    return UNTOLD
