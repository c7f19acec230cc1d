"""Real engines by the real library, which needs no GPU to build them."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from export import pipeline
from export.engine.building import build_engine
from export.engine.library import Library, find_library
from export.engine.optimisation import exactly, profile_for
from export.engine.request import EngineRequest
from export.engine.watch import Unwatched
from export.request import OPSETS, ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.seeded import Seeded
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

MPD_11 = Variant("mpd", "11")
FEW = exactly({"batch": 1, "samples": 512})
REQUEST = EngineRequest("rtx")
PLAN_BYTES = 30_000_000  # at least, for 32.9 MB of weights


@pytest.fixture(scope="module")
def library() -> Library:
    return find_library("rtx")


@pytest.fixture(scope="module")
def content(mpd_11: Trained, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return export(ExportRequest(MPD_11), mpd_11, tmp_path_factory.mktemp("onnx")).read_bytes()


def export(request: ExportRequest, trained: Trained, folder: Path) -> Path:
    path = folder / f"{request.variant}.onnx"
    return pipeline.export_onnx(request, trained, path).artifact.path


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_builds(opset: int, mpd_11: Trained, library: Library, tmp_path: Path) -> None:
    request = ExportRequest(MPD_11, opset=opset, views=("scores",))
    path = export(request, mpd_11, tmp_path)
    profile = profile_for(request, {}, {})
    plan = build_engine(path.read_bytes(), REQUEST, profile, library, Unwatched())
    assert len(plan) > PLAN_BYTES


@pytest.mark.parametrize(
    "request_",
    [
        ExportRequest(MPD_11, sizes={"batch": 1, "samples": 8192}),
        ExportRequest(MPD_11, sizes={"batch": 2, "samples": 8195}),
        ExportRequest(MPD_11, views=("pair",)),
        ExportRequest(Variant("mpd", "2"), sizes={"samples": 8192}),
        ExportRequest(Variant("msd", "0")),
        ExportRequest(Variant("msd", "2"), views=("scores", "pair")),
    ],
    ids=str,
)
def test_static_dynamic_and_pair_graphs_build(
    request_: ExportRequest, library: Library, tmp_path: Path
) -> None:
    path = export(request_, Seeded(0).build(request_.variant), tmp_path)
    profile = profile_for(request_, request_.sizes, {})
    assert build_engine(path.read_bytes(), REQUEST, profile, library, Unwatched())


@pytest.mark.parametrize(
    "request_",
    [
        EngineRequest("rtx", targets=("sm89",)),
        EngineRequest("rtx", targets=("sm75", "sm120")),
        EngineRequest("rtx", workspace_mib=256, opt_level=0, tf32=True),
    ],
    ids=str,
)
def test_options_build(request_: EngineRequest, content: bytes, library: Library) -> None:
    assert build_engine(content, request_, FEW, library, Unwatched())


def test_targets_make_another_engine(content: bytes, library: Library) -> None:
    one = build_engine(content, EngineRequest("rtx", ("sm89",)), FEW, library, Unwatched())
    every = library.module.ComputeCapability.__members__
    targets = tuple(name.lower() for name in every if name.startswith("SM"))
    many = build_engine(content, EngineRequest("rtx", targets), FEW, library, Unwatched())
    assert one != many


def foreign(operator: str, **attributes: Any) -> bytes:
    """A graph of one node that TensorRT does not know or cannot take."""
    node = helper.make_node(operator, ["y"], ["score"], name="the_node", **attributes)
    value: list[str | int | None] = ["batch", 1, "samples"]
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, value)],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    return bytes(model.SerializeToString())


def test_a_refused_graph_names_the_node_and_the_reason(library: Library) -> None:
    with pytest.raises(HifiError) as caught:
        build_engine(foreign("StringNormalizer"), REQUEST, FEW, library, Unwatched())
    told = str(caught.value)
    assert "\n" not in told
    assert told.startswith("TensorRT for RTX ")
    assert "cannot read the graph: node the_node (StringNormalizer): " in told


def test_bytes_that_are_no_graph_are_refused(library: Library) -> None:
    with pytest.raises(HifiError, match="cannot read the graph: ") as caught:
        build_engine(b"no graph", REQUEST, FEW, library, Unwatched())
    assert "\n" not in str(caught.value)


def test_a_workspace_that_is_too_small_gives_the_librarys_reason(
    content: bytes, library: Library
) -> None:
    request = EngineRequest("rtx", workspace_mib=1)
    with pytest.raises(HifiError, match="cannot build an engine: .*[Mm]emory") as caught:
        build_engine(
            content, request, exactly({"batch": 32, "samples": 220500}), library, Unwatched()
        )
    assert "\n" not in str(caught.value)


def test_an_error_is_not_told_again_with_the_next_one(content: bytes, library: Library) -> None:
    for _ in range(2):
        with pytest.raises(HifiError) as caught:
            build_engine(foreign("StringNormalizer"), REQUEST, FEW, library, Unwatched())
        assert str(caught.value).count("the_node") == 1
    assert build_engine(content, REQUEST, FEW, library, Unwatched())


def test_nothing_is_printed(
    content: bytes, library: Library, capfd: pytest.CaptureFixture[str]
) -> None:
    build_engine(content, REQUEST, FEW, library, Unwatched())
    with pytest.raises(HifiError):
        build_engine(foreign("StringNormalizer"), REQUEST, FEW, library, Unwatched())
    assert capfd.readouterr() == ("", "")


class Watched(Unwatched):
    """Remembers phases and steps; does something at the first step."""

    def __init__(self, at_first_step: Callable[[], None] = lambda: None) -> None:
        self.phases: list[tuple[str, str | None, int]] = []
        self.steps: list[str] = []
        self.ended: list[str] = []
        self.threads: set[int] = set()
        self._first = at_first_step

    def begin(self, phase: str, parent: str | None, steps: int) -> None:
        self.phases.append((phase, parent, steps))

    def step(self, phase: str, index: int) -> None:
        del index
        self.threads.add(threading.get_ident())
        self.steps.append(phase)
        if len(self.steps) == 1:
            self._first()

    def end(self, phase: str) -> None:
        self.ended.append(phase)


def test_progress_is_told(content: bytes, library: Library) -> None:
    watch = Watched()
    build_engine(content, REQUEST, FEW, library, watch)
    (outer, parent, steps), *_ = watch.phases
    assert parent is None and steps > 1
    assert steps - 1 <= watch.steps.count(outer) <= steps
    assert sorted(watch.ended) == sorted(phase for phase, *_ in watch.phases)
    assert threading.get_ident() not in watch.threads


def test_ctrl_c_ends_the_build_at_once(content: bytes, library: Library) -> None:
    heard = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        heard.set()
        signal.default_int_handler(number, frame)  # type: ignore[arg-type]

    def press() -> None:
        """This small build would be over before a busy machine's main thread has its turn."""
        signal.raise_signal(signal.SIGINT)
        assert heard.wait(30)
        time.sleep(1)  # from the handler to the build's own end of it

    before = signal.signal(signal.SIGINT, interrupt)
    watch = Watched(press)
    try:
        with pytest.raises(KeyboardInterrupt):
            build_engine(content, REQUEST, FEW, library, watch)
    finally:
        signal.signal(signal.SIGINT, before)
    complete = Watched()
    assert build_engine(content, REQUEST, FEW, library, complete), "the next build is not disturbed"
    assert len(watch.steps) < len(complete.steps)


def test_the_graph_that_is_built_is_the_file(content: bytes) -> None:
    """A guard on this file's own premise: what is built above has every weight."""
    model = onnx.load_from_string(content)
    assert sum(len(tensor.raw_data) for tensor in model.graph.initializer) > PLAN_BYTES
