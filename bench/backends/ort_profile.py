"""Time of each node of an onnxruntime session, from the trace that it writes."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.backend import Case
from bench.timing.profiler import PASSES, WARM_PASSES, LayerTime, medians
from export import scratch
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from bench.backends.ort_session import Asked

Event = Mapping[str, Any]
KERNEL = "_kernel_time"
# What its optimisers append to the name of a node that they replace.
APPENDED = re.compile(r"(_nchwc|_token_\d+)+$")
HOST = "CPUExecutionProvider"
NO_KERNELS = (
    "this onnxruntime can only time how long a GPU's kernels take to be started: for their own "
    "times it must be built with --enable_cuda_profiling"
)


def node_times(case: Case, asked: "Asked") -> tuple[LayerTime, ...]:
    """Of a profiled session with the same providers, over several passes.

    Raises:
        HifiError: it ran on a GPU and was built without CUPTI.
    """
    from bench.backends.ort_session import open_session

    with scratch.folder() as folder:
        session = open_session(case, asked, folder / "profile")
        binding = session.io_binding()
        for name, array in case.inputs.items():
            binding.bind_cpu_input(name, array)
        for output in session.get_outputs():
            binding.bind_output(output.name, "cpu" if asked.first == HOST else "cuda")
        for _ in range(WARM_PASSES + PASSES):
            session.run_with_iobinding(binding)
        events = json.loads(Path(session.end_profiling()).read_text())
    return read(events)


def read(events: Sequence[Event]) -> tuple[LayerTime, ...]:
    """Median time of each node in a trace of warm-up passes and passes.

    Raises:
        HifiError: nodes ran on a GPU whose kernels were not timed.
    """
    runs = list(_passes(events))[WARM_PASSES:]
    if not runs:
        raise HifiError("onnxruntime wrote no trace of its nodes")
    kinds = {name: kind for run in runs for name, (kind, _) in run.items()}
    times = medians({name: seconds for name, (_, seconds) in run.items()} for run in runs)
    return tuple(LayerTime(_names(name), kinds[name], seconds) for name, seconds in times.items())


def _passes(events: Sequence[Event]) -> Iterator[dict[str, tuple[str, float]]]:
    """Kind and seconds of each node, pass by pass: a pass ends where a node is met again."""
    found: dict[str, tuple[str, float]] = {}
    for node, kernels in _nodes(events):
        name = f"{node['name'].removesuffix(KERNEL)}\n{node['args'].get('node_index')}"
        if name in found:
            yield found
            found = {}
        on_gpu = node["args"].get("provider") != HOST
        if on_gpu and not kernels:
            raise HifiError(NO_KERNELS)
        microseconds = sum(each["dur"] for each in kernels) if on_gpu else node["dur"]
        found[name] = (node["args"]["op_name"], microseconds / 1e6)
    if found:
        yield found


def _nodes(events: Sequence[Event]) -> Iterator[tuple[Event, list[Event]]]:
    """Each node that ran, with the kernels that a GPU ran for it, which stand behind it."""
    node: Event | None = None
    kernels: list[Event] = []
    for event in events:
        if event.get("cat") == "Kernel":
            kernels.append(event)
        elif event.get("cat") == "Node" and event["name"].endswith(KERNEL):
            if node is not None:
                yield node, kernels
            node, kernels = event, []
    if node is not None:
        yield node, kernels


def _names(name: str) -> tuple[str, ...]:
    own = name.partition("\n")[0]
    return tuple(dict.fromkeys((own, APPENDED.sub("", own))))
