"""Work that is done twice, beside sums that were done by hand."""

from collections.abc import Callable
from dataclasses import replace

import onnx_ir as ir
import pytest
from torch import Tensor, nn

from bench.player import Pace
from bench.stream.whole_signal import flops_at, flops_per_element
from bench.streaming_record import Row, Way
from export.frontend.tracing import trace
from export.streaming.chunk_graph import chunked, stateful
from shown import fake_streaming

EACH = 96.0
CHUNK = 5


class TwoLayers(nn.Module):
    """For each frame 2 x (4 x 2 x 3) = 48 FLOPs in each layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(2, 4, 3, padding=1), nn.Conv1d(4, 2, 3, padding=1))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": self.layers(x)}


def two_layers() -> ir.Model:
    shapes = {"x": ("batch", 2, "frames")}
    return trace(TwoLayers().eval(), shapes, 18, "net", lambda path: path, ["y"])


@pytest.mark.parametrize(
    ("name", "flops", "twice"),
    [
        # one frame of context for each layer on each side: 5 + 2 + 2 frames go in
        ("window", 9 * 48 + 9 * 48, 0.8),  # both layers compute all nine
        ("context", 7 * 48 + 5 * 48, 0.2),  # the first computes what the second reads
        ("state", 5 * 48 + 5 * 48, 0.0),  # each computes a chunk
        ("whole", CHUNK * 96, 0.0),
    ],
)
def test_work_of_a_call_beside_that_of_the_whole(name: Way, flops: int, twice: float) -> None:
    model = two_layers()
    made: dict[str, Callable[[], int]] = {
        "window": lambda: flops_at(model, {"frames": CHUNK + 4}),
        "whole": lambda: flops_at(model, {"frames": CHUNK}),
        "context": lambda: flops_at(chunked(model, CHUNK)[0], {}),
        "state": lambda: flops_at(stateful(model, CHUNK)[0], {}),
    }
    assert made[name]() == flops
    row = Row("ort-cpu", name, Pace(CHUNK, 0, 0.0, 50), flops, None, ((1.0,),), 100.0, None)
    found = replace(fake_streaming(), flops_per_element=flops_per_element(model, "frames", 1))
    assert found.flops_per_element == EACH
    assert found.twice(row) == pytest.approx(twice)
