"""Files that compute chunks: exact, and refused where they are not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

import cli
from export import artifact
from export.as_text import lines
from export.describe import describe
from export.lowering.plan import LoweringPlan
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.stream_record import ChunkPlan, plan_of
from export.streaming import chunk_graph
from export.streaming.context import Context, Range, context_in
from export.streaming.delays import Delays, delays_in
from export.streaming.field import Field
from export.streaming.judge import advice
from export.streaming.write import export_chunk
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

V3 = Variant.parse("generator-v3")
SMALL = Variant.parse("generator-v3@upsample_initial_channel=32")

NARROW = "upsample_initial_channel=32"
NAMES = [
    f"generator-v3@{NARROW}",
    f"vits-decoder-speakers@{NARROW}",
    f"generator-v2@{NARROW}",
]

ALONE = """
from hifigan_ref.network import Axis, Port, Signature
from torch import Tensor, nn

STEPS = Axis("steps", smallest=1, typical=64, largest=512)


class Net(nn.Module):
    SIGNATURE = Signature((Port("x", (4, STEPS)),), (Port("y", (4, STEPS)),))

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": self.conv(x)}
"""


def export(path: Path, plan: ChunkPlan, variant: Variant = SMALL, **more: object) -> Path:
    request = ExportRequest(variant, **more)  # type: ignore[arg-type]
    trained = Source.of([variant], None, 0).build(variant)
    return export_chunk(request, plan, trained, path / "chunk.onnx").artifact.path


@pytest.mark.parametrize("name", NAMES)
def test_chunks_of_a_signal_are_the_whole(name: str, tmp_path: Path) -> None:
    path = export(tmp_path, ChunkPlan(5), Variant.parse(name))
    stream = artifact.load(path).manifest.stream
    assert stream is not None
    assert stream.chunk == 5
    assert (
        (stream.left, stream.right) == stream.needed == ((11,) * 2 if "v3" in name else (13,) * 2)
    )
    assert stream.factors == {"audio": (256, 1)}
    assert stream.snr_db >= 100


@pytest.mark.parametrize("name", NAMES)
def test_chunks_with_states_are_the_whole(name: str, tmp_path: Path) -> None:
    path = export(tmp_path, ChunkPlan(5, stateful=True), Variant.parse(name))
    stream = artifact.load(path).manifest.stream
    assert stream is not None
    assert (stream.left, stream.right) == (0, 0)
    assert stream.delays is not None
    assert 0 < stream.delays["audio"] <= 256 * stream.needed[1]
    assert stream.snr_db >= 100
    told = "\n".join(lines(describe(path)))
    assert f"with a state, audio {stream.delays['audio']} late; algorithmic latency " in told


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize(("precision", "least"), [("fp16", 50), ("bf16", 38), ("int8", 20)])
def test_chunks_of_fewer_bits_keep_the_budget(
    precision: str, least: float, stateful: bool, tmp_path: Path
) -> None:
    plan = PrecisionPlan(precision)  # type: ignore[arg-type]
    path = export(tmp_path, ChunkPlan(5, stateful=stateful), precision=plan, opset=22)
    manifest = artifact.load(path).manifest
    assert manifest.stream is not None
    assert least <= manifest.stream.snr_db < 100
    assert precision in manifest.precision.held
    assert "input: remaining (batch)" in "\n".join(lines(describe(path)))


def test_what_helps_chunks_of_too_few_bits_is_said(tmp_path: Path) -> None:
    stream = artifact.load(export(tmp_path, ChunkPlan(5))).manifest.stream
    assert stream is not None
    request = ExportRequest(SMALL, precision=PrecisionPlan("fp16"))
    told = "choose a finer precision, or allow it with --min-snr 48"
    assert advice(request, stream, 48.9) == told


@pytest.mark.parametrize("late", [-1, 1])
def test_states_that_are_one_element_off_are_caught(
    late: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = delays_in

    def wrong(field: Field) -> Delays:
        found = right(field)
        tails = {
            name: Range(max(held.first, -40), held.last) if late < 0 else held
            for name, held in found.held.items()
        }
        made = {**found.made, "audio": Range(-2580, -2580)} if late > 0 else found.made
        return Delays(made, tails)

    monkeypatch.setattr(chunk_graph, "delays_in", wrong)
    with pytest.raises((HifiError, AssertionError)):
        export(tmp_path, ChunkPlan(5, stateful=True), V3)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("stateful", [False, True])
def test_a_discriminator_has_chunks_too(stateful: bool, tmp_path: Path) -> None:
    plan = ChunkPlan(128, stateful=stateful)
    path = export(tmp_path, plan, Variant.parse("msd-0"), target="openvino")
    stream = artifact.load(path).manifest.stream
    assert stream is not None
    assert stream.factors["score"] == (1, 64)
    assert stream.snr_db >= 100


def test_the_context_of_the_file_is_said(tmp_path: Path) -> None:
    path = export(tmp_path, ChunkPlan(5))
    told = "\n".join(lines(describe(path)))
    assert "streaming: 5 frames a chunk, context 11 + 11 frames, 128 ms" in told
    with pytest.raises(HifiError, match="computes generator-v3@.* in chunks"):
        _ = artifact.load(path).request


def test_a_chunk_of_any_batch_is_computed(tmp_path: Path) -> None:
    session = ort.InferenceSession(export(tmp_path, ChunkPlan(2)))
    inputs = {
        "mel": np.zeros((3, 80, 24), np.float32),
        "past": np.zeros(3, np.int64),
        "remaining": np.full(3, 9),
    }
    assert session.run(None, inputs)[0].shape == (3, 1, 512)


def test_a_place_far_from_both_ends_is_like_any_other(tmp_path: Path) -> None:
    session = ort.InferenceSession(export(tmp_path, ChunkPlan(2)))
    mel = np.random.default_rng(0).standard_normal((1, 80, 24)).astype(np.float32)
    near, far, first = (
        session.run(None, {"mel": mel, "past": np.array([n]), "remaining": np.array([m])})[0]
        for n, m in ((500, 500), (10**12, 10**12), (0, 10**12))
    )
    assert np.array_equal(near, far)
    assert not np.array_equal(near, first)


@pytest.mark.parametrize("stateful", [False, True])
def test_a_fixed_batch_stays(stateful: bool, tmp_path: Path) -> None:
    path = export(tmp_path, ChunkPlan(2, stateful=stateful), sizes={"batch": 1})
    session = ort.InferenceSession(path)
    assert all(each.shape[0] == 1 for each in session.get_inputs())


def test_a_network_without_a_batch_has_no_chunks(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(ALONE)
    variant = Variant.parse(f"{tmp_path / 'net.py'}:Net")
    with pytest.raises(HifiError, match="Net has no batch axis, and a file of chunks counts"):
        export(tmp_path / "out", ChunkPlan(2), variant)


def test_lowered_chunks_are_verified_too(tmp_path: Path) -> None:
    lowering = LoweringPlan(layers={SMALL.in_plans("ups.0"): "polyphase"})
    plain = export(tmp_path, ChunkPlan(3))
    held = describe(plain)
    (tmp_path / "lowered").mkdir()
    lowered = describe(export(tmp_path / "lowered", ChunkPlan(3), lowering=lowering))
    assert lowered.operators["ConvTranspose"] == held.operators["ConvTranspose"] - 1  # type: ignore[union-attr]


def test_one_element_of_context_less_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right: Callable[..., Context] = context_in

    def wrong(field: object, sides: object) -> Context:
        found = right(field, sides)
        ranges = {
            name: Range(max(each.first, -10 * int(field.rates[name])), each.last)  # type: ignore[attr-defined]
            for name, each in found.ranges.items()
        }
        return replace(found, ranges=ranges)

    monkeypatch.setattr(chunk_graph, "context_in", wrong)
    with pytest.raises(HifiError, match=r"are not the whole: audio .* 200 is asked for"):
        export(tmp_path, ChunkPlan(5), V3)
    assert not [*tmp_path.iterdir()]


def test_a_file_without_zeros_at_the_edges_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_graph, "masked", lambda _: frozenset())
    with pytest.raises(HifiError, match="are not the whole"):
        export(tmp_path, ChunkPlan(5))


def test_wrong_numbers_in_the_runtime_are_caught(tmp_path: Path) -> None:
    with pytest.raises(HifiError, match="200 is asked for: nothing was written; report this"):
        export(tmp_path, ChunkPlan(5), min_snr_db=200.0)


def test_a_smaller_context_says_what_it_costs(tmp_path: Path) -> None:
    path = export(tmp_path, ChunkPlan(20, (6, 4)), V3, min_snr_db=15.0)
    stream = artifact.load(path).manifest.stream
    assert stream is not None
    assert 15 <= stream.snr_db < 60
    assert "context 6 + 4 frames, 70 + 46 ms; algorithmic latency 46 ms (of 11 + 11)" in str(stream)
    with pytest.raises(HifiError, match=r"\(11,11 is exact\), or allow it with --min-snr"):
        export(tmp_path, ChunkPlan(20, (6, 4)), V3, min_snr_db=90.0)


REFUSED = {
    "--chunk 0": "--chunk 0: choose 1 or more",
    "--context 6,4": "--context 6,4 is of a chunk: add --chunk N",
    "--chunk 3 --context 6,4": "is not exact: say how exact it must be with --min-snr DB",
    "--chunk 3 --context 6 --min-snr 20": "write both sides, as in --context 6,4",
    "--chunk 3 --context 12,4 --min-snr 20": "11,11 are all that is needed",
    "--stateful": "--stateful is of a chunk: add --chunk N",
    "--chunk 3 --stateful --context 6,4 --min-snr 20": "leave --context or --stateful out",
    "--chunk 3 --precision fp16 --io-types same": "leave --io-types out",
    "--chunk 3 --precision mixed --min-snr 30 --for ort-cpu": "name its plan with --precision",
    "--chunk 3 --axis frames=20": "every length is fixed",
}


@pytest.mark.parametrize("options", REFUSED)
def test_what_is_no_chunk_is_refused_in_one_line(
    options: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["hifi-export", "onnx", "--network", str(SMALL), *options.split()]
    monkeypatch.setattr("sys.argv", [*command, "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        cli.export_main()
    assert ended.value.code == 1
    told = capsys.readouterr().err.strip()
    assert REFUSED[options] in told
    assert "\n" not in told
    assert not [*tmp_path.iterdir()]


def test_without_a_chunk_nothing_is_planned() -> None:
    assert plan_of(None, None, False, 20.0) is None
