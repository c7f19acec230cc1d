"""Time of each layer of an engine, as TensorRT reports it, and what the layer was in the graph."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.timing.profiler import PASSES, WARM_PASSES, LayerTime, medians
from export.engine.library import Library

if TYPE_CHECKING:
    from bench.backends.trt_session import TrtSession

# ``convs.0 + PWN(fmap_0)``; ``{ForeignNode[pad...score]}``; ``Reformatting CopyNode for ...``
PARTS = re.compile(r"\s\+\s|[\[\]{}(),|]|\.\.\.")
ORIGIN = re.compile(r"\[ONNX Layer: ([^\]|]+)")
REFORMAT = ("Reformatting", "reformat")


def layer_times(library: Library, session: "TrtSession") -> tuple[LayerTime, ...]:
    """Over several passes of a session without a CUDA graph, which would hide its layers."""
    recorder = _recorder(library)
    session.watch(recorder)
    passes: list[dict[str, float]] = []
    for _ in range(WARM_PASSES + PASSES):
        recorder.seconds = {}
        session.run()
        session.wait()
        passes.append(recorder.seconds)
    origins = origins_of(session.information())
    times = medians(passes[WARM_PASSES:])
    return tuple(
        LayerTime(origins.get(name) or _names(name), _kind(name), seconds)
        for name, seconds in times.items()
    )


def origins_of(information: str) -> dict[str, tuple[str, ...]]:
    """Nodes of the graph that each layer computes, by the layer's name, where the engine kept them.

    Args:
        information: of the inspector, as JSON.
    """
    layers = json.loads(information).get("Layers", [])
    told = [layer for layer in layers if isinstance(layer, Mapping)]
    return {
        str(layer.get("Name", "")): tuple(
            name.strip() for name in ORIGIN.findall(str(layer.get("Metadata", "")))
        )
        for layer in told
    }


def _names(name: str) -> tuple[str, ...]:
    """What of a layer's own name may be a node's: all of it, and its parts."""
    if name.startswith(REFORMAT):
        return ()
    parts = [part.strip() for part in PARTS.split(name)]
    return tuple(dict.fromkeys((name, *filter(None, parts))))


def _kind(name: str) -> str:
    return "Reformat" if name.startswith(REFORMAT) else name


def _recorder(library: Library) -> Any:
    """An ``IProfiler`` that adds up what it is told of one pass."""
    base: Any = library.module.IProfiler

    class Recorder(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)
            self.seconds: dict[str, float] = {}

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            self.seconds[layer_name] = self.seconds.get(layer_name, 0.0) + ms / 1e3

    return Recorder()
