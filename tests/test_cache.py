"""The same weights and request are exported once; everything else is a file of its own."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from export import artifact, pipeline, store
from export.cache import cached_export
from export.pipeline import export_onnx
from export.request import ExportRequest
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

REQUEST = ExportRequest(Variant("mpd", "11"), views=("scores",))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(autouse=True)
def own_folder(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(kept))


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[ExportRequest]:
    """What was really exported."""
    done: list[ExportRequest] = []

    def remember(
        request: ExportRequest, trained: Trained, path: Path, durable: bool = True
    ) -> pipeline.Exported:
        done.append(request)
        return export_onnx(request, trained, path, durable)

    monkeypatch.setattr(pipeline, "export_onnx", remember)
    return done


def export(request: ExportRequest, trained: Trained) -> artifact.Artifact:
    return cached_export(request, trained.origin, lambda _: trained)


def test_a_hit_does_not_ask_for_the_weights(mpd_11: Trained) -> None:
    first = export(REQUEST, mpd_11)

    def build(variant: Variant) -> Trained:
        raise AssertionError(variant)

    assert cached_export(REQUEST, mpd_11.origin, build) == first


def test_a_second_call_does_not_export(mpd_11: Trained, exports: list[ExportRequest]) -> None:
    first = export(REQUEST, mpd_11)
    exports.clear()
    before = first.path.stat()
    assert export(dataclasses.replace(REQUEST), mpd_11) == first
    after = first.path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert exports == []


def test_the_file_is_that_of_the_pipeline(mpd_11: Trained, kept: Path, tmp_path: Path) -> None:
    found = export(REQUEST, mpd_11)
    assert found.path.name == "mpd-11.onnx"
    assert found.path.parents[2] == kept
    assert artifact.load(found.path) == found
    made = export_onnx(REQUEST, mpd_11, tmp_path / "mpd-11.onnx").artifact
    assert found.path.read_bytes() == made.path.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:999_999] + bytes([content[999_999] ^ 1]) + content[1_000_000:],
        lambda _: b"not an ONNX file",
    ],
    ids=["empty", "half", "one byte short", "changed", "garbage"],
)
def test_a_damaged_file_is_replaced(
    mpd_11: Trained, exports: list[ExportRequest], damage: Callable[[bytes], bytes]
) -> None:
    first = export(REQUEST, mpd_11)
    content = first.path.read_bytes()
    exports.clear()
    first.path.write_bytes(damage(content))
    assert export(REQUEST, mpd_11) == first
    assert first.path.read_bytes() == content
    assert exports == [REQUEST]


def _place(request: ExportRequest, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a request would be kept, without exporting it."""
    places: list[Path] = []

    class Stop(Exception):  # noqa: N818
        pass

    def stop(
        request: ExportRequest, trained: Trained, path: Path, durable: bool = True
    ) -> pipeline.Exported:
        del request, trained, durable
        places.append(path)
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "export_onnx", stop)
        patch.setattr(artifact, "kept", lambda _: None)
        with pytest.raises(Stop):
            export(request, trained)
    return places[0]


def test_every_other_request_is_another_file(
    mpd_11: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [
        REQUEST,
        dataclasses.replace(REQUEST, opset=17),
        dataclasses.replace(REQUEST, sizes={**REQUEST.sizes, "batch": 2}),
        dataclasses.replace(REQUEST, sizes={**REQUEST.sizes, "samples": 8192}),
        dataclasses.replace(REQUEST, views=()),
        dataclasses.replace(REQUEST, views=("pair",)),
        dataclasses.replace(REQUEST, variant=Variant("mpd", "7")),
        dataclasses.replace(REQUEST, variant=Variant("mpd")),
    ]
    places = [_place(request, mpd_11, monkeypatch) for request in requests]
    assert len({place.parent for place in places}) == len(requests)
    assert [place.name for place in places[-2:]] == ["mpd-7.onnx", "mpd.onnx"]
    assert _place(dataclasses.replace(REQUEST), mpd_11, monkeypatch) == places[0]


def test_other_weights_tools_or_code_are_another_file(
    mpd_11: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {
        _place(REQUEST, mpd_11, monkeypatch),
        _place(REQUEST, dataclasses.replace(mpd_11, origin="do_00000001"), monkeypatch),
    }
    with monkeypatch.context() as patch:
        patch.setattr(artifact, "tools", lambda: {"onnx": "99"})
        places.add(_place(REQUEST, mpd_11, monkeypatch))
    with monkeypatch.context() as patch:
        patch.setattr(store, "source_digest", lambda *_: "other")
        places.add(_place(REQUEST, mpd_11, monkeypatch))
    assert len(places) == 4
