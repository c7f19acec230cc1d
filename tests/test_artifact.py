"""Files of ours come back as they were, or not at all."""

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import torch.nn.functional as F
from google.protobuf.message import DecodeError
from torch import Tensor, nn

from export import artifact
from export.artifact import METADATA_KEY, SCHEMA, Artifact, Manifest, Port
from export.request import ExportRequest
from export.to_onnx import to_onnx
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Trained, finish
from hifigan_ref.variant import Variant
from hifigan_ref.version import VERSION

REQUEST = ExportRequest(Variant("mpd", "11"), opset=17, sizes={"batch": 3}, views=("scores",))


class _Small(nn.Module):
    """A network of a few weights, so that every byte of its file can be tried."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv = nn.Conv2d(1, 2, (3, 1))

    def judge(self, y: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        x = F.pad(y, (0, -y.shape[-1] % 11), mode="reflect")
        x = x.unflatten(-1, (-1, 11))  # type: ignore[no-untyped-call]
        x = self.conv(x)
        return [(torch.flatten(x, 1), [x])]


@pytest.fixture(scope="module")
def small() -> Trained:
    return finish(REQUEST.variant, _Small(), "do_00000001")


@pytest.fixture(scope="module")
def sealed(small: Trained) -> tuple[Manifest, bytes]:
    return artifact.seal(artifact.bare(to_onnx(small.module, REQUEST)), REQUEST, small)


@pytest.fixture
def saved(sealed: tuple[Manifest, bytes], tmp_path: Path) -> Artifact:
    return artifact.save(tmp_path / "mpd-11.onnx", *sealed)


def _refusal(path: Path) -> str:
    with pytest.raises(HifiError) as caught:
        artifact.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


# ----------------------------------------------------------------------------------- round trip


def test_what_was_saved_is_loaded(saved: Artifact) -> None:
    assert artifact.load(saved.path) == saved


def test_the_manifest_says_what_the_file_holds(saved: Artifact, small: Trained) -> None:
    manifest = saved.manifest
    assert (manifest.schema, manifest.variant, manifest.opset) == (SCHEMA, "mpd-11", 17)
    assert (manifest.weights, manifest.weights_digest) == ("do_00000001", small.digest)
    assert (manifest.sizes, manifest.smallest) == ({"batch": 3}, {"batch": 1, "samples": 6})
    assert manifest.views == ("scores",)
    assert manifest.inputs == (Port("y", (3, 1, "samples")),)
    assert manifest.outputs == (Port("score", (3, "score_frames")),)
    assert set(manifest.tools) == {"hifi-export", "torch", "onnx", "onnx-ir", "numpy"}
    assert manifest.tools["hifi-export"] == VERSION
    assert manifest.tools["torch"] == torch.__version__
    proto = onnx.load(saved.path)
    assert manifest.ir_version == proto.ir_version
    assert len(manifest.graph_digest) == len(saved.sha256) == 64


def test_the_manifest_travels_in_the_file(saved: Artifact) -> None:
    entries = {entry.key: entry.value for entry in onnx.load(saved.path).metadata_props}
    assert set(entries) == {METADATA_KEY, artifact.SEAL_KEY}
    inside = json.loads(entries[METADATA_KEY])
    assert {"file": "mpd-11.onnx", "sha256": saved.sha256, **inside} == saved.describe()


def test_the_sidecar_is_the_description(saved: Artifact) -> None:
    beside = saved.path.with_suffix(".json")
    assert artifact.sidecar(saved.path) == beside
    text = beside.read_text()
    assert text.endswith("}\n")
    assert json.loads(text) == saved.describe()
    assert {path.name for path in saved.path.parent.iterdir()} == {"mpd-11.onnx", "mpd-11.json"}


def test_sha256_is_that_of_the_file(saved: Artifact) -> None:
    expected = hashlib.sha256(saved.path.read_bytes()).hexdigest()
    assert saved.sha256 == artifact.load(saved.path).sha256 == expected


def test_no_folder_is_named(saved: Artifact) -> None:
    for path in saved.path.parent.iterdir():
        assert str(saved.path.parent).encode() not in path.read_bytes()


def test_the_file_still_runs_elsewhere(saved: Artifact) -> None:
    onnx.checker.check_model(saved.path, full_check=True)


def test_the_same_graph_is_sealed_into_the_same_bytes(
    small: Trained, sealed: tuple[Manifest, bytes]
) -> None:
    assert artifact.seal(artifact.bare(to_onnx(small.module, REQUEST)), REQUEST, small) == sealed


def test_the_sidecar_counts_for_nothing(saved: Artifact) -> None:
    artifact.sidecar(saved.path).write_text("garbage")
    assert artifact.load(saved.path) == saved
    artifact.sidecar(saved.path).unlink()
    assert artifact.load(saved.path) == saved


# ------------------------------------------------------------------------------------ bad files


def _each_byte(content: bytes, places: range) -> list[tuple[int, bytes]]:
    """The content with one byte changed: one bit, and to a byte that is no text."""
    changed = []
    for place in places:
        for value in {content[place] ^ 1, 0xFF} - {content[place]}:
            changed.append((place, content[:place] + bytes([value]) + content[place + 1 :]))
    return changed


def _escaped(path: Path, variants: list[tuple[int, bytes]]) -> dict[int, str]:
    """Where a changed file was loaded, or broke the loader; by place."""
    wrong: dict[int, str] = {}
    for place, content in variants:
        path.write_bytes(content)
        outcome = _outcome(path)
        if outcome:
            wrong[place] = outcome
    return wrong


def _outcome(path: Path) -> str:
    """What went wrong in refusing a file, or nothing."""
    try:
        artifact.load(path)
    except HifiError as error:
        return "several lines" if "\n" in str(error) else ""
    except Exception as error:  # noqa: BLE001
        return repr(error)
    return "loaded"


def _metadata_start(content: bytes) -> int:
    return content.rindex(METADATA_KEY.encode())


def test_a_changed_byte_of_the_graph_is_found(saved: Artifact) -> None:
    """Each byte in front of the manifest, one after the other."""
    content = saved.path.read_bytes()
    places = range(_metadata_start(content))
    assert len(places) > 500
    assert _escaped(saved.path, _each_byte(content, places)) == {}


def test_a_changed_byte_of_the_manifest_is_found(saved: Artifact) -> None:
    """Each byte from the manifest's key to the end of the file."""
    content = saved.path.read_bytes()
    places = range(_metadata_start(content), len(content))
    assert len(places) > 500
    assert _escaped(saved.path, _each_byte(content, places)) == {}


def test_a_changed_weight_is_named_a_changed_file(saved: Artifact, small: Trained) -> None:
    content = saved.path.read_bytes()
    weight = small.module.state_dict()["conv.weight"].numpy().tobytes()
    start = content.index(weight)
    for place in range(start, start + len(weight)):
        changed = content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]
        saved.path.write_bytes(changed)
        assert "was changed after it was exported (digest)" in _refusal(saved.path)


def test_a_truncated_file_is_refused_at_every_length(saved: Artifact) -> None:
    content = saved.path.read_bytes()
    pieces = [(length, content[:length]) for length in range(len(content))]
    assert _escaped(saved.path, pieces) == {}


def test_something_appended_is_found(saved: Artifact) -> None:
    content = saved.path.read_bytes()
    extra = [(len(tail), content + tail) for tail in (b"\0", b"x" * 100, content)]
    assert _escaped(saved.path, extra) == {}


def test_a_real_network_truncated_or_changed(
    mpd_11: Trained, p11: nn.Module, tmp_path: Path
) -> None:
    request = ExportRequest(Variant("mpd", "11"))
    made = artifact.save(
        tmp_path / "mpd-11.onnx",
        *artifact.seal(artifact.bare(to_onnx(p11, request)), request, mpd_11),
    )
    assert artifact.load(made.path) == made
    content = made.path.read_bytes()
    size = len(content)
    lengths = [0, 1, 7, 100, 4096, 65537, size // 3, size // 2, size - 3000, size - 100, size - 1]
    assert _escaped(made.path, [(length, content[:length]) for length in lengths]) == {}
    places = [size // 9 * k for k in range(1, 9)]
    changed = [(at, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]) for at in places]
    assert _escaped(made.path, changed) == {}


def test_a_file_of_another_tool_is_refused(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Abs", ["x"], ["z"])], "g", [value], [])
    path = tmp_path / "other.onnx"
    onnx.save(onnx.helper.make_model(graph), path)
    assert "has no manifest: give a file that hifi-export wrote" in _refusal(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"not an ONNX file", b"PK\x03\x04", b"\xff" * 99])
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    _refusal(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file or directory" in _refusal(tmp_path / "none.onnx")
    assert "Is a directory" in _refusal(tmp_path)


def _rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest inside a file."""
    proto = onnx.load(path)
    record = json.loads(proto.metadata_props[0].value)
    change(record)
    proto.metadata_props[0].value = json.dumps(record)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def test_a_sidecar_from_before_runtimes_were_named_still_tells(saved: Artifact) -> None:
    beside = artifact.sidecar(saved.path)
    record = json.loads(beside.read_text())
    assert record.pop("verified") == [] and record.pop("not_asked") is None
    beside.write_text(json.dumps(record))
    assert artifact.kept(saved.path) == saved


def test_a_newer_schema_is_refused(saved: Artifact) -> None:
    _rewrite(saved.path, lambda record: record.update(schema=SCHEMA + 1))
    message = _refusal(saved.path)
    assert f"schema {SCHEMA + 1}" in message
    assert f"this version reads {SCHEMA}" in message
    assert "export it again" in message


def test_a_newer_schema_with_other_fields_is_refused(saved: Artifact) -> None:
    def change(record: dict[str, Any]) -> None:
        record.update(schema=SCHEMA + 1, precision="fp16")
        del record["views"]

    _rewrite(saved.path, change)
    assert "damaged or of another version" in _refusal(saved.path)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("variant"),
        lambda record: record.update(opset="seventeen"),
        lambda record: record.update(views=["some"]),
        lambda record: record.update(inputs=[{"name": "y"}]),
        lambda record: record.update(graph_digest="0" * 64),
    ],
    ids=["missing", "type", "view", "port", "digest"],
)
def test_a_damaged_manifest_is_refused(
    saved: Artifact, change: Callable[[dict[str, Any]], object]
) -> None:
    _rewrite(saved.path, change)
    assert "export it again" in _refusal(saved.path)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(variant="mpd-2"),
        lambda record: record.update(smallest={"batch": 1, "samples": 1}),
        lambda record: record.update(weights="do_99999999"),
        lambda record: record.update(opset=18),
    ],
    ids=["variant", "smallest", "weights", "opset"],
)
def test_a_forged_manifest_is_refused(
    saved: Artifact, change: Callable[[dict[str, Any]], object]
) -> None:
    _rewrite(saved.path, change)
    assert "changed after it was exported" in _refusal(saved.path)


# ---------------------------------------------------------------------------------- the digests


def test_the_graph_digest_leaves_out_the_metadata_alone(saved: Artifact) -> None:
    proto = onnx.load(saved.path)
    digest = artifact.graph_digest(proto)
    assert digest == saved.manifest.graph_digest
    assert len(proto.metadata_props) == 2  # untouched by the count
    proto.metadata_props.add(key="note", value="mine")
    assert artifact.graph_digest(proto) == digest
    digests = {digest}
    proto.producer_version = "9"
    digests.add(artifact.graph_digest(proto))
    proto.opset_import[0].version = 18
    digests.add(artifact.graph_digest(proto))
    proto.graph.node[0].name = "other"
    digests.add(artifact.graph_digest(proto))
    proto.graph.output[0].name = "other"
    digests.add(artifact.graph_digest(proto))
    assert len(digests) == 5


def test_a_sidecar_that_cannot_be_written_takes_the_file_with_it(
    sealed: tuple[Manifest, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an error nothing is left: the disk may be full after the first of the two files."""
    calls = []
    real = os.fsync

    def second_fails(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(HifiError, match="free some space"):
        artifact.save(tmp_path / "mpd-11.onnx", *sealed)
    assert [*tmp_path.iterdir()] == []


def test_no_error_of_protobuf_gets_through(tmp_path: Path) -> None:
    """What the loader turns into a line for the user is what protobuf raises here."""
    with pytest.raises(DecodeError):
        onnx.ModelProto.FromString(b"not an ONNX file")
    path = tmp_path / "x.onnx"
    path.write_bytes(b"not an ONNX file")
    assert "truncated or no ONNX file" in _refusal(path)


def test_a_file_of_somebody_else_is_not_overwritten(
    sealed: tuple[Manifest, bytes], tmp_path: Path
) -> None:
    (tmp_path / "own.json").write_text('{"a": 1}')
    with pytest.raises(HifiError, match="own.json is there already and is no manifest of ours"):
        artifact.save(tmp_path / "own.onnx", *sealed)
    assert (tmp_path / "own.json").read_text() == '{"a": 1}'
    assert not (tmp_path / "own.onnx").exists()


def test_an_old_manifest_is_overwritten(saved: Artifact, sealed: tuple[Manifest, bytes]) -> None:
    beside = artifact.sidecar(saved.path)
    beside.write_text(beside.read_text()[:-9])
    assert artifact.save(saved.path, *sealed) == saved
