"""OpenVINO's counters: every convolution has a time, by its name in the graph."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from bench.backend import Case
from bench.backends.openvino_cpu import OpenVino
from bench.backends.openvino_profile import original_names
from bench.timing.profiler import profile
from hifigan_ref.trained import Trained


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ("convs.0/WithoutBiases,convs.0,fmap_0", ("convs.0", "convs.0", "fmap_0")),
        ("conv_post/WithoutBiases,fmap_5", ("conv_post", "fmap_5")),
        ("pad", ("pad",)),
        ("", ()),
    ],
)
def test_names_are_the_graphs(told: str, names: tuple[str, ...]) -> None:
    assert original_names({"originalLayersNames": told}) == names
    assert original_names({"originalLayersNames": SimpleNamespace(value=told)}) == names


def test_a_node_without_an_origin_was_added() -> None:
    assert original_names({}) == ()


@pytest.mark.parametrize("network", ["mpd_11", "msd_0"])
def test_every_convolution_has_a_time(
    network: str, request: pytest.FixtureRequest, case_of: Callable[..., Case]
) -> None:
    trained: Trained = request.getfixturevalue(network)
    found = profile(OpenVino(), case_of("openvino", trained, samples=8192))
    assert isinstance(found, tuple), found
    convolutions = [layer for layer in found if layer.kind.startswith("Conv")]
    assert len(convolutions) == {"mpd_11": 6, "msd_0": 8}[network]
    assert all(isinstance(layer.seconds, float) and layer.seconds > 0 for layer in convolutions)


def test_the_measured_network_does_not_count(
    case_of: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino as ov

    hints: list[dict[str, object]] = []
    compile_model = ov.Core.compile_model

    def watched(core: ov.Core, model: ov.Model, device: str, given: dict[str, object]) -> object:
        hints.append(given)
        return compile_model(core, model, device, given)

    monkeypatch.setattr(ov.Core, "compile_model", watched)
    case = case_of("openvino")
    OpenVino().prepare(case).close()
    OpenVino().layers(case)
    assert [given["PERF_COUNT"] for given in hints] == [False, True]
    assert {k: v for k, v in hints[0].items() if k != "PERF_COUNT"} == {
        k: v for k, v in hints[1].items() if k != "PERF_COUNT"
    }
