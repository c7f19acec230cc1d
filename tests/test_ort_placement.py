"""Who runs each node of an onnxruntime session, and that another provider is found."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import onnxruntime as ort
import pytest

from bench.backend import Case
from bench.backends import ort_placement
from bench.backends.ort_cpu import OrtCpu
from bench.backends.ort_session import Asked, open_session

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def test_every_node_is_where_it_belongs() -> None:
    found = ort_placement.claim(CUDA, {(CUDA, "Conv"): 6, (CUDA, "Pad"): 1})
    assert found.holds and found.found == "7 of 7 nodes"


@pytest.mark.parametrize(
    ("placed", "told"),
    [
        ({(CUDA, "Conv"): 6, (CPU, "Pad"): 1}, f"6 of 7 nodes, 1 Pad on {CPU}"),
        ({(CPU, "Conv"): 6}, f"0 of 6 nodes, 6 Conv on {CPU}"),
        ({}, "0 of 0 nodes"),
    ],
)
def test_a_node_elsewhere_is_found(placed: ort_placement.Placement, told: str) -> None:
    found = ort_placement.claim(CUDA, placed)
    assert not found.holds and found.found == told


def test_nodes_are_those_of_the_file_without_arithmetic_of_shapes(
    case_of: Callable[..., Case],
) -> None:
    chosen = case_of("ort-cpu", pair=True)
    asked = Asked({CPU: {}})
    session = open_session(chosen, asked)
    kinds = Counter({op: count for (_, op), count in ort_placement.seen(session).placement.items()})
    assert kinds.pop("Slice") == 14
    assert kinds == {"Conv": 6, "LeakyRelu": 5, "Reshape": 2, "Concat": 1, "Pad": 1}


def test_an_older_onnxruntime_is_profiled(
    case_of: Callable[..., Case], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = ort.InferenceSession.__mro__[1]
    monkeypatch.delattr(base, "get_provider_graph_assignment_info")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    session = OrtCpu().prepare(case_of("ort-cpu"))
    session.run()
    placed = next(claim for claim in session.proof() if claim.what == "node placement")
    assert placed.holds and int(placed.found.split()[0]) >= 6
    assert list(tmp_path.iterdir()) == []
    session.close()
