"""TensorRT's own times: recorded pass by pass, and named as in the graph."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from bench.backend import Case
from bench.backends import trt, trt_profile
from bench.backends.trt import Trt
from bench.backends.trt_profile import layer_times, origins_of
from bench.timing.profiler import PASSES, WARM_PASSES, LayerTime
from export.engine import library as trt_library
from export.engine.library import PRODUCTS, Library


class FakeProfiler:
    """``IProfiler``: must be started by its own constructor."""

    started = False

    def __init__(self) -> None:
        self.started = True


LIBRARY = Library(PRODUCTS[0], SimpleNamespace(IProfiler=FakeProfiler), "11.1")
Pass = tuple[tuple[str, float], ...]


@dataclass
class FakeSession:
    """Tells its profiler a list of layers and milliseconds after each pass."""

    passes: list[Pass]
    metadata: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    profiler: Any = None

    def watch(self, profiler: Any) -> None:
        assert profiler.started
        self.profiler = profiler

    def run(self) -> None:
        pass

    def wait(self) -> None:
        for name, milliseconds in self.passes.pop(0):
            self.profiler.report_layer_time(name, milliseconds)

    def information(self) -> str:
        layers = [{"Name": name, "Metadata": text} for name, text in self.metadata.items()]
        return json.dumps({"Layers": layers})

    def close(self) -> None:
        self.closed = True


def times(*layers: tuple[str, float], metadata: dict[str, str] | None = None) -> list[LayerTime]:
    warm = tuple((name, 1000.0) for name, _ in layers)
    passes: list[Pass] = [*[warm] * WARM_PASSES, *[layers] * PASSES]
    return list(layer_times(LIBRARY, FakeSession(passes, metadata or {})))  # type: ignore[arg-type]


def test_the_warm_up_is_left_out_and_milliseconds_are_seconds() -> None:
    (found,) = times(("convs.0", 2.0))
    assert found == LayerTime(("convs.0",), "convs.0", found.seconds)
    assert found.seconds == pytest.approx(2e-3)


def test_a_layer_that_is_told_twice_in_a_pass_adds_up() -> None:
    (found,) = times(("convs.0", 2.0), ("convs.0", 1.0))
    assert found.seconds == pytest.approx(3e-3)


@pytest.mark.parametrize(
    ("name", "contains"),
    [
        ("convs.0 + fmap_0", {"convs.0", "fmap_0"}),
        ("convs.0 + PWN(fmap_0)", {"convs.0", "fmap_0"}),
        ("PWN(fmap_0)", {"fmap_0"}),
        ("{ForeignNode[pad...score]}", {"pad", "score"}),
        ("convs.0 || convs.1", {"convs.0", "convs.1"}),
        ("msd_0.convs.0", {"msd_0.convs.0"}),
    ],
)
def test_a_fused_name_holds_the_graphs(name: str, contains: set[str]) -> None:
    (found,) = times((name, 1.0))
    assert contains <= set(found.names)


def test_a_reformat_is_no_layer_of_the_graph() -> None:
    (found,) = times(("Reformatting CopyNode for Input Tensor 0 to convs.0", 1.0))
    assert (found.names, found.kind) == ((), "Reformat")


def test_what_the_engine_kept_of_the_graph_comes_first() -> None:
    text = "[ONNX Layer: convs.0]\x1f[ONNX Layer: fmap_0 | a property]"
    (found,) = times(("__myl_Conv_0", 1.0), metadata={"__myl_Conv_0": text})
    assert found.names == ("convs.0", "fmap_0")


def test_an_engine_that_kept_only_names_has_no_origins() -> None:
    assert origins_of(json.dumps({"Layers": ["convs.0", "pad"]})) == {}
    assert origins_of(json.dumps({"Layers": [{"Name": "pad"}]})) == {"pad": ()}


def test_a_backend_profiles_without_a_graph_and_closes(
    case_of: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Case] = []
    session = FakeSession([(("convs.0", 1.0),)] * (WARM_PASSES + PASSES))

    def open_session(self: Trt, case: Case) -> Any:
        del self
        opened.append(case)
        return session

    monkeypatch.setattr(Trt, "_open", open_session)
    monkeypatch.setattr(trt_library, "find_library", lambda _: LIBRARY)
    found = trt.BACKENDS[0].layers(case_of("trt:cuda_graph=on"))
    assert found[0].names == ("convs.0",)
    assert opened[0].options["cuda_graph"] == "off"
    assert session.closed
    monkeypatch.setattr(trt_profile, "layer_times", lambda *_: 1 / 0)
    session.closed = False
    with pytest.raises(ZeroDivisionError):
        trt.BACKENDS[0].layers(case_of("trt"))
    assert session.closed
